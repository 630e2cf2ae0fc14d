"""The 16-bit pictures that Pillow has no mode for: RGB, RGBA and gray with alpha, in PNG, JPEG 2000 and PPM.

Pillow reads them, but keeps the high bytes only. Of PNG it can be made to read the low ones too. Of JPEG 2000
it stays the judge of what is sound, another decoder reads the same bytes again, and what that one says is
believed where its high bytes are the ones that Pillow saw.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image, ImageFile, PngImagePlugin
from PIL.PpmImagePlugin import PpmImageFile

from .extras import INSTALL, archive, installed
from .guard import Refused

_BAND_ROWS = 64
_COMMENT = re.compile(rb"#[^\r\n]*")
# Modes of PNG, and those in which Pillow takes the other byte of a sample; of gray with alpha, all four of a
# pixel.
_LOW_BYTES = {"RGB;16B": "RGB;16L", "RGBA;16B": "RGBA;16L", "LA;16B": "RGBA"}
_NOT_HERE = "its bits cannot all be read here; save it as TIFF in another program"


def read_png16(file: BinaryIO, image: Image.Image, raw_mode: str) -> np.ndarray:
    """Read a PNG of 16 bits again, for the low bytes: (H, W, 2 to 4) uint16.

    Parameters
    ----------
    image : PIL image
        The same file, loaded by Pillow.
    raw_mode : str
        How it stores its samples: a key of `_LOW_BYTES`.

    Raises
    ------
    Refused
        `image` is not the first of several frames.
    """
    if image.tell():
        raise Refused("unsupported", _NOT_HERE)
    file.seek(0)
    again = PngImagePlugin.PngImageFile(file, "")
    again.tile = [tile._replace(args=_LOW_BYTES[raw_mode]) for tile in again.tile]
    channels = 2 if raw_mode.startswith("LA") else len(image.getbands())
    deep = np.empty((image.height, image.width, channels), np.uint16)
    for number, band in enumerate(_bands(deep)):
        top = number * _BAND_ROWS
        high, low = (np.asarray(i.crop((0, top, i.width, top + len(band)))) for i in (image, again))
        band[:] = low.view(">u2") if channels == 2 else high.astype(np.uint16) << 8 | low
    return deep


def read_deep(file: BinaryIO, image: Image.Image, bits: int, *, opencv: bool) -> np.ndarray:
    """Read a JPEG 2000 again with all its bits.

    Parameters
    ----------
    image : PIL image
        The same file, loaded by Pillow, mode RGB, RGBA or LA.
    bits : int
        Of a sample, 9 to 16.
    opencv : bool
        Whether OpenCV may try: of what does not say sRGB it complains on the standard error.

    Returns
    -------
    (H, W, 2 to 4) uint16: the channels of `image`.

    Raises
    ------
    Refused
        No decoder here reads the same picture.
    """
    file.seek(0)
    content = file.read()
    for deep in _decoded(content, opencv):
        if (
            deep is not None
            and deep.dtype == np.uint16
            and deep.ndim == 3
            and _high_bytes_match(deep, image, bits)
        ):
            return deep
    text = _NOT_HERE
    if not installed("imagecodecs"):
        text += f", or {INSTALL} brings another decoder"
    raise Refused("unsupported", text)


def read_ppm16(file: BinaryIO, image: PpmImageFile) -> np.ndarray | None:
    """(H, W, 3) uint16 of a color PPM with more than 8 bits, not loaded yet; None of any other."""
    assert isinstance(image, ImageFile.ImageFile)  # of a PPM
    decoder, _, start, arguments = image.tile[0]
    top = arguments[1] if isinstance(arguments, tuple) and len(arguments) > 1 else 0
    plain = decoder == "ppm_plain"
    if not (plain or decoder == "ppm") or image.mode != "RGB" or not isinstance(top, int) or top <= 255:
        return None
    file.seek(start)
    size = image.height * image.width * 3
    if plain:
        samples = np.array([int(word) for word in _COMMENT.sub(b"", file.read()).split()[:size]], np.uint16)
    else:
        samples = np.frombuffer(file.read(2 * size), ">u2")
    if samples.size < size:
        raise Refused("truncated", "cut short (rows are missing); copy or scan it again")
    scaled = np.minimum(np.rint(np.arange(65536) * (65535 / top)), 65535).astype(np.uint16)
    return scaled[samples].reshape(image.height, image.width, 3)


def _decoded(content: bytes, opencv: bool) -> Iterator[np.ndarray | None]:
    """What other decoders make of it, one after the other."""
    if opencv:
        yield _opencvs(content)
    if installed("imagecodecs"):
        yield archive("imagecodecs", "this picture").jpeg2k_decode(content)


def _opencvs(content: bytes) -> np.ndarray | None:
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.ndim != 3 or decoded.shape[2] < 3:
        return None
    for band in _bands(decoded):  # in place: a scan's copy is a gigabyte
        band[..., :3] = band[..., 2::-1].copy()
    return decoded


def _bands(pixels: np.ndarray) -> Iterator[np.ndarray]:
    return (pixels[row : row + _BAND_ROWS] for row in range(0, len(pixels), _BAND_ROWS))


def _high_bytes_match(deep: np.ndarray, image: Image.Image, bits: int) -> bool:
    """Whether Pillow saw the same; it rounds, and 255.5 and more comes out as 0."""
    half = 1 << (bits - 9)
    channels = len(image.getbands())
    if deep.shape[:2] != image.size[::-1] or deep.shape[2] < channels:
        return False
    for number, band in enumerate(_bands(deep)):
        top = number * _BAND_ROWS
        seen = np.asarray(image.crop((0, top, image.width, top + len(band))))
        expected = (band[..., :channels].astype(np.uint32) + half >> (bits - 8)).astype(np.uint8)
        if not np.array_equal(expected, seen):
            return False
    return True
