"""Checkpoints: their format, what they may hold, where they lie."""

from .average import average_checkpoint
from .export import export_checkpoint
from .format import FORMAT, Checkpoint, read_checkpoint, read_score, save_checkpoint
from .import_pix2pix import import_generator
from .opening import open_checkpoint
from .run_folder import (
    best_of,
    checkpoint_path,
    checkpoints_in,
    drop_old,
    drop_temporaries,
    newest_of,
)
from .schema import expected_tensors

__all__ = [
    "FORMAT",
    "Checkpoint",
    "average_checkpoint",
    "best_of",
    "checkpoint_path",
    "checkpoints_in",
    "drop_old",
    "drop_temporaries",
    "expected_tensors",
    "export_checkpoint",
    "import_generator",
    "newest_of",
    "open_checkpoint",
    "read_checkpoint",
    "read_score",
    "save_checkpoint",
]
