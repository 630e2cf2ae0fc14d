"""Which checkpoint is meant: a file, a run's folder, or a released one by name."""

import logging
from pathlib import Path

from ..errors import CycleColorError
from .format import Checkpoint, read_checkpoint

# In a clone, and where a wheel puts it.
PACKAGE = Path(__file__).resolve().parent.parent
RELEASED = (PACKAGE.parent / "checkpoints", PACKAGE / "checkpoints")

logger = logging.getLogger("cyclecolor")


def open_checkpoint(path: Path | None) -> tuple[Path, Checkpoint]:
    """Find and read a checkpoint: a file, the newest whole one of a run's folder, or a released one by name.

    By default that is the one called `default`.

    Raises
    ------
    CycleColorError
        If there is none, or none is whole.
    """
    if path is None or not (path.suffix or path.exists()):
        name = path or "default"
        path = next((p for folder in RELEASED if (p := folder / f"{name}.safetensors").is_file()), None)
        if path is None:
            message = f"{name}: no file, run folder or released checkpoint of that name"
            raise CycleColorError(message, exit_code=2)
    if not path.is_dir():
        return path, read_checkpoint(path)
    paths = sorted(path.glob("checkpoints/step_*.safetensors")) or sorted(path.glob("step_*.safetensors"))
    if not paths:
        raise CycleColorError(f"{path}: no checkpoint in this folder", exit_code=2)
    if found := newest_whole(paths):
        return found
    raise CycleColorError(f"{path}: all checkpoints in this folder are damaged")


def newest_whole(paths: list[Path]) -> tuple[Path, Checkpoint] | None:
    """The last of some checkpoints, oldest first, that is whole; why those after it are not is logged."""
    for older, path in reversed(list(enumerate(paths))):
        try:
            return path, read_checkpoint(path)
        except CycleColorError as error:
            logger.warning("%s; trying the one before it" if older else "%s", error)
    return None
