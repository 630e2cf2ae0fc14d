"""Where photos lie: folders of this machine, and object storage by its address."""

from .addresses import Address, scrubbed, shown_address
from .folder import FolderStore, SingleFile
from .objects import ObjectStore
from .opening import open_store
from .store import Entry, Location, StorageError, Store, TooLarge, is_plain

__all__ = [
    "Address",
    "Entry",
    "FolderStore",
    "Location",
    "ObjectStore",
    "SingleFile",
    "StorageError",
    "Store",
    "TooLarge",
    "is_plain",
    "open_store",
    "scrubbed",
    "shown_address",
]
