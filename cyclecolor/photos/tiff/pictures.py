"""Compressions of TIFF that code pictures: each strip or tile is a JPEG, a JPEG 2000, a WebP of its own."""

import io
import struct
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, TiffImagePlugin

from .. import jp2, jpeg
from ..deep import read_deep
from ..guard import Refused
from .directory import Directory, Tag

if TYPE_CHECKING:
    from .samples import Storage

PICTURES = {
    7: "JPEG",
    33003: "JPEG2000",
    33004: "JPEG2000",
    33005: "JPEG2000",
    34712: "JPEG2000",
    50001: "WEBP",
}
"""Pillow's name of the format, by the number of the compression."""

COME_AS_RGB = (7, 33003, 50001)
"""Compressions whose pictures come as RGB where the page says YCbCr."""

_RGB, _YCBCR = 2, 6  # photometric interpretations
_APERIO_YCBCR = 33003
_APPS = range(0xE0, 0xF0)  # markers of JFIF, Adobe and others
_APP14 = 0xEE


def picture(page: Directory, storage: "Storage", data: bytes) -> np.ndarray:
    """(rows, columns, samples that lie together) of a segment; 8 bits, or 16 of JPEG 2000 in gray.

    Raises
    ------
    Refused
        The picture has another size, depth or number of samples than its page declares.
    """
    kind = PICTURES[storage.compression]
    if storage.format != "u" or storage.bits not in (8, 16) or storage.predictor != 1:
        raise Refused("unsupported", f"{storage.bits}-bit {kind} in TIFF is not supported; save it anew")
    if kind == "JPEG":
        data = _whole_jpeg(data, page.raw(Tag.JPEG_TABLES), page.number(Tag.PHOTOMETRIC, 1))
    if kind == "JPEG2000":
        bits = jp2.said_by(io.BytesIO(data)).bits
        if bits and (set(bits) != {storage.bits} or len(bits) > 4):
            text = (
                f"JPEG 2000 of {len(bits)} samples of {max(bits)} bits in TIFF is not supported; save it anew"
            )
            raise Refused("unsupported", text)
    Image.init()
    image = Image.OPEN[kind][0](io.BytesIO(data), "")
    rows, columns = image.height, image.width
    # A strip's last rows may be missing, and tiles are whole; what is larger would be a bomb.
    if columns != storage.columns or rows > storage.rows:
        raise Refused("broken", "damaged (a strip or tile of another size); copy or scan it again")
    deep = storage.bits == 16 and image.mode in ("LA", "RGB", "RGBA")
    samples = read_deep(io.BytesIO(data), image, 16, opencv=False) if deep else np.asarray(image)
    samples = samples[..., None] if samples.ndim == 2 else samples
    if samples.shape[2] != storage.together or samples.dtype != storage.dtype:
        raise Refused(
            "unsupported",
            f"{kind} of {8 * samples.itemsize} bits and {samples.shape[2]} samples in a TIFF that says "
            f"{storage.bits} bits and {storage.together}: not supported; save it anew in another program",
        )
    if kind == "JPEG" and image.mode == "CMYK":
        return ~samples  # Pillow turns it over, as Photoshop's JPEGs want; those in TIFF are as they say
    if storage.compression == _APERIO_YCBCR:
        return np.asarray(Image.fromarray(samples, "YCbCr").convert("RGB"))
    return samples


def _whole_jpeg(data: bytes, tables: bytes, photometric: int) -> bytes:
    """A JPEG that stands alone: with the tables that its file keeps apart, and what its colors are.

    Adobe's technical note 2: tables without a picture, a picture without tables, each from SOI to EOI. The
    page says what the colors are; markers of JFIF and Adobe, which libjpeg would believe, go.
    """
    adobe = struct.pack(">5sHHHB", b"Adobe", 100, 0, 0, photometric == _YCBCR)
    head = jpeg.segment(_APP14, adobe) if photometric in (_RGB, _YCBCR) else b""
    for part in (tables, data):
        file = io.BytesIO(part)
        for marker, content in jpeg.segments(file):
            head += b"" if marker in _APPS else jpeg.segment(marker, content)
    scans = data[file.tell() - 4 :]  # from the marker that ended the segments, its size behind it
    return b"\xff\xd8" + head + scans


def fax_rows(page: Directory, storage: "Storage") -> np.ndarray:
    """(height, width, 1) of 0 and 1 of a page coded as fax machines do: by libtiff, through Pillow."""
    if (storage.bits, storage.samples, storage.format) != (1, 1, "u") or storage.tiled:
        raise Refused("unsupported", "fax codes of such pixels are not supported; save it anew")
    offsets, sizes = page.numbers(Tag.STRIP_OFFSETS), page.numbers(Tag.STRIP_BYTES)
    if len(offsets) != len(sizes) or sum(sizes) > 2 * page.length:
        raise Refused("truncated", "cut short (strips are missing); copy or scan it again")
    strips = []
    for offset, size in zip(offsets, sizes, strict=True):
        page.file.seek(int(offset))
        strips.append(page.file.read(int(size)))
    tags = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II")
    tags.update({Tag.WIDTH: storage.width, Tag.HEIGHT: storage.height, Tag.BITS: 1, Tag.SAMPLES: 1})
    tags.update({Tag.COMPRESSION: storage.compression, Tag.PHOTOMETRIC: 1, Tag.ROWS_PER_STRIP: storage.rows})
    for option in (Tag.FILL_ORDER, Tag.FAX3_OPTIONS, Tag.FAX4_OPTIONS):
        if option in page:
            tags[option] = page.number(option, 0)
    tags.tagtype[Tag.STRIP_BYTES] = 4
    tags[Tag.STRIP_BYTES] = tuple(map(len, strips))
    tags[Tag.STRIP_OFFSETS] = tuple(np.cumsum([0, *map(len, strips)])[:-1].tolist())
    content = b"II*\0\x08\0\0\0" + tags.tobytes(8) + b"".join(strips)
    image = TiffImagePlugin.TiffImageFile(io.BytesIO(content), "")
    return np.asarray(image).astype(np.uint8)[..., None]
