"""AVIF (ISO/IEC 23000-22): what its boxes say of colors and depth, which Pillow keeps to itself."""

import struct
from collections.abc import Iterator
from typing import BinaryIO

from .icc import profile_by_numbers
from .jp2 import boxes

_WITHIN = {b"meta": 4, b"iprp": 0, b"ipco": 0}
"""Boxes that hold what is looked for, and how much of them comes before."""


def said_by(file: BinaryIO) -> tuple[bytes | None, tuple[str, ...]]:
    """An ICC profile that stands for its colors where it has none, and what there is to warn of."""
    profile: bytes | None = None
    warnings: tuple[str, ...] = ()
    deepest = 8
    for name, content in _properties(file, 0, file.seek(0, 2)):
        if name == b"colr" and content[:4] == b"nclx" and len(content) >= 8:
            profile, warnings = profile_by_numbers(*struct.unpack_from(">2H", content, 4))
        elif name == b"av1C" and len(content) >= 3 and content[2] & 0x40:
            deepest = 12 if content[2] & 0x20 else 10
    return profile, (*warnings, *([f"{deepest} bits were read as 8"] if deepest > 8 else []))


def _properties(file: BinaryIO, at: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    for name, start, size in boxes(file, at, end):
        if name in _WITHIN:
            yield from _properties(file, start + _WITHIN[name], start + size)
        elif name in (b"colr", b"av1C"):
            file.seek(start)
            yield name, file.read(min(size, 16))
