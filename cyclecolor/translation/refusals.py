"""Why a photo was refused: a word for the manifest, and a line for people."""

import os
from pathlib import Path

from ..errors import CycleColorError
from ..files import shown
from ..photos import PhotoError


def refusal(path: Path, error: Exception) -> tuple[str, str]:
    """The word and the line for what went wrong with the photo at `path`."""
    if isinstance(error, PhotoError):
        return error.reason, str(error)
    if isinstance(error, CycleColorError):
        return "unwritable", str(error)
    if isinstance(error, OSError):
        return "unreadable", f"{shown(path)}: cannot be read: {error.strerror or error}"
    return failure(path, error)


def failure(path: Path, error: Exception) -> tuple[str, str]:
    """The same for what no part of ours foresaw."""
    text = " ".join(str(error).split())[:160] or type(error).__name__
    if isinstance(error, MemoryError) or "memory" in text.lower():
        return "too-many-pixels", f"{shown(path)}: not enough memory for a photo of this size"
    return "failed", f"{shown(path)}: {text}"


def refuse_foreign(path: Path, beginning: bytes) -> None:
    """Leave a file alone that does not begin as ours of that name do.

    Raises
    ------
    CycleColorError
        If it is there.
    """
    if not os.path.lexists(path):
        return
    if path.is_file() and not path.is_symlink():
        with path.open("rb") as file:
            if file.read(len(beginning)) == beginning:
                return
    raise CycleColorError(f"{shown(path)}: exists, and is not ours; move it away")


def exists(target: str | os.PathLike[str]) -> PhotoError:
    """The refusal of what would replace a file of somebody else."""
    return PhotoError(
        f"{shown(target)}: exists and was not made by this job; --overwrite replaces it", reason="exists"
    )
