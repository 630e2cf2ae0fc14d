"""JPEG XL (ISO/IEC 18181): written by imagecodecs; read by it and pillow-jxl-plugin, which tells profiles."""

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from PIL import JpegImagePlugin

from . import jp2
from .decoding import decode, interleaved, photo_of
from .extras import archive
from .guard import Refused, check_size
from .metadata import Found
from .photo import Photo
from .provenance import packet
from .samples import narrow

_INSTALL = "pip install 'cyclecolor[jxl]'"
_CODE = b"\xff\x0a"
_RATIOS = (None, (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # ISO/IEC 18181-1, table D.2
_HEAD = 1 << 16  # bytes in which the picture's size must be found
_MOST_BYTES = 1 << 30


def read_jxl(file: BinaryIO, max_pixels: int) -> Photo:
    """Read a JPEG XL: its size is known, and within the limit, before it is decoded."""
    library = archive("pillow_jxl", "JPEG XL", _INSTALL)
    size = _size(file)
    check_size(*size, max_pixels)
    file.seek(0)
    content = file.read(_MOST_BYTES)
    try:
        was_jpeg, info, data, icc, boxes = library.Decoder(num_threads=0)(content)
    except Exception as error:  # the library's words are about its own build
        raise Refused("broken", "damaged (libjxl cannot decode it); copy or scan it again") from error
    if was_jpeg:  # packed without loss: that JPEG, metadata and all
        data = bytes(data)
        return decode(JpegImagePlugin.JpegImageFile(io.BytesIO(data), ""), io.BytesIO(data))
    said = {box.box_type: bytes(box.data) for box in reversed(boxes)}
    exif = said.get(b"Exif")
    if exif and exif[:2] not in (b"II", b"MM"):
        exif = exif[4:]  # where the block begins
    found = Found(exif=exif, xmp=said.get(b"xml "), icc=bytes(icc) if icc else None)
    channels = info.num_channels + info.has_alpha_channel
    samples = _all_bits(content, info.height, info.width, channels)
    shallow = np.frombuffer(data, np.uint8) if len(data) == samples.size else None
    if shallow is not None and np.abs(narrow(samples).astype(int) - shallow.reshape(samples.shape)).max() > 1:
        raise Refused("unsupported", "two decoders see different pictures in it; save it as TIFF")
    return photo_of(samples, found, "JXL")


def _all_bits(content: bytes, height: int, width: int, channels: int) -> np.ndarray:
    """(H, W, C) uint8 or uint16, of full range."""
    samples = archive("imagecodecs", "JPEG XL", _INSTALL).jpegxl_decode(content)
    if samples.dtype in (np.float16, np.float32):
        samples = np.rint(samples.clip(0, 1) * 65535).astype(np.uint16)
    samples = samples[..., None] if samples.ndim == 2 else samples
    if samples.shape != (height, width, channels) or samples.dtype not in (np.uint8, np.uint16):
        raise Refused(
            "unsupported", "an animation, or a kind of JPEG XL that is not supported; save it as TIFF"
        )
    return samples


def _size(file: BinaryIO) -> tuple[int, int]:
    """Width and height out of the head of the code stream."""
    file.seek(0)
    head = file.read(_HEAD)
    if not head.startswith(_CODE):
        head = b"".join(_code(head))
    bits = _bits(head.removeprefix(_CODE))
    if not head.startswith(_CODE):
        raise Refused("broken", "damaged (no picture in its first boxes); copy or scan it again")
    by_eights = _number(bits, 1)
    height = (_number(bits, 5) + 1) * 8 if by_eights else _length(bits)
    ratio = _RATIOS[_number(bits, 3)]
    if ratio:
        return height * ratio[0] // ratio[1], height
    return ((_number(bits, 5) + 1) * 8 if by_eights else _length(bits)), height


def _code(head: bytes) -> Iterator[bytes]:
    """The code stream in boxes: whole, or in parts with a number in front."""
    for name, start, size in jp2.boxes(io.BytesIO(head), 0, len(head), whole=False):
        if name in (b"jxlc", b"jxlp"):
            yield head[start + 4 * (name == b"jxlp") : start + size]


def _bits(data: bytes) -> Iterator[int]:
    return (byte >> place & 1 for byte in data for place in range(8))


def _number(bits: Iterator[int], count: int) -> int:
    """The next bits, the lowest first."""
    return sum(next(bits, 0) << place for place in range(count))


def _length(bits: Iterator[int]) -> int:
    return 1 + _number(bits, (9, 13, 18, 30)[_number(bits, 2)])


def jxl_of(photo: Photo, quality: int) -> bytes:
    """Encode a photo; 16 bits are rounded to 8: the encoder takes more of them for linear light."""
    samples = narrow(interleaved(photo))
    samples = samples[..., 0] if samples.shape[2] == 1 else samples
    codecs = archive("imagecodecs", "JPEG XL")
    content = codecs.jpegxl_encode(samples, quality, effort=5, usecontainer=True)
    exif, xmp = photo.metadata.exif, packet(photo.metadata)
    if exif:
        content += _box(b"Exif", bytes(4) + exif.removeprefix(b"Exif\0\0"))
    return content + (_box(b"xml ", xmp) if xmp else b"")


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">L", len(content) + 8) + name + content
