"""From a path or an address to its store."""

from pathlib import Path
from urllib.parse import unquote

from .addresses import Address
from .folder import FolderStore, SingleFile
from .objects import ObjectStore
from .store import Location, Store


def open_store(location: Location) -> Store:
    """The store at a path or an address; `file://` is a path. A file is a store of its own.

    Raises
    ------
    CycleColorError
        If a package is missing, or nothing is known of such addresses.
    """
    if isinstance(location, Address) and location.scheme not in ("file", "local"):
        return ObjectStore(location)
    path = Path(unquote(location.partition("://")[2])) if isinstance(location, Address) else location
    return SingleFile(path) if path.is_file() else FolderStore(path)
