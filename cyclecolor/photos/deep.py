"""The 16-bit pictures that Pillow has no mode for: RGB, RGBA and gray with alpha, in PNG and TIFF.

Pillow reads them, but keeps the high bytes only.  So it stays the judge of what is sound, OpenCV
reads the same bytes again, and what OpenCV says is believed where its high bytes are the ones that
Pillow saw.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import accumulate
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image, TiffImagePlugin, TiffTags

from cyclecolor.photos.exif import descriptive_tags, upright
from cyclecolor.photos.photo import Metadata
from cyclecolor.photos.provenance import packet

SUBFILE_TYPE = 254  # TIFF 6.0, section 8
_STRIP_BYTES = 1 << 20
_BAND_ROWS = 64


def is_deep(image: Image.Image, raw_mode: str) -> bool:
    """Whether Pillow would cut `image`, whose file stores `raw_mode`, from 16 bits down to 8."""
    return ";16" in raw_mode and image.mode in ("RGB", "RGBA") and image.format in ("PNG", "TIFF")


def read_deep(file: BinaryIO, image: Image.Image, turn: int) -> np.ndarray | None:
    """Read `file` again at 16 bits.

    Parameters
    ----------
    image
        The same file as loaded by Pillow, mode RGB or RGBA.
    turn
        Orientation, 1 to 8, that Pillow applied by itself while loading (it does for TIFF).

    Returns
    -------
    (H, W, 3 or 4) uint16: the channels of `image`, then alpha where a PNG keys a color as
    transparent.  None where the two readers disagree.
    """
    file.seek(0)
    page = image.tell()
    found, pages = cv2.imdecodemulti(
        np.frombuffer(file.read(), np.uint8), cv2.IMREAD_UNCHANGED, range=(page, page + 1)
    )
    decoded = pages[0] if found and len(pages) == 1 else None
    if decoded is None or decoded.dtype != np.uint16 or decoded.ndim != 3 or decoded.shape[2] < 3:
        return None
    for band in _bands(decoded):  # in place: a scan's copy is a gigabyte
        band[..., :3] = band[..., 2::-1].copy()
    # OpenCV 5 turns TIFFs upright too, OpenCV 4 did not.
    candidates = (upright(decoded, by) for by in sorted({1, turn}))
    return next((deep for deep in candidates if _high_bytes_match(deep, image)), None)


def _bands(pixels: np.ndarray) -> Iterator[np.ndarray]:
    return (pixels[row : row + _BAND_ROWS] for row in range(0, len(pixels), _BAND_ROWS))


def _high_bytes_match(deep: np.ndarray, image: Image.Image) -> bool:
    channels = len(image.getbands())
    if deep.shape[:2] != image.size[::-1] or deep.shape[2] < channels:
        return False
    for number, band in enumerate(_bands(deep)):
        top = number * _BAND_ROWS
        seen = np.asarray(image.crop((0, top, image.width, top + len(band))))
        if not np.array_equal(band[..., :channels] >> 8, seen):
            return False
    return True


def encode_png16(samples: np.ndarray, metadata: Metadata, icc: bytes) -> bytes:
    """Encode (H, W, 1 to 4) uint16 as PNG: gray, gray and alpha, RGB or RGBA, 16 bits each."""
    height, width, channels = samples.shape
    color_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    chunks = [_chunk(b"IHDR", struct.pack(">2L5B", width, height, 16, color_type, 0, 0, 0))]
    chunks.append(_chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(icc)))
    if metadata.dpi:
        per_meter = (round(value / 0.0254) for value in metadata.dpi)
        chunks.append(_chunk(b"pHYs", struct.pack(">2LB", *per_meter, 1)))
    if metadata.exif:
        chunks.append(_chunk(b"eXIf", metadata.exif.removeprefix(b"Exif\0\0")))
    if xmp := packet(metadata):
        chunks.append(_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp))
    chunks.append(_chunk(b"IDAT", _deflated_rows(samples)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">L", len(data)) + name + data + struct.pack(">L", zlib.crc32(name + data))


def _deflated_rows(samples: np.ndarray) -> bytes:
    """Every row as its difference to the row above (PNG's filter 2), wrapping as bytes do."""
    packer = zlib.compressobj(4)  # 16-bit noise does not compress: higher levels only cost time
    above = np.zeros((1, samples[0].size * 2), np.uint8)
    parts = []
    step = max(1, _STRIP_BYTES // above.size)
    for row in range(0, len(samples), step):
        band = samples[row : row + step].astype(">u2").view(np.uint8).reshape(-1, above.size)
        filtered = band - np.concatenate([above, band[:-1]])
        parts.append(packer.compress(np.insert(filtered, 0, 2, axis=1).tobytes()))
        above = band[-1:]
    return b"".join([*parts, packer.flush()])


def encode_tiff(pages: Iterable[tuple[np.ndarray, Metadata, bytes]]) -> bytearray:
    """Encode pages as a little-endian TIFF, deflated without loss.

    Parameters
    ----------
    pages
        Of each page its (H, W, 1 to 4) uint8 or uint16 samples, gray or RGB, alpha last; its metadata;
        and its ICC profile.
    """
    data = bytearray(b"II*\0" + struct.pack("<L", 8))
    link = 4  # where the position of the next directory goes
    for number, (samples, metadata, icc) in enumerate(pages):
        data += bytes(len(data) % 2)
        start = len(data)
        struct.pack_into("<L", data, link, start)
        strips = _tiff_strips(samples)
        directory = _tiff_directory(samples, metadata, icc, strips, number, start)
        data += directory
        link = start + 2 + 12 * struct.unpack_from("<H", directory)[0]
        for strip in strips:
            data += strip
        del samples, strips
    return data


def _tiff_directory(
    samples: np.ndarray, metadata: Metadata, icc: bytes, strips: list[bytes], number: int, start: int
) -> bytes:
    height, width, channels = samples.shape
    tags = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II")
    tags[TiffImagePlugin.IMAGEWIDTH] = width
    tags[TiffImagePlugin.IMAGELENGTH] = height
    tags[TiffImagePlugin.BITSPERSAMPLE] = (8 * samples.itemsize,) * channels
    tags[TiffImagePlugin.COMPRESSION] = 8  # Adobe deflate
    tags[TiffImagePlugin.PHOTOMETRIC_INTERPRETATION] = 1 if channels < 3 else 2
    tags[TiffImagePlugin.SAMPLESPERPIXEL] = channels
    tags[TiffImagePlugin.ROWSPERSTRIP] = _rows_per_strip(samples)
    tags[TiffImagePlugin.PREDICTOR] = 2
    tags[TiffImagePlugin.PLANAR_CONFIGURATION] = 1
    if channels in (2, 4):
        tags[TiffImagePlugin.EXTRASAMPLES] = 2  # alpha, not multiplied in
    if number:
        tags[SUBFILE_TYPE] = 2  # one page of several
    tags[TiffImagePlugin.ICCPROFILE] = icc
    sizes = [len(strip) for strip in strips]
    tags.tagtype[TiffImagePlugin.STRIPBYTECOUNTS] = TiffTags.LONG
    tags[TiffImagePlugin.STRIPBYTECOUNTS] = tuple(sizes)
    # Counted from the directory's end; Pillow adds where that is.
    tags[TiffImagePlugin.STRIPOFFSETS] = tuple(accumulate(sizes[:-1], initial=0))
    try:
        _describe(tags, metadata)
        return tags.tobytes(start)
    except Exception:
        if metadata.exif is None:
            raise
        # Cameras write tags that no encoder takes.
        bare = replace(metadata, exif=None)
        return _tiff_directory(samples, bare, icc, strips, number, start)


def _rows_per_strip(samples: np.ndarray) -> int:
    return max(1, _STRIP_BYTES // samples[0].nbytes)


def _tiff_strips(samples: np.ndarray) -> list[bytes]:
    rows = _rows_per_strip(samples)
    return [_tiff_strip(samples[row : row + rows]) for row in range(0, len(samples), rows)]


def _tiff_strip(band: np.ndarray) -> bytes:
    """Every sample as its difference to its left neighbor (TIFF's predictor 2), deflated."""
    difference = band.copy()
    difference[:, 1:] -= band[:, :-1]
    return zlib.compress(difference.astype(difference.dtype.newbyteorder("<")).tobytes(), 4)


def _describe(tags: TiffImagePlugin.ImageFileDirectory_v2, metadata: Metadata) -> None:
    if metadata.dpi:
        tags[TiffImagePlugin.RESOLUTION_UNIT] = 2  # inch
        tags[TiffImagePlugin.X_RESOLUTION], tags[TiffImagePlugin.Y_RESOLUTION] = metadata.dpi
    if xmp := packet(metadata):
        tags[TiffImagePlugin.XMP] = xmp
    if metadata.exif:
        exif = Image.Exif()
        exif.load(metadata.exif)
        for tag, value in descriptive_tags(exif).items():
            # Pillow reads text as Latin-1 but writes ASCII: bytes keep UTF-8 as it was.
            tags[tag] = value.encode("latin-1") if isinstance(value, str) else value
