"""Tables as CSV and records as JSON, written atomically.

Names that are not UTF-8 come back as they were (`surrogateescape`).
"""

import csv
import io
import json
import os
from collections.abc import Iterable, Sequence
from typing import Any

from .atomic import atomic_write


def csv_bytes(rows: Iterable[Sequence[object]]) -> bytes:
    """Rows, the header first, as CSV with Unix line ends."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode(errors="surrogateescape")


def json_bytes(record: Any) -> bytes:
    """A record as indented JSON; numbers that are not finite raise `ValueError`."""
    return (json.dumps(record, indent=2, allow_nan=False) + "\n").encode()


def write_csv(rows: Iterable[Sequence[object]], path: str | os.PathLike[str]) -> None:
    """Write rows, the header first."""
    content = csv_bytes(rows)
    atomic_write(path, lambda file: file.write(content))


def write_json(record: Any, path: str | os.PathLike[str]) -> None:
    """Write a record."""
    content = json_bytes(record)
    atomic_write(path, lambda file: file.write(content))
