"""Photographs in folders."""

import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import CycleColorError
from .photo import shown

PHOTO_SUFFIXES = (
    ".avif", ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".mpo",
    ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp",
)  # fmt: skip
"""Lower-case suffixes of files that count as photographs in a folder."""

FOREIGN_SUFFIXES = (
    ".arw", ".cr2", ".cr3", ".cur", ".dcm", ".dds", ".dng", ".eps", ".exr", ".fits", ".hdr", ".heic", ".heif",
    ".ico", ".jxl", ".jxr", ".msp", ".nef", ".orf", ".pam", ".pcd", ".pcx", ".pef", ".pfm", ".psb", ".psd",
    ".qoi", ".raf", ".ras", ".raw", ".rw2", ".sgi", ".spider", ".sr2", ".svg", ".tga", ".xcf",
)  # fmt: skip
"""Lower-case suffixes of pictures that cannot be read: an archive wants them named, not passed over."""


def find_photos(root: str | os.PathLike[str], *, suffixes: tuple[str, ...] = PHOTO_SUFFIXES) -> list[Path]:
    """List the photographs under `root`, at any depth, sorted by relative POSIX path.

    Hidden files and folders are passed over.  Links to folders are not followed: one that stays
    inside `root` leads to what is listed anyway, the others lead out of it or in circles.  Links to
    files are listed, broken ones too, so that every file can be accounted for.

    Parameters
    ----------
    root
        A folder, or one file, which is then listed whatever its suffix.
    suffixes
        Lower-case suffixes to look for, with their dots; case does not matter in file names.

    Returns
    -------
    Paths that begin with `root`, at least one.

    Raises
    ------
    CycleColorError
        With exit code 2: `root` does not exist, cannot be listed, or holds no photographs.
    """
    top = Path(root)
    if top.is_file():
        return [top]
    if not top.is_dir():
        raise CycleColorError(f"{shown(root)}: no such folder; check the path", exit_code=2)
    found = [path for path in _files(top) if path.suffix.lower() in suffixes]
    if not found:
        raise CycleColorError(
            f"{shown(root)}: no photographs in this folder; looked for {' '.join(suffixes)}",
            exit_code=2,
        )
    return sorted(found, key=lambda path: path.relative_to(top).as_posix())


def find_files(root: str | os.PathLike[str]) -> list[Path]:
    """List everything under `root` that is no folder and not hidden, sorted by relative POSIX path.

    Links are treated as by `find_photos`.

    Raises
    ------
    CycleColorError
        With exit code 2: a folder cannot be listed.
    """
    top = Path(root)
    return sorted(_files(top), key=lambda path: path.relative_to(top).as_posix())


def _files(top: Path) -> Iterator[Path]:
    """Yield what is no folder under `top`; a stack, since recursion would end at 1,000 levels."""
    folders = [top]
    while folders:
        folder = folders.pop()
        for entry in _entries(folder):
            path = folder / entry.name
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(path)
            elif not path.is_dir():  # entry.is_dir() would raise on a link to itself
                yield path


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise CycleColorError(
            f"{shown(folder)}: cannot be listed: {error.strerror}; check its permissions",
            exit_code=2,
        ) from error
