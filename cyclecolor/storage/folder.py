"""A folder of this machine, or one that several machines see."""

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import CycleColorError
from ..files import atomic_write, shown
from .store import Entry, StorageError, Store, TooLarge


class FolderStore(Store):
    """Files below a folder. Links to folders are not followed, and nothing is written through a link."""

    def __init__(self, root: Path):
        self.root = root

    def shown(self, name: str = "") -> str:
        """Its path."""
        return shown(self.root / name)

    def entries(self, under: str = "") -> Iterator[Entry]:
        """Folder by folder; a stack, since recursion would end at 1,000 levels."""
        folders = [self.root / under]
        if not self.root.is_dir() or not folders[0].is_dir():
            return
        while folders:
            folder = folders.pop()
            with _said(folder), os.scandir(folder) as entries:  # not all at once: there may be millions
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(Path(entry.path))
                    elif found := self._entry(entry):
                        yield found

    def _entry(self, entry: os.DirEntry[str]) -> Entry | None:
        name = Path(entry.path).relative_to(self.root).as_posix()
        try:
            status = entry.stat()
        except OSError:
            return Entry(name, None)  # a link that leads nowhere: reading it will tell
        is_folder = stat.S_ISDIR(status.st_mode)
        return None if is_folder else Entry(name, status.st_size, str(status.st_mtime_ns))

    def head(self, name: str, count: int) -> bytes:
        """Its beginning."""
        with _said(self.root / name), _regular(self.root / name).open("rb") as file:
            return file.read(count)

    def fetch(self, name: str, path: Path, limit: int) -> None:
        """Copy it; a pipe would wait for ever, a device never end."""
        source = self.root / name
        with _said(source):
            if _regular(source).stat().st_size > limit:
                raise TooLarge(f"{shown(source)}: more than {limit:,} bytes")
            shutil.copyfile(source, path)

    def put(self, path: Path, name: str) -> None:
        """Write it beside its place, then move it there."""
        target = self.root / name
        if not self._holds(target):
            raise StorageError(
                f"{shown(target)}: a link there leads out of the output folder {shown(self.root)}; "
                "remove the link"
            )
        with _said(target), path.open("rb") as file:
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                atomic_write(target, lambda beside: shutil.copyfileobj(file, beside))
            except CycleColorError as error:
                raise StorageError(str(error)) from error

    def _holds(self, target: Path) -> bool:
        """Whether no link on the way to a file leads out."""
        return target.parent.resolve().is_relative_to(self.root.resolve())

    def remove(self, name: str) -> None:
        """And the folders that are empty without it. What lies behind a link is not here."""
        target = self.root / name
        if not self._holds(target):
            return
        with _said(target):
            target.unlink(missing_ok=True)
        for folder in target.parents[: len(Path(name).parts) - 1]:
            with suppress(OSError):
                folder.rmdir()

    def sha256(self, name: str) -> str | None:
        """Of a regular file."""
        path = self.root / name
        if not os.path.lexists(path):
            return None
        with _said(path), _regular(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def overlaps(self, other: Store) -> bool:
        """By what the paths resolve to."""
        if not isinstance(other, FolderStore):
            return False
        one, two = self.root.resolve(), other.root.resolve()
        return one.is_relative_to(two) or two.is_relative_to(one)


class SingleFile(FolderStore):
    """A file by itself: its name is all that is listed of its folder."""

    def __init__(self, path: Path):
        super().__init__(path.parent)
        self.name = path.name

    def shown(self, name: str = "") -> str:
        """Its path."""
        return super().shown(name or self.name)

    def entries(self, under: str = "") -> Iterator[Entry]:
        """The one file."""
        with _said(self.root / self.name):
            status = os.stat(self.root / self.name)
        yield Entry(self.name, status.st_size, str(status.st_mtime_ns))

    def overlaps(self, other: Store) -> bool:
        """Its folder is a place for outputs that are in folders of their own, but not for others."""
        return isinstance(other, FolderStore) and self.root.resolve() == other.root.resolve()


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """Errors of the system as a `StorageError` about a file."""
    try:
        yield
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or str(error)
        raise StorageError(f"{shown(path)}: {cause}; check the path and its permissions") from error


def _regular(path: Path) -> Path:
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise StorageError(f"{shown(path)}: not a regular file; give the path of a picture")
    return path
