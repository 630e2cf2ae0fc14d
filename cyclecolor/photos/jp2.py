"""JPEG 2000 (ITU-T T.800, annex I): what the boxes around its code say."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

BOX_SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"
CODE_SIGNATURE = b"\xff\x4f\xff\x51"

_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_EXIF = b"JpgTiffExif->JP2"
_IPTC = bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38")
_SUPER = (b"jp2h", b"res ")
_MOST_BYTES = 16 << 20
_KNOWN = (
    b"jP  ",
    b"ftyp",
    b"jp2h",
    b"ihdr",
    b"bpcc",
    b"colr",
    b"pclr",
    b"cmap",
    b"cdef",
    b"res ",
    b"resc",
    b"resd",
)


@dataclass
class Boxes:
    """What a JPEG 2000 says of itself.

    Attributes
    ----------
    bits : tuple of int
        Of a sample, for each component.
    signed : bool
        Whether any of them is.
    icc, exif, xmp, iptc : bytes, optional
        As they are in the file.
    space : int
        Enumerated color space (T.800, table I.10): 16 is sRGB, 17 gray, 18 sYCC; 0 where a profile says it.
    dpi : pair of float, optional
        Across and down, as captured or to be displayed.
    lost : tuple of str
        Names of boxes that nobody here knows.
    """

    bits: tuple[int, ...] = ()
    signed: bool = False
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    space: int = 0
    dpi: tuple[float, float] | None = None
    lost: tuple[str, ...] = ()


def said_by(file: BinaryIO) -> Boxes:
    """What a file (or a bare code stream) says."""
    found = Boxes()
    length = file.seek(0, 2)
    file.seek(0)
    if file.read(4) == CODE_SIGNATURE:
        _take_code(found, file, 0)
        return found
    for name, start, size in boxes(file, 0, length):
        if name == b"jp2c":
            if not found.bits:
                _take_code(found, file, start)
            continue
        file.seek(start)
        _take_box(found, name, file.read(min(size, _MOST_BYTES)))
    return found


def boxes(file: BinaryIO, at: int, end: int, *, whole: bool = True) -> Iterator[tuple[bytes, int, int]]:
    """Name, position and size of the content of each box, those within the header's boxes too.

    Parameters
    ----------
    file : BinaryIO
        Holds the boxes from `at` to `end`.
    whole : bool
        Leave out a last one that does not end there.
    """
    while at + 8 <= end:
        file.seek(at)
        size, name = struct.unpack(">L4s", file.read(8))
        head = 8
        if size == 1:
            size, head = struct.unpack(">Q", file.read(8).rjust(8, b"\0"))[0], 16
        size = size or end - at
        if size < head or (whole and at + size > end):
            return
        if name in _SUPER:
            yield from boxes(file, at + head, at + size, whole=whole)
        else:
            yield name, at + head, size - head
        at += size


def _take_code(found: Boxes, file: BinaryIO, start: int) -> None:
    """The components of the code's marker SIZ (T.800, A.5.1)."""
    file.seek(start + 40)
    (count,) = struct.unpack(">H", file.read(2).rjust(2, b"\0"))
    depths = file.read(3 * min(count, 16))[::3]
    found.bits = tuple((depth & 0x7F) + 1 for depth in depths)
    found.signed = any(depth & 0x80 for depth in depths)


def _take_box(found: Boxes, name: bytes, data: bytes) -> None:
    if name == b"colr" and len(data) > 3 and not (found.icc or found.space):  # the first one counts
        if data[0] == 1 and len(data) >= 7:
            (found.space,) = struct.unpack_from(">L", data, 3)
        elif data[0] in (2, 3):
            found.icc = data[3:]
    elif name in (b"resc", b"resd") and len(data) == 10:
        down_above, down_below, across_above, across_below, down, across = struct.unpack(">4H2b", data)
        if down_below and across_below:
            per_meter = across_above / across_below * 10.0**across, down_above / down_below * 10.0**down
            found.dpi = per_meter[0] * 0.0254, per_meter[1] * 0.0254
    elif name == b"uuid":
        _take_uuid(found, data[:16], data[16:])
    elif name == b"xml ":
        found.lost += ("XML box",)
    elif name not in _KNOWN:
        found.lost += (f"box {name.decode('latin-1').strip()}",)


def _take_uuid(found: Boxes, uuid: bytes, data: bytes) -> None:
    if uuid == _XMP:
        found.xmp = data
    elif uuid == _EXIF:
        found.exif = data
    elif uuid == _IPTC:
        found.iptc = data
    else:
        found.lost += ("uuid box",)
