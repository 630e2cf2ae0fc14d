"""Where photos lie: folders of this machine, and object storage by its address."""

from .addresses import Address, scrubbed, shown_address
from .opening import open_store
from .store import Entry, Location, StorageError, Store, TooLarge

__all__ = [
    "Address",
    "Entry",
    "Location",
    "StorageError",
    "Store",
    "TooLarge",
    "open_store",
    "scrubbed",
    "shown_address",
]
