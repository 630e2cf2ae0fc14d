"""Photos on their own: nothing is kept of what became of them, so the files themselves must tell."""

import os
from collections.abc import Iterable
from pathlib import Path

from .manifest import Record, file_sha256
from .plan import Task
from .refusals import exists


class Unchanged(Exception):
    """The file is there already, byte for byte."""


class NoManifest:
    """In the place of a `Manifest`: an output is ours if it is what would be written anyway."""

    def __init__(self, *, overwrite: bool):
        self.overwrite = overwrite
        self.records: dict[str, Record] = {}

    def start(self, task: Task) -> None:
        """Nothing is kept."""

    def announce(self, task: Task, target: Path, digest: str) -> None:
        """Look at what is in the way of a file that is about to be written.

        Raises
        ------
        Unchanged
            If it is the same.
        PhotoError
            If it is another, and not to be replaced.
        """
        if self.overwrite or not os.path.lexists(target):
            return
        raise Unchanged if file_sha256(target) == digest else exists(target)

    def add(self, record: Record) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Nothing is open."""

    def is_current(self, task: Task, settings: str, targets: Iterable[Path]) -> bool:
        """Only the work itself can tell."""
        return False

    def is_ours(self, task: Task, target: Path) -> bool:
        """Whether it can be: it is a file, or nothing."""
        return not os.path.lexists(target) or (target.is_file() and not target.is_symlink())
