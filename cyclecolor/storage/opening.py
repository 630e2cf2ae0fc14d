"""From a path or an address to its store."""

from pathlib import Path
from urllib.parse import unquote

from .addresses import Address
from .folder import FolderStore
from .objects import ObjectStore
from .store import Location, Store


def open_store(location: Location) -> Store:
    """The store at a path or an address; `file://` is a path.

    Raises
    ------
    CycleColorError
        If a package is missing, or nothing is known of such addresses.
    """
    if isinstance(location, Path):
        return FolderStore(location)
    if location.scheme in ("file", "local"):
        return FolderStore(Path(unquote(location.partition("://")[2])))
    return ObjectStore(Address(location))
