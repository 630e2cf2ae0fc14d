"""Where translations go: beside what they are made of, or where `--output` says."""

import os
from pathlib import Path

from ..errors import CycleColorError
from ..files import shown
from .paths import FolderToBe


def folder_for(source: Path, output: Path | None, word: str) -> Path:
    """The folder that mirrors a folder: `scans` goes to `scans_color`, and `scans.tar` into it.

    Raises
    ------
    CycleColorError
        If a photo or a tar is asked for, or a file is in the way.
    """
    from ..photos import WRITABLE_SUFFIXES, is_tar

    if output is None:
        source = Path(os.path.realpath(source))
        return source.with_name(f"{source.stem if is_tar(source.name) else source.name}_{word}")
    if isinstance(output, FolderToBe) or output.is_dir():
        return output
    if is_tar(output.name):
        raise CycleColorError(
            f"{shown(output)}: is the name of a tar; name a folder, in which tars keep their names",
            exit_code=2,
        )
    if output.suffix.lower() in WRITABLE_SUFFIXES:
        kind = "a tar" if is_tar(source.name) else "a folder"
        raise CycleColorError(
            f"{shown(output)}: is the name of a photo, but {shown(source)} is {kind}; name a folder",
            exit_code=2,
        )
    return output


def files_for(photos: list[Path], output: Path | None, word: str, suffix: str | None) -> list[Path]:
    """The files of photos: `a.jpg` goes to `a_color.jpg`, or under its own name into a folder.

    Raises
    ------
    CycleColorError
        If several are to become one file, or formats disagree.
    """
    from ..translation import output_name

    names = [Path(output_name(photo.name, suffix)) for photo in photos]
    if output is None:
        return [
            Path(os.path.realpath(photo)).with_name(f"{name.stem}_{word}{name.suffix}")
            for photo, name in zip(photos, names, strict=True)
        ]
    if isinstance(output, FolderToBe) or output.is_dir() or not output.suffix:
        return [Path(output) / name for name in names]
    if len(photos) > 1:
        raise CycleColorError(
            f"{shown(output)}: is one file, for {len(photos)} photos; name a folder, as in --output colored/",
            exit_code=2,
        )
    if suffix and output_name(output.name, suffix) != output.name:
        raise CycleColorError(
            f"{shown(output)}: is not of --format {suffix.removeprefix('.')}; leave one of them out",
            exit_code=2,
        )
    return [Path(output)]
