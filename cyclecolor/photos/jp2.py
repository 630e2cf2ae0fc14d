"""JPEG 2000 (ITU-T T.800, annex I): what the boxes around its code say."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from .guard import Refused

BOX_SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"
CODE_SIGNATURE = b"\xff\x4f\xff\x51"

ALPHA, MULTIPLIED = 1, 2
"""Types of channels, beside color: alpha, and alpha that colors are multiplied by."""

_COLOR = 0
SRGB, _GRAY = 16, 17
_SPACES = (0, 12, SRGB, _GRAY, 18)  # as the profile says, CMYK, sRGB, gray, sYCC
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
    channels : tuple of (int, int, int)
        Of each its number, its type (0 color, 1 alpha, 2 alpha that colors are multiplied by), and which
        color it is; none where the file does not say.
    palette : tuple of int
        Bits of a color's parts, where colors come from a table.
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
    channels: tuple[tuple[int, int, int], ...] = ()
    palette: tuple[int, ...] = ()
    lost: tuple[str, ...] = ()

    def refuse_unusual(self) -> None:
        """Refuse pictures that Pillow does not read, or does not read right."""
        if not self.bits:
            raise Refused("truncated", "cut short (its picture is missing); copy or scan it again")
        uniform = not self.signed and len(set(self.bits)) == 1 and self.bits[0] <= 16 and len(self.bits) <= 4
        simple = not self.palette or (self.bits == (8,) and set(self.palette) == {8})
        grays = self.space != _GRAY or len(self.bits) < 3
        if not (uniform and simple and grays and self.space in _SPACES):
            text = "this kind of JPEG 2000 is not supported; save it as TIFF in another program"
            raise Refused("unsupported", text)

    @property
    def alpha(self) -> int:
        """The type of the channel behind the colors: alpha where the file does not say.

        Raises
        ------
        Refused
            Colors are not in order, or not in front.
        """
        ordered = sorted(self.channels)
        colors = [channel for channel in ordered if channel[1] == _COLOR]
        kinds = [kind for _, kind, _ in ordered[len(colors) :]]
        if colors != ordered[: len(colors)] or any(which not in (0, n + 1) for n, _, which in colors):
            raise Refused("unsupported", "channels out of order are not supported; save it as TIFF")
        return kinds[0] if kinds else ALPHA


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
            if found.bits:
                found.lost += ("further pictures in the file",)
            else:
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
    elif name == b"cdef" and len(data) >= 2:
        numbers = struct.unpack(f">{(len(data) - 2) // 6 * 3}H", data[2 : 2 + (len(data) - 2) // 6 * 6])
        found.channels = tuple(zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True))
    elif name == b"pclr":
        found.palette = tuple((depth & 0x7F) + 1 for depth in data[3 : 3 + data[2]])
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
