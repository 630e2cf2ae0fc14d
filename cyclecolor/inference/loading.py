"""From a checkpoint to a `Colorizer`."""

import hashlib
from pathlib import Path
from typing import Any

from ..checkpoint import Checkpoint, open_checkpoint
from ..methods import METHODS
from .chroma_colorizer import ChromaColorizer
from .colorizer import Colorizer
from .rgb_colorizer import RGBColorizer


def load(checkpoint: str | Path | None = None, **options: Any) -> Colorizer:
    """Load a checkpoint file, a run's newest whole one, or a released one by name; by default `default`.

    Options are those of `Colorizer`.

    Raises
    ------
    CycleColorError
        If there is no such checkpoint, or none that is whole.
    """
    path, loaded = open_checkpoint(None if checkpoint is None else Path(checkpoint))
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return colorizer_of(loaded, name=f"{path.name} sha256:{digest}", **options)


def colorizer_of(checkpoint: Checkpoint, **options: Any) -> Colorizer:
    """A `ChromaColorizer`, or for generators of whole images an `RGBColorizer`."""
    in_rgb = METHODS[checkpoint.experiment.method].in_rgb
    return (RGBColorizer if in_rgb else ChromaColorizer)(checkpoint, **options)
