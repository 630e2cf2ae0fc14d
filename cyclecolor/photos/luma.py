"""The luma of a gray JPEG carried over into a color one, bit by bit (ITU-T T.81, annexes A and B).

A JPEG may code its components in scans of their own. So the scans of a gray JPEG, its only component, can
be those of the luma of a color JPEG as they stand; two more gray JPEGs, of Cb and Cr, give the others.
Nothing of the luma is decoded and encoded again.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

_SOI, _EOI, _SOS, _DQT, _DHT, _DRI = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xDD
_SEQUENTIAL, _EXTENDED, _PROGRESSIVE = 0xC0, 0xC1, 0xC2  # frames that are coded by Huffman's tables
_APP = range(0xE0, 0xF0)
_COMMENT = 0xFE
# Coded data ends at a marker; FF 00 is a byte of it, FF D0 to D7 are restarts within, FF FF is filling.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_NO_RESTARTS = b"\x00\x04\x00\x00"
_CHROMA_TABLE = 1  # of quantization, beside that of luma


@dataclass(frozen=True)
class Luma:
    """One component as its file codes it.

    Attributes
    ----------
    height, width : int
        In pixels.
    frame : int
        The marker of the frame: which of JPEG's processes coded it.
    table : int
        Number of its quantization table.
    parts : tuple of (int, bytes)
        Tables and scans in order: the marker, and what is behind it up to the next one.
    """

    height: int
    width: int
    frame: int
    table: int
    parts: tuple[tuple[int, bytes], ...]

    @property
    def progressive(self) -> bool:
        """Whether its scans refine each other; all components of a JPEG do, or none."""
        return self.frame == _PROGRESSIVE


def luma_of(jpeg: bytes) -> Luma | None:
    """The only component of a gray JPEG; None of any other file, and of processes that few programs know."""
    frame, parts = None, []
    try:
        for marker, content in _segments(jpeg):
            if marker in (_DQT, _DHT, _DRI, _SOS):
                parts.append((marker, content))
            elif marker in (_SEQUENTIAL, _EXTENDED, _PROGRESSIVE) and frame is None:
                frame = marker, *struct.unpack(">HBHHBBBB", content)
            elif marker not in (*_APP, _COMMENT):
                return None
    except (struct.error, IndexError):
        return None
    if frame is None or not any(marker == _SOS for marker, _ in parts):
        return None
    process, _, bits, height, width, components, *_, table = frame
    if (bits, components) != (8, 1) or not (height and width):
        return None
    return Luma(height, width, process, table, tuple(parts))


def joined(luma: Luma, blue: bytes, red: bytes, header: bytes) -> bytes:
    """A color JPEG.

    Parameters
    ----------
    luma : Luma
        Carried over.
    blue, red : bytes
        Gray JPEGs of Cb and Cr, progressive if `luma` is: of its size, or of half of it, rounded up, in
        either direction; with one quantization table for both.
    header : bytes
        A JPEG with JFIF's marker, whose metadata are taken.
    """
    chroma = [component for component in (luma_of(blue), luma_of(red)) if component]
    across, down = (
        -(-whole // part) for whole, part in ((luma.width, chroma[0].width), (luma.height, chroma[0].height))
    )
    components = [(1, across << 4 | down, luma.table), (2, 0x11, _other(luma)), (3, 0x11, _other(luma))]
    frame = struct.pack(">HBHHB", 17, 8, luma.height, luma.width, 3) + b"".join(map(bytes, components))
    segments = [(m, content) for m, content in _segments(header) if m in (*_APP, _COMMENT)]
    segments += [(luma.frame, frame), *_coded(luma, 1, luma.table)]
    for number, component in enumerate(chroma, 2):
        segments += [(_DRI, _NO_RESTARTS), *_coded(component, number, _other(luma))]
    return b"".join([b"\xff\xd8", *(bytes([0xFF, m]) + content for m, content in segments), b"\xff\xd9"])


def _other(luma: Luma) -> int:
    return _CHROMA_TABLE if luma.table != _CHROMA_TABLE else 0


def _coded(component: Luma, number: int, table: int) -> Iterator[tuple[int, bytes]]:
    """The tables and scans of a component under its number in the frame, and that of its quantization."""
    for marker, content in component.parts:
        if marker == _SOS:
            content = content[:3] + bytes([number]) + content[4:]
        elif marker == _DQT and table != component.table:
            content = content[:2] + bytes([content[2] & 0xF0 | table]) + content[3:]
        yield marker, content


def _segments(jpeg: bytes) -> Iterator[tuple[int, bytes]]:
    """Markers up to the end of the picture, each with what is behind it, its length and coded data included.

    Raises
    ------
    IndexError, struct.error
        If the file ends before, or is no JPEG.
    """
    at = 2 if jpeg[:2] == b"\xff\xd8" else len(jpeg)
    while True:
        while jpeg[at] == jpeg[at + 1] == 0xFF:
            at += 1
        marker = jpeg[at + 1]
        if jpeg[at] != 0xFF or marker in (0x00, 0x01, _SOI, *range(0xD0, 0xD8)):
            raise IndexError
        if marker == _EOI:
            return
        (length,) = struct.unpack_from(">H", jpeg, at + 2)
        end = at + 2 + length
        if marker == _SOS:
            found = _MARKER.search(jpeg, end)
            end = found.start() if found else len(jpeg)
        yield marker, jpeg[at + 2 : end]
        at = end
