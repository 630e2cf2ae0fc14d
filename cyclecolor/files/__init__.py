"""Files: written whole or not at all, and tables as CSV and JSON."""

from .atomic import TEMPORARY, atomic_write
from .names import shown
from .tables import csv_bytes, json_bytes, write_csv, write_json

__all__ = ["TEMPORARY", "atomic_write", "csv_bytes", "json_bytes", "shown", "write_csv", "write_json"]
