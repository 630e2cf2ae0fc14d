"""The 16-bit pictures that Pillow has no mode for: RGB, RGBA and gray with alpha, in PNG, JPEG 2000 and PPM.

Pillow reads them, but keeps the high bytes only. So it stays the judge of what is sound, another decoder
reads the same bytes again, and what that one says is believed where its high bytes are the ones that Pillow
saw.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image, ImageFile
from PIL.PpmImagePlugin import PpmImageFile

from . import png
from .extras import INSTALL, archive, installed
from .guard import Refused

_BAND_ROWS = 64
_COMMENT = re.compile(rb"#[^\r\n]*")


def read_deep(file: BinaryIO, image: Image.Image, bits: int, *, opencv: bool) -> np.ndarray:
    """Read `file` again with all its bits.

    Parameters
    ----------
    image : PIL image
        The same file, loaded by Pillow, mode RGB, RGBA or LA.
    bits : int
        Of a sample, 9 to 16.
    opencv : bool
        Whether OpenCV may try: of JPEG 2000 that does not say sRGB it complains on the standard error.

    Returns
    -------
    (H, W, 2 to 4) uint16: the channels of `image`.

    Raises
    ------
    Refused
        No decoder here reads the same picture.
    """
    if image.format == "PNG":
        content = png.bare(file)
    else:
        file.seek(0)
        content = file.read()
    for deep in _decoded(content, image, opencv):
        if (
            deep is not None
            and deep.dtype == np.uint16
            and deep.ndim == 3
            and _high_bytes_match(deep, image, bits)
        ):
            return deep
    text = "its bits cannot all be read here; save it as TIFF in another program"
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


def _decoded(content: bytes, image: Image.Image, opencv: bool) -> Iterator[np.ndarray | None]:
    """What other decoders make of it, one after the other."""
    if opencv:
        yield _opencvs(content)
    if installed("imagecodecs"):
        codecs = archive("imagecodecs", "this picture")
        yield (codecs.png_decode if image.format == "PNG" else codecs.jpeg2k_decode)(content)


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
    """Whether Pillow saw the same; of JPEG 2000 it rounds, and 255.5 and more comes out as 0."""
    half = 1 << (bits - 9) if image.format == "JPEG2000" else 0
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
