"""Holds of files and folders between processes; they end with the process, however it ends.

By the system's own locks where it is POSIX, elsewhere by `filelock`.
"""

import os
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # a module or none

Release = Callable[[], None]
CREATE = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)


class Busy(Exception):
    """Another process holds it; the message is the note that it left."""


def hold_file(path: Path, note: str) -> Release:
    """Hold a file, and leave a note in it for whoever comes next.

    Raises
    ------
    Busy
    OSError
        If the file cannot be made.
    """
    if fcntl is None:
        release = _hold_beside(path)
        path.write_text(note, encoding="utf-8")
        return release
    descriptor = os.open(path, CREATE, 0o644)
    try:
        # A record lock, not `flock`: loader processes, which may outlive a killed trainer, do not inherit it.
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        holder = os.read(descriptor, 200).decode(errors="replace").strip()
        os.close(descriptor)
        raise Busy(holder) from None
    except OSError:
        pass  # a file system without locks
    os.truncate(descriptor, 0)
    os.write(descriptor, note.encode())
    return partial(os.close, descriptor)


def hold_folder(folder: Path, part: str | None = None) -> Release:
    """Hold a folder: alone, or as a part of that name beside other parts.

    Raises
    ------
    Busy
        With the name of what is held: the folder, or the part.
    OSError
        If the folder cannot be opened.
    """
    if fcntl is None:
        return _hold_folder_by_files(folder, part)
    with ExitStack() as held:
        kind = fcntl.LOCK_SH if part else fcntl.LOCK_EX
        held.callback(_flock(os.open(folder, os.O_RDONLY), kind, folder))
        if part:
            held.callback(_flock(os.open(folder / part, CREATE, 0o666), fcntl.LOCK_EX, folder / part))
        return held.pop_all().close


def _flock(descriptor: int, kind: int, path: Path) -> Release:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise Busy(str(path)) from None
    except OSError:
        pass  # a file system without locks
    return partial(os.close, descriptor)


def _hold_folder_by_files(folder: Path, part: str | None) -> Release:
    """Whoever comes holds a file of its own first, then looks whether one is held that excludes it."""
    whole = folder / "whole"
    own = folder / part if part else whole
    release = _hold_beside(own)
    names = [whole] if part else [folder / path.name[1:-5] for path in folder.glob(".*.lock")]
    try:
        for other in names:
            if other != own:
                _hold_beside(other)()
    except Busy:
        release()
        raise
    return release


def _hold_beside(path: Path) -> Release:
    """By a hidden file, as on Windows nobody else can read one that is held."""
    lock = FileLock(path.with_name(f".{path.name}.lock"), blocking=False, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        note = path.read_text(encoding="utf-8", errors="replace")[:200].strip() if path.is_file() else ""
        raise Busy(note or str(path)) from None
    return lock.release
