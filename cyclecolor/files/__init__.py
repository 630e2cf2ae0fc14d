"""Files: written whole or not at all, held by one process, and tables as CSV and JSON."""

from .atomic import TEMPORARY, atomic_write
from .locks import Busy, hold_file, hold_folder
from .names import quoted, shown
from .tables import csv_bytes, json_bytes, write_csv, write_json

__all__ = [
    "TEMPORARY",
    "Busy",
    "atomic_write",
    "csv_bytes",
    "hold_file",
    "hold_folder",
    "json_bytes",
    "quoted",
    "shown",
    "write_csv",
    "write_json",
]
