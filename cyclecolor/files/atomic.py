"""Atomic writes: a crash or a cut of power at any time leaves the old file or the new one, complete."""

import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from ..errors import CycleColorError
from .names import shown

TEMPORARY = ".cyclecolor-"  # how the names of files begin that are not yet whole


def atomic_write(path: str | os.PathLike[str], write: Callable[[BinaryIO], object]) -> None:
    """Call `write` with a temporary file beside `path`, then put it in the place of `path`.

    A link at `path` is replaced, not followed. Anything else that is no regular file is left alone.

    Raises
    ------
    CycleColorError
        If the system refuses (full, read-only, no such folder). What `write` raises goes through. In
        either case the temporary file is gone.
    """
    target = Path(path)
    try:
        _check_replaceable(target)
        _write_and_replace(target, write)
    except OSError as error:
        cause = error.strerror or str(error)
        raise CycleColorError(
            f"{shown(path)}: cannot be written: {cause}; nothing was left there, "
            "make room or choose another folder"
        ) from error


def _check_replaceable(target: Path) -> None:
    """Refuse folders, and what `os.replace` would destroy though it is no file, like /dev/null."""
    try:
        mode = os.lstat(target).st_mode
    except FileNotFoundError:
        return
    except ValueError as error:
        raise OSError("a null character is in its name") from error
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        raise OSError("a folder, device or pipe has that name")


def _write_and_replace(target: Path, write: Callable[[BinaryIO], object]) -> None:
    # Its own name, since the target's may have all 255 bytes already; hidden, so no list has it.
    temporary = target.parent / f"{TEMPORARY}{secrets.token_hex(8)}.tmp"
    # Not `tempfile`: its files are private (0600), an output should follow the umask.
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with open(descriptor, "w+b") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Make the new name itself survive a cut of power, where the file system can promise that."""
    # The file is complete and in place already; some network file systems, and Windows, refuse this.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
