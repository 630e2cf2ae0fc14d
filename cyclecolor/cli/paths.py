"""Paths as people type them."""

import glob
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from ..errors import CycleColorError
from ..files import shown
from ..storage import Address


class UserPath(click.Path):
    """A path; `~` is the user's folder also where the shell left it alone, as after `--option=`."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """From text, or from a path."""
        return Path(os.fsdecode(super().convert(os.path.expanduser(value), param, ctx)))


class UserLocation(UserPath):
    """A path, or the address of object storage, as `s3://bucket/in`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """From text, or from a path."""
        return Address.of(str(value)) or super().convert(value, param, ctx)


class OutputLocation(UserLocation):
    """The same; a path remembers whether it was written as a folder, `colored/`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """From text, or from a path."""
        path = super().convert(value, param, ctx)
        is_folder = isinstance(path, Path) and str(value).endswith(("/", os.sep))
        return FolderToBe(path) if is_folder else path


class FolderToBe(type(Path())):  # type: ignore[misc]  # PosixPath or WindowsPath
    """A path that a user wrote with a slash at its end."""


def found(paths: Iterable[Path]) -> list[Path]:
    """The files and folders that are meant; patterns are for us where no shell expands them.

    Raises
    ------
    CycleColorError
        Naming the path or the pattern that nothing has.
    """
    all_found: list[Path] = []
    for path in paths:
        matches = [path] if os.path.lexists(path) else sorted(map(Path, glob.glob(str(path))))
        if not matches:
            raise CycleColorError(f"{shown(path)}: no such file or folder; check the path", exit_code=2)
        all_found += [match for match in matches if match not in all_found]
    return all_found
