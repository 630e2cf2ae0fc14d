"""The directories of a TIFF (TIFF 6.0, section 2) or BigTIFF: found in one pass, values read when needed."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import BinaryIO, Literal, Self, cast

import numpy as np

MAX_PAGES = 5_000
"""Directories that a file may hold."""

_MAX_ENTRIES = 4_096  # of one directory; photographs have some 40
_MAX_BYTES = 64 << 20  # of one tag's values
_MAX_NUMBERS = 1 << 21

# TIFF 6.0, section 2, and BigTIFF: what a field type is to NumPy. A rational is two of what is given here.
NUMPY_TYPES = {1: "u1", 2: "S1", 3: "u2", 4: "u4", 5: "u4", 6: "i1", 7: "u1", 8: "i2", 9: "i4", 10: "i4"}
NUMPY_TYPES |= {11: "f4", 12: "f8", 13: "u4", 16: "u8", 17: "i8", 18: "u8"}
_TEXT = 2
RATIONALS = (5, 10)


class Tag(IntEnum):
    """The tags that reading needs (TIFF 6.0, TIFF/EP, Adobe's technical notes, DNG 1.7)."""

    SUBFILE_TYPE = 254
    OLD_SUBFILE_TYPE = 255
    WIDTH = 256
    HEIGHT = 257
    BITS = 258
    COMPRESSION = 259
    PHOTOMETRIC = 262
    FILL_ORDER = 266
    STRIP_OFFSETS = 273
    ORIENTATION = 274
    SAMPLES = 277
    ROWS_PER_STRIP = 278
    STRIP_BYTES = 279
    X_RESOLUTION = 282
    Y_RESOLUTION = 283
    PLANAR = 284
    FAX3_OPTIONS = 292
    FAX4_OPTIONS = 293
    RESOLUTION_UNIT = 296
    PREDICTOR = 317
    COLOR_MAP = 320
    TILE_WIDTH = 322
    TILE_HEIGHT = 323
    TILE_OFFSETS = 324
    TILE_BYTES = 325
    SUB_DIRECTORIES = 330
    EXTRA_SAMPLES = 338
    SAMPLE_FORMAT = 339
    JPEG_TABLES = 347
    YCBCR_SUBSAMPLING = 530
    XMP = 700
    IPTC = 33723
    PHOTOSHOP = 34377
    EXIF = 34665
    ICC = 34675
    GPS = 34853
    DNG_VERSION = 50706


@dataclass(frozen=True)
class Entry:
    """Where the values of a tag are: `count` of field type `kind` at `position` in the file."""

    kind: int
    count: int
    position: int

    @property
    def size(self) -> int:
        """In bytes."""
        return self.count * np.dtype(NUMPY_TYPES[self.kind]).itemsize * (2 if self.kind in RATIONALS else 1)


Order = Literal["<", ">"]
"""Of bytes, as NumPy and `struct` write it."""


@dataclass(frozen=True)
class Form:
    """How a file writes numbers: byte `order` ("<" or ">"), and 64-bit positions where it is `big`."""

    order: Order
    big: bool

    @classmethod
    def of(cls, head: bytes) -> Self | None:
        """From the first bytes of a file; None of what is no TIFF."""
        if head[:2] not in (b"II", b"MM") or len(head) < 8:
            return None
        order: Order = "<" if head[:2] == b"II" else ">"
        version = struct.unpack_from(order + "H", head, 2)[0]
        return cls(order, version == 43) if version in (42, 43) else None


class Directory:
    """One directory: a page, or what belongs to it.

    Parameters
    ----------
    file : BinaryIO
        Of `length` bytes, written as `form` says.
    position : int
        Where the directory begins.

    Raises
    ------
    ValueError
        It does not lie within the file, or is none.
    """

    def __init__(self, file: BinaryIO, form: Form, position: int, length: int):
        self.file, self.form, self.position, self.length = file, form, position, length
        counter, entry = ("Q", "HHQQ") if form.big else ("H", "HHLL")
        (count,) = struct.unpack(form.order + counter, self._bytes(position, struct.calcsize("<" + counter)))
        if count > _MAX_ENTRIES:
            raise ValueError(f"a directory of {count} entries")
        size = struct.calcsize("<" + entry)
        start = position + struct.calcsize("<" + counter)
        table = self._bytes(start, count * size + (8 if form.big else 4))
        self.entries: dict[int, Entry] = {}
        for at in range(0, count * size, size):
            tag, kind, values, where = struct.unpack_from(form.order + entry, table, at)
            if kind not in NUMPY_TYPES:
                continue
            inline = Entry(kind, values, start + at + size - (8 if form.big else 4))
            fits = inline.size <= (8 if form.big else 4)
            self.entries.setdefault(tag, inline if fits else Entry(kind, values, where))
        (self.next,) = struct.unpack_from(form.order + ("Q" if form.big else "L"), table, count * size)

    def _bytes(self, position: int, size: int) -> bytes:
        if position < 0 or position + size > self.length:
            raise ValueError("truncated: a table lies behind the end of the file")
        self.file.seek(position)
        return self.file.read(size)

    def __contains__(self, tag: int) -> bool:
        return tag in self.entries

    def raw(self, tag: int) -> bytes:
        """The values of `tag` as they are stored, empty where it is missing."""
        entry = self.entries.get(tag)
        if entry is None:
            return b""
        if entry.size > _MAX_BYTES:
            raise ValueError(f"tag {tag} has {entry.size} bytes")
        return self._bytes(entry.position, entry.size)

    def numbers(self, tag: int) -> list[int]:
        """The values of `tag` as whole numbers, none where it is missing."""
        return [int(value) for value in self._values(tag)]

    def quotients(self, tag: int) -> list[float]:
        """The values of `tag`, none where it is missing; rationals by zero as 0."""
        values = self._values(tag)
        if tag not in self.entries or self.entries[tag].kind not in RATIONALS:
            return [float(value) for value in values]
        pairs = zip(values[::2], values[1::2], strict=True)
        return [above / below if below else 0.0 for above, below in pairs]

    def _values(self, tag: int) -> list[int | float]:
        entry = self.entries.get(tag)
        if entry is None or entry.kind == _TEXT:
            return []
        if entry.count > _MAX_NUMBERS:
            raise ValueError(f"tag {tag} has {entry.count} values")
        stored = np.dtype(NUMPY_TYPES[entry.kind]).newbyteorder(self.form.order)
        return cast(list[int | float], np.frombuffer(self.raw(tag), stored).tolist())

    def number(self, tag: int, default: int) -> int:
        """The first value of `tag`, a whole number; `default` where it is missing."""
        values = self.numbers(tag)
        return int(values[0]) if values else default

    def below(self, tag: int, most: int = 16) -> "list[Directory]":
        """The directories that `tag` points to, at most `most`; those that are broken are left out."""
        found = []
        for position in self.numbers(tag)[:most]:
            try:
                found.append(Directory(self.file, self.form, int(position), self.length))
            except (ValueError, struct.error):
                continue
        return found


def directories(file: BinaryIO) -> Iterator[Directory]:
    """All directories of a TIFF that are chained to its header, each read once.

    Raises
    ------
    ValueError
        The file is no TIFF, is cut short or goes in circles, or has more than `MAX_PAGES`.
    """
    length = file.seek(0, 2)
    file.seek(0)
    head = file.read(16)
    form = Form.of(head)
    if form is None or len(head) < (16 if form.big else 8):
        raise ValueError("truncated: no header of a TIFF")
    (position,) = struct.unpack_from(form.order + ("Q" if form.big else "L"), head, 8 if form.big else 4)
    seen: set[int] = set()
    while position:
        if position in seen:
            raise ValueError("its directories go in circles")
        if len(seen) == MAX_PAGES:
            raise TooManyPages(f"more than {MAX_PAGES:,} pages")
        seen.add(position)
        directory = Directory(file, form, position, length)
        yield directory
        position = directory.next
    if not seen:
        raise ValueError("no directory")


class TooManyPages(ValueError):
    """A file of more pages than are read."""
