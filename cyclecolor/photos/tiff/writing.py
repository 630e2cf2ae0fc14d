"""TIFF as it is written: little-endian, deflated without loss, one directory a page."""

import struct
import zlib
from collections.abc import Iterable
from contextlib import suppress
from itertools import accumulate

import numpy as np

from .. import exif
from ..photo import Metadata
from ..provenance import packet
from .directory import Tag
from .fields import Field, descriptive, numbers, packed

_BYTE, _SHORT, _LONG, _RATIONAL, _UNDEFINED = 1, 3, 4, 5, 7
_STRIP_BYTES = 1 << 20
_DEFLATE, _DIFFERENCES = 8, 2
_ONE_OF_SEVERAL = 2  # a page's subfile type
_INCH = 2


def encode_tiff(pages: Iterable[tuple[np.ndarray, Metadata, bytes]]) -> bytearray:
    """Encode pages as a TIFF.

    Parameters
    ----------
    pages : iterable
        Of each page its (H, W, 1 to 4) uint8 or uint16 samples, gray or RGB, alpha last; its metadata;
        and its ICC profile.
    """
    data = bytearray(b"II*\0" + struct.pack("<L", 8))
    link = 4  # where the position of the next directory goes
    for number, (samples, metadata, icc) in enumerate(pages):
        data += bytes(len(data) % 2)
        start = len(data)
        struct.pack_into("<L", data, link, start)
        strips = _strips(samples)
        directory = _directory(samples, metadata, icc, list(map(len, strips)), number, start)
        data += directory
        link = start + 2 + 12 * struct.unpack_from("<H", directory)[0]
        for strip in strips:
            data += strip
        del samples, strips
    return data


def _directory(
    samples: np.ndarray, metadata: Metadata, icc: bytes, sizes: list[int], number: int, start: int
) -> bytes:
    height, width, channels = samples.shape
    fields = [
        numbers(Tag.WIDTH, _LONG, width),
        numbers(Tag.HEIGHT, _LONG, height),
        numbers(Tag.BITS, _SHORT, *[8 * samples.itemsize] * channels),
        numbers(Tag.COMPRESSION, _SHORT, _DEFLATE),
        numbers(Tag.PHOTOMETRIC, _SHORT, 1 if channels < 3 else 2),
        numbers(Tag.SAMPLES, _SHORT, channels),
        numbers(Tag.ROWS_PER_STRIP, _LONG, _rows_per_strip(samples)),
        numbers(Tag.STRIP_BYTES, _LONG, *sizes),
        numbers(Tag.PLANAR, _SHORT, 1),
        numbers(Tag.PREDICTOR, _SHORT, _DIFFERENCES),
        Field(Tag.ICC, _UNDEFINED, icc),
        *_metadata_fields(metadata),
    ]
    if channels in (2, 4):
        fields.append(numbers(Tag.EXTRA_SAMPLES, _SHORT, 2))  # alpha, not multiplied in
    if number:
        fields.append(numbers(Tag.SUBFILE_TYPE, _LONG, _ONE_OF_SEVERAL))
    # The strips follow; how long the directory is does not depend on where they are.
    end = start + len(packed([*fields, numbers(Tag.STRIP_OFFSETS, _LONG, *sizes)], start))
    offsets = accumulate(sizes[:-1], initial=end)
    return packed([*fields, numbers(Tag.STRIP_OFFSETS, _LONG, *offsets)], start)


def _metadata_fields(metadata: Metadata) -> list[Field]:
    fields: list[Field] = []
    if metadata.exif:
        with suppress(ValueError, struct.error):  # from a caller: those of files are sound by now
            fields += descriptive(exif.opened(metadata.exif))[0]
    if metadata.dpi:
        fields.append(numbers(Tag.RESOLUTION_UNIT, _SHORT, _INCH))
        for tag, value in zip((Tag.X_RESOLUTION, Tag.Y_RESOLUTION), metadata.dpi, strict=True):
            fields.append(numbers(tag, _RATIONAL, round(value * 10_000), 10_000))
    if xmp := packet(metadata):
        fields.append(Field(Tag.XMP, _BYTE, xmp))
    if metadata.iptc:
        fields.append(Field(Tag.IPTC, _UNDEFINED, metadata.iptc))
    return fields


def _rows_per_strip(samples: np.ndarray) -> int:
    return max(1, _STRIP_BYTES // samples[0].nbytes)


def _strips(samples: np.ndarray) -> list[bytes]:
    rows = _rows_per_strip(samples)
    return [_strip(samples[row : row + rows]) for row in range(0, len(samples), rows)]


def _strip(band: np.ndarray) -> bytes:
    """Every sample as its difference to its left neighbor (predictor 2), deflated."""
    difference = band.copy()
    difference[:, 1:] -= band[:, :-1]
    return zlib.compress(difference.astype(difference.dtype.newbyteorder("<")).tobytes(), 4)
