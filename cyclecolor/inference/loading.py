"""Which class translates with a checkpoint."""

import hashlib
from pathlib import Path

from ..checkpoint import Checkpoint, open_checkpoint
from .colorizer import Colorizer
from .repainter import Repainter
from .translator import Translator


def load(checkpoint: str | Path | None = None, **options) -> Translator:
    """Load a checkpoint file, a run's newest whole one, or a released one by name; by default `default`.

    Options are those of `Translator`.

    Raises
    ------
    CycleColorError
        If there is no such checkpoint, or none that is whole.
    """
    path, loaded = open_checkpoint(None if checkpoint is None else Path(checkpoint))
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return translator_of(loaded, name=f"{path.name} sha256:{digest}", **options)


def translator_of(checkpoint: Checkpoint, **options) -> Translator:
    """A `Colorizer`, or for generators of whole images a `Repainter`."""
    return (Repainter if checkpoint.experiment.space == "rgb" else Colorizer)(checkpoint, **options)
