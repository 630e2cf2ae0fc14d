"""Photographs in folders."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ..errors import CycleColorError
from ..files import shown

PHOTO_SUFFIXES = (
    ".avif", ".bmp", ".gif", ".heic", ".heif", ".hif", ".j2k", ".jfif", ".jls", ".jp2", ".jpe", ".jpeg",
    ".jpf", ".jpg", ".jpx", ".jxl", ".mpo", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp",
)  # fmt: skip
"""Lower-case suffixes of files that count as photographs in a folder."""

FOREIGN_SUFFIXES = (
    ".3fr", ".arw", ".bay", ".cap", ".cr2", ".cr3", ".crw", ".cur", ".dcm", ".dcr", ".dds", ".dng", ".eip",
    ".eps", ".erf", ".exr", ".fff", ".fits", ".gpr", ".hdp", ".hdr", ".ico", ".iiq", ".jxr", ".k25", ".kdc",
    ".mef", ".mos", ".mrw", ".msp", ".nef", ".nrw", ".orf", ".pam", ".pcd", ".pcx", ".pef", ".pfm", ".psb",
    ".psd", ".qoi", ".raf", ".ras", ".raw", ".rw2", ".rwl", ".rwz", ".sgi", ".spider", ".sr2", ".srf", ".srw",
    ".svg", ".tga", ".wdp", ".x3f", ".xcf",
)  # fmt: skip
"""Lower-case suffixes of pictures that cannot be read: an archive wants them named, not passed over."""

TAR_SUFFIX = ".tar"
"""Of files that may hold photographs, as webdataset lays them out."""

SERVICE_FOLDERS = (
    "#recycle", "#snapshot", "$recycle.bin", "@__thumb", "@eadir", "@recently-snapshot", "@recycle",
    "@sharebin", "@snapshot", "@tmp", "__macosx", "ipod photo cache", "lost+found", "network trash folder",
    "recycled", "recycler", "system volume information", "temporary items", "thumbnails", "thumbs",
)  # fmt: skip
"""Lower-case names of folders that NAS, systems and viewers keep thumbnails and rubbish in.

The hidden ones (.thumbnails, .Trash-1000, .@__thumb...) are passed over as all that is hidden.
"""


def find_photos(root: str | os.PathLike[str], *, suffixes: tuple[str, ...] = PHOTO_SUFFIXES) -> list[Path]:
    """List the photographs under `root`, at any depth, sorted by relative POSIX path.

    Hidden files and folders are passed over, and so are `SERVICE_FOLDERS`. Links to folders are not
    followed: one that stays inside `root` leads to what is listed anyway, the others lead out of it or in
    circles. Links to files are listed, broken ones too, so that every file can be accounted for.

    Parameters
    ----------
    root : path
        A folder, or one file, which is then listed whatever its suffix.
    suffixes : tuple of str
        Lower-case suffixes to look for, with their dots; case does not matter in file names.

    Returns
    -------
    list of Path
        They begin with `root`; at least one.

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
    found = [path for path in _files(top, Counter()) if path.suffix.lower() in suffixes]
    if not found:
        raise CycleColorError(
            f"{shown(root)}: no photographs in this folder; looked for {' '.join(suffixes)}",
            exit_code=2,
        )
    return sorted(found, key=lambda path: path.relative_to(top).as_posix())


def find_files(root: str | os.PathLike[str], passed_over: Counter[str] | None = None) -> list[Path]:
    """List everything under `root` that is no folder and not hidden, sorted by relative POSIX path.

    Links and `SERVICE_FOLDERS` are treated as by `find_photos`.

    Parameters
    ----------
    root : path
        A folder.
    passed_over : Counter, optional
        Gets the number of files in each service folder, the hidden ones among them, as "in @eaDir".

    Raises
    ------
    CycleColorError
        With exit code 2: a folder cannot be listed.
    """
    top = Path(root)
    counted = Counter() if passed_over is None else passed_over
    return sorted(_files(top, counted), key=lambda path: path.relative_to(top).as_posix())


def _files(top: Path, passed_over: Counter[str]) -> Iterator[Path]:
    """Yield what is no folder under `top`; a stack, since recursion would end at 1,000 levels."""
    folders = [top]
    while folders:
        folder = folders.pop()
        for entry in _entries(folder):
            path = folder / entry.name
            if entry.is_dir(follow_symlinks=False):
                if not is_service(entry.name):
                    folders.append(path)
                elif count := sum(len(files) for _, _, files in os.walk(path)):
                    passed_over[f"in {shown(entry.name)}"] += count
            elif not entry.name.startswith(".") and not path.is_dir():  # entry.is_dir() would raise on a loop
                yield path


def is_tar(name: str) -> bool:
    """Whether a file is a tar, by its name."""
    return name.lower().endswith(TAR_SUFFIX)


def holds_only_tars(folder: Path) -> bool:
    """Whether a folder has tars, and nothing that is called a photograph; it looks no further than the first.

    Raises
    ------
    CycleColorError
        With exit code 2: a folder cannot be listed.
    """
    found = False
    for path in _files(folder, Counter()):
        if path.suffix.lower() in PHOTO_SUFFIXES + FOREIGN_SUFFIXES:
            return False
        found = found or is_tar(path.name)
    return found


def sidecars(photo: Path) -> list[str]:
    """Names of the XMP files beside a photo that speak of it: scan.xmp (Adobe), scan.tif.xmp (darktable)."""
    cases = ((f"{base}.xmp", f"{base}.XMP") for base in (photo.stem, photo.name))
    # `os.path.isfile` takes a name that is too long for one that is not there.
    found = (next((name for name in both if os.path.isfile(photo.parent / name)), None) for both in cases)
    return [name for name in found if name]


def is_service(name: str) -> bool:
    """Whether a folder of that name is hidden, or one of `SERVICE_FOLDERS`."""
    return name.startswith(".") or name.lower() in SERVICE_FOLDERS


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise CycleColorError(
            f"{shown(folder)}: cannot be listed: {error.strerror}; check its permissions",
            exit_code=2,
        ) from error
