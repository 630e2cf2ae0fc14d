"""What every store can do, whatever is behind it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import CycleColorError
from .addresses import Address

Location = Path | Address


class StorageError(CycleColorError):
    """A store did not do what it was asked; the message names the file and the cause, and no secret."""


class TooLarge(StorageError):
    """A file has more bytes than it may have."""


@dataclass(frozen=True)
class Entry:
    """A file in a listing.

    Attributes
    ----------
    name : str
        Relative to the store's root, with slashes.
    bytes : int, optional
        Its size, where the store tells.
    version : str
        What changes when the file does: an ETag, or a time. Empty where the store does not tell.
    """

    name: str
    bytes: int | None
    version: str = ""


def is_plain(name: str) -> bool:
    """Whether a name, taken for a path in UTF-8, stays below its root."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return "\0" not in name and {"", ".", ".."}.isdisjoint(name.split("/"))


class Store(ABC):
    """Files below a root. All that fails raises `StorageError`."""

    @abstractmethod
    def shown(self, name: str = "") -> str:
        """The place of a file, for messages."""

    @abstractmethod
    def entries(self, under: str = "") -> Iterator[Entry]:
        """Files below a folder of the root, at any depth; none where there is no such folder."""

    @abstractmethod
    def head(self, name: str, count: int) -> bytes:
        """The first bytes of a file."""

    @abstractmethod
    def fetch(self, name: str, path: Path, limit: int) -> None:
        """Copy a file to `path`.

        Raises
        ------
        TooLarge
            As soon as it has more than `limit` bytes.
        """

    @abstractmethod
    def put(self, path: Path, name: str) -> None:
        """Copy the file at `path` into the store: it is there whole, or not at all."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Delete a file; it may be gone already."""

    @abstractmethod
    def sha256(self, name: str) -> str | None:
        """Checksum of a file's content; None if there is none."""

    @abstractmethod
    def overlaps(self, other: "Store") -> bool:
        """Whether one of the two roots is the other, or lies inside it."""
