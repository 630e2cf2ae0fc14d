"""The segments of a JPEG (ITU-T T.81, annex B): what is said before its picture, and if that is whole."""

import io
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from PIL import Image, JpegImagePlugin

SOI, EOI, SOS, COMMENT = 0xD8, 0xD9, 0xDA, 0xFE
APP1, APP2, APP13 = 0xE1, 0xE2, 0xED
END = b"\xff\xd9"

_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_LOSSLESS = (0xC3, 0xC7, 0xCB, 0xCF)
_PROGRESSIVE = 0xC2
_LS = 0xF7  # ITU-T T.87, a process of its own
# Coded data ends at a marker; FF 00 is a byte of it, FF D0 to D7 are restarts within, FF FF is filling.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_MANY_ZEROS = 64
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
# Bits of every kind, no markers: whoever decodes on into these sees noise. Where one has a 0, another has a
# 1, so that no bit can be missing unnoticed; two pairs, as what both of one begin with may mean nothing.
_BYTES = np.random.default_rng(1).integers(1, 255, (2, 4096), np.uint8)
_NOISE = [noise.tobytes() for noise in (*_BYTES, *~_BYTES)]


def segments(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Markers and contents up to the first scan, as far as they are sound."""
    file.seek(2)
    while file.read(1) == b"\xff":
        marker = file.read(1)
        while marker == b"\xff":
            marker = file.read(1)
        size = file.read(2)
        if not marker or marker[0] in (SOS, EOI, SOI) or len(size) < 2:
            return
        yield marker[0], file.read(max(0, struct.unpack(">H", size)[0] - 2))


@dataclass(frozen=True)
class Frame:
    """The size of a picture, how many components it has, of how many bits; and the marker of its process."""

    bits: int
    height: int
    width: int
    components: int
    process: int

    @property
    def is_ls(self) -> bool:
        """Whether it is JPEG-LS."""
        return self.process == _LS

    @property
    def is_usual(self) -> bool:
        """Whether libjpeg, as Pillow has it, decodes such pictures."""
        return self.bits == 8 and self.process not in (_LS, *_LOSSLESS)


def frame(file: BinaryIO) -> Frame | None:
    """Of a JPEG; None where none is found."""
    for marker, content in segments(file):
        if marker in (_LS, *_FRAMES) and len(content) >= 6:
            bits, height, width, components = struct.unpack_from(">BHHB", content)
            return Frame(bits, height, width, components, marker)
    return None


def without_end(content: bytes) -> bytes | None:
    """`content`, a JPEG whose picture is all there, with the end marker that it lacks; None of any other.

    A decoder that has all that it needs does not look at what follows. So tails of noise behind a picture
    that is whole change nothing, behind one that is cut short they do.
    """
    body = content.rstrip(b"\xff")
    try:
        if not _all_scans(content):
            return None
        pictures = [_decoded(body + tail + END) for tail in (*_tails(body), b"")]
    except Exception:
        return None
    whole = all(np.array_equal(pictures[0], other) for other in pictures[1:])
    return body + END if whole else None


def is_cut_short(image: Image.Image, file: BinaryIO, draft: tuple[int, int] | None = None) -> bool:
    """Whether rows or scans are missing of a JPEG that libjpeg decoded without a complaint.

    Where coded data end too early at a marker, it goes on with flat blocks. Where a download broke off, and
    the rest of its file is zeros, it takes these for data.

    Where no more than the last few bytes are missing, so that the last block shows something, and something
    wrong, nothing is noticed: to tell, every JPEG would have to be decoded twice.

    Parameters
    ----------
    image : PIL image
        The picture, decoded.
    draft : pair of int, optional
        As asked of `image`.
    """
    if not (_ends_flat(image, frame(file)) or _ends_in_zeros(file) or _has_several_scans(file)):
        return False
    file.seek(0)
    content = file.read()
    end = _end_of_scans(content)
    data, picture = content[:end].rstrip(b"\xff"), np.asarray(image)
    before = data.rstrip(b"\0")
    before += b"\0" * before.endswith(b"\xff")  # the zero that keeps it from being a marker
    zeros = len(data) - len(before)

    def same(part: bytes) -> bool:
        return np.array_equal(picture, _decoded(part + _tails(part)[0] + END, draft))

    # Zeros that stand for flat blocks are needed to the last.
    filled = zeros >= _MANY_ZEROS and same(data[:-8]) and not same(before)
    return filled or not _all_scans(data) or not same(data)


def has_end(file: BinaryIO) -> bool:
    """Whether the marker of the end is there, which libjpeg does not always ask for."""
    if _ends_in_marker(file):
        return True
    file.seek(0)
    content = file.read()
    end = _end_of_scans(content)
    return content[end : end + 2] == END


def has_more_behind(file: BinaryIO) -> bool:
    """Whether something follows the picture that is none: a video, notes of its maker."""
    return not _ends_in_marker(file) and not _ends_in_zeros(file) and has_end(file)


def _ends_in_marker(file: BinaryIO) -> bool:
    size = file.seek(0, 2)
    file.seek(max(0, size - len(END)))
    return file.read() == END


def _ends_flat(image: Image.Image, said: Frame | None) -> bool:
    """Whether the last block (of a small copy, at least two pixels) has one color."""
    block = max(1, 8 * image.width // said.width if said and said.width else 8)
    top = (image.height - 1) // block * block
    left = min((image.width - 1) // block * block, max(0, image.width - 2))
    ranges = image.crop((left, top, *image.size)).getextrema()
    return all(low == high for low, high in (ranges if isinstance(ranges[0], tuple) else [ranges]))


def _ends_in_zeros(file: BinaryIO) -> bool:
    size = file.seek(0, 2)
    file.seek(max(0, size - _MANY_ZEROS - len(END)))
    return not any(file.read().removesuffix(END))


def _has_several_scans(file: BinaryIO) -> bool:
    """Whether the first scan does not bring all, as in progressive JPEGs."""
    frames = [content for marker, content in segments(file) if marker in _FRAMES]
    count = file.read(1)  # the first scan begins with that of its components
    progressive = frame(file)
    is_progressive = progressive is not None and progressive.process == _PROGRESSIVE
    return bool(frames) and (count != frames[0][5:6] or is_progressive)


def _end_of_scans(content: bytes) -> int:
    """Where the coded data of the last scan end."""
    end = len(content)
    for marker, _, start in _placed_segments(content):
        if marker == SOS:
            found = _MARKER.search(content, start)
            end = found.start() if found else len(content)
    return end


def _tails(data: bytes) -> list[bytes]:
    """Noise that goes on where `data` end: at once, and in the restart interval that would come next."""
    numbers = [found.group()[1] for found in _RESTART.finditer(data)]
    following = 0xD0 | (numbers[-1] + 1 & 7 if numbers else 0)
    return [noise + bytes([0xFF, following]) + noise for noise in _NOISE]


def _decoded(content: bytes, draft: tuple[int, int] | None = None) -> np.ndarray:
    image = JpegImagePlugin.JpegImageFile(io.BytesIO(content), "")
    if draft is not None:
        image.draft(None, draft)
    return np.asarray(image)


def _all_scans(content: bytes) -> bool:
    """Whether its scans bring every coefficient of every component to its last bit."""
    file = io.BytesIO(content)
    described = frame(file)
    if described is None:
        return False
    missing = set(range(64 * described.components))
    names: list[int] = []
    for marker, body in _all_segments(content):
        if marker in _FRAMES:
            names = [body[6 + 3 * n] for n in range(body[5])]
        if marker == SOS:
            count = body[0]
            first, last, precision = body[1 + 2 * count : 4 + 2 * count]
            for component in body[1 : 1 + 2 * count : 2]:
                if precision & 15 == 0 and component in names:
                    number = names.index(component)
                    missing -= set(range(64 * number + first, 64 * number + last + 1))
    return not missing


def _all_segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Markers with contents up to the end, coded data passed over."""
    return ((marker, body) for marker, body, _ in _placed_segments(content))


def _placed_segments(content: bytes) -> Iterator[tuple[int, bytes, int]]:
    """The same, and where what is behind each begins."""
    at = 2
    while (found := _MARKER.search(content, at)) and found.end() + 2 <= len(content):
        marker, at = content[found.end() - 1], found.end()
        if marker == EOI:
            return
        (size,) = struct.unpack_from(">H", content, at)
        yield marker, content[at + 2 : at + size], at + size
        at += size


def segment(marker: int, content: bytes) -> bytes:
    """As it stands in a file."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content
