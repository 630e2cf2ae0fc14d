"""Directories of a TIFF as fields that can be written: EXIF blocks are such directories too."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from .directory import NUMPY_TYPES, RATIONALS, Directory, Tag

_MOST_BYTES = 65_000  # of a value: an EXIF block in a JPEG has no more
_MOST_TOGETHER = 4 << 20
_POINTERS = (4, 13)  # types that may hold positions in a file: true there alone
_BELOW = (Tag.EXIF, Tag.GPS)

# How pixels are stored, or a tag of its own kind of metadata: nothing that describes the photo.
STORAGE = frozenset(
    [
        *range(254, 260), *range(262, 267), 273, 274, *range(277, 285), *range(288, 294), 296, 301,
        *range(317, 329), 330, *range(332, 335), 336, *range(338, 348), *range(400, 406), *range(512, 522),
        *range(529, 533), 559, 700, 33421, 33422, 33723, 34377, 34665, 34675, 34853, 50341,
    ]
)  # fmt: skip
LAYERS = 37724  # Photoshop's


@dataclass(frozen=True)
class Field:
    """A tag and its values: bytes of TIFF's type `kind`, little-endian, or the directory it points to."""

    tag: int
    kind: int
    data: "bytes | list[Field]"


def numbers(tag: int, kind: int, *values: int | float) -> Field:
    """A field of numbers; a rational takes a numerator and a denominator."""
    return Field(tag, kind, np.array(values).astype(np.dtype(NUMPY_TYPES[kind]).newbyteorder("<")).tobytes())


def fields_of(directory: Directory, tags: Iterable[int]) -> list[Field]:
    """The fields of a directory with these tags."""
    found = []
    for tag in tags:
        kind = directory.entries[tag].kind
        stored = np.dtype(NUMPY_TYPES[kind])
        data = np.frombuffer(directory.raw(tag), stored.newbyteorder(directory.form.order))
        found.append(Field(tag, kind, data.astype(stored.newbyteorder("<")).tobytes()))
    return found


def descriptive(directory: Directory) -> tuple[list[Field], list[int]]:
    """What a directory says of the photo and not of its storage; and the tags that cannot be carried over."""
    carried: list[int] = []
    lost: list[int] = []
    room = _MOST_TOGETHER
    for tag, entry in directory.entries.items():
        if tag in STORAGE:
            continue
        portable = entry.kind not in _POINTERS and entry.kind < 16 and entry.size <= min(room, _MOST_BYTES)
        (carried if portable else lost).append(tag)
        room -= entry.size if portable else 0
    found = fields_of(directory, carried)
    for tag in _BELOW:
        for below in directory.below(tag, most=1):
            inner = [
                t
                for t, e in below.entries.items()
                if e.kind < 13 and e.size <= _MOST_BYTES and t not in _BELOW
            ]
            if fields := fields_of(below, [t for t in inner if t != _INTEROPERABILITY]):
                found.append(Field(tag, 4, fields))
    return found, lost


_INTEROPERABILITY = 40965


def packed(fields: list[Field], start: int) -> bytes:
    """A little-endian directory that begins at `start`, which is even, the last one of its chain."""
    fields = sorted(fields, key=lambda field: field.tag)
    table, body = [struct.pack("<H", len(fields))], bytearray()
    behind = start + 2 + 12 * len(fields) + 4
    for field in fields:
        data, count = field.data, 1
        if isinstance(data, list):
            pointer = behind + len(body)
            body += packed(data, pointer)
            data = struct.pack("<L", pointer)
        else:
            size = np.dtype(NUMPY_TYPES[field.kind]).itemsize * (2 if field.kind in RATIONALS else 1)
            count = len(data) // size
        if len(data) > 4:
            where = struct.pack("<L", behind + len(body))
            body += data + bytes(len(data) % 2)
        else:
            where = data.ljust(4, b"\0")
        table.append(struct.pack("<HHL", field.tag, field.kind, count) + where)
    return b"".join(table) + bytes(4) + bytes(body)
