"""The segments of a JPEG (ITU-T T.81, annex B): what is said before its picture, and if that is whole."""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from PIL import JpegImagePlugin

SOI, EOI, SOS, COMMENT = 0xD8, 0xD9, 0xDA, 0xFE
APP1, APP2, APP13 = 0xE1, 0xE2, 0xED
END = b"\xff\xd9"

_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_LOSSLESS = (0xC3, 0xC7, 0xCB, 0xCF)
_LS = 0xF7  # ITU-T T.87, a process of its own
# Bits of every kind: whoever decodes on into these sees noise.
_TAILS = [
    np.random.default_rng(seed).integers(0, 255, 4096, np.uint8).tobytes() for seed in (1, 2)
]  # no markers


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

    A decoder that has all that it needs does not look at what follows. So two tails of noise behind a picture
    that is whole change nothing, behind one that is cut short they do.
    """
    body = content.rstrip(b"\xff")
    try:
        if not _all_scans(content):
            return None
        pictures = [_decoded(body + tail + END) for tail in (*_TAILS, b"")]
    except Exception:
        return None
    whole = all(np.array_equal(pictures[0], other) for other in pictures[1:])
    return body + END if whole else None


def _decoded(content: bytes) -> np.ndarray:
    return np.asarray(JpegImagePlugin.JpegImageFile(io.BytesIO(content), ""))


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
    at = 2
    while (at := content.find(b"\xff", at)) >= 0 and at + 4 <= len(content):
        marker = content[at + 1]
        if marker in (0x00, 0xFF, *range(0xD0, 0xD9)):
            at += 1 if marker == 0xFF else 2
            continue
        if marker == EOI:
            return
        (size,) = struct.unpack_from(">H", content, at + 2)
        yield marker, content[at + 4 : at + 2 + size]
        at += 2 + size


def segment(marker: int, content: bytes) -> bytes:
    """As it stands in a file."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content
