"""Photographs encoded: one page to the bytes of a JPEG, PNG, WebP, AVIF or BMP."""

import io
import os
from contextlib import suppress
from dataclasses import replace
from typing import Any, BinaryIO

import cv2
import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from . import jpeg, xmp
from .decoding import encode_image, flattened, interleaved
from .icc import GRAY_ICC, SRGB_ICC
from .iptc import PHOTOSHOP, as_resource
from .luma import Luma, joined
from .photo import Metadata, Photo
from .png import encode_png16, metadata_chunks
from .provenance import packet

SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")
"""How many chroma samples JPEG and AVIF keep for each lightness sample: all, half, a quarter."""

_PNG_LEVEL = 4  # half the time of Pillow's 6, for 3% more bytes on a photograph
MOST_IN_SEGMENT = 65_500
"""Bytes of EXIF, IPTC or a comment: a JPEG segment ends at 65,535 with its header."""


def png(photo: Photo) -> bytes:
    """Encode as PNG, with 8 or 16 bits."""
    if photo.pixels.dtype == np.uint16:
        return encode_png16(interleaved(photo), photo.metadata, _profile_for(photo))
    said = PngInfo()
    for name, data in metadata_chunks(photo.metadata):
        said.add(name, data)
    return _saved(photo, encode_image(photo), "PNG", compress_level=_PNG_LEVEL, pnginfo=said)


def tiff_page(photo: Photo) -> tuple[np.ndarray, Metadata, bytes]:
    """Samples, metadata and profile of a page for `encode_tiff`."""
    samples, icc = interleaved(photo), _profile_for(photo)
    if samples.shape[2] == 2:  # few readers, Pillow not among them, know 16-bit gray with alpha
        samples, icc = samples[..., [0, 0, 0, 1]], SRGB_ICC
    return samples, photo.metadata, icc


def jpeg_of(photo: Photo, quality: int, subsampling: str, luma: Luma | None) -> bytes:
    """Encode as JPEG, alpha laid on white; with `luma`, that is carried over as it is."""
    flat = Photo(flattened(photo), None, photo.metadata)
    options = {"quality": quality, "subsampling": subsampling, "extra": _segments(photo.metadata)}
    if photo.metadata.comment:
        options["comment"] = photo.metadata.comment
    if luma is None:
        return _saved(flat, _padded(flat), "JPEG", **options)
    if flat.pixels.shape != (luma.height, luma.width, 3):
        raise ValueError("luma of another size, or a gray photo")
    header = _saved(flat, Image.new("RGB", (8, 8)), "JPEG", **options)
    blue, red = _chroma_planes(flat.pixels, quality, subsampling, luma.progressive)
    return joined(luma, blue, red, header)


def _segments(metadata: Metadata) -> bytes:
    """Those of XMP and IPTC."""
    found = []
    said = packet(metadata)
    if said and metadata.xmp and len(said) > xmp.MOST_IN_SEGMENT:
        extension, said = metadata.xmp, packet(replace(metadata, xmp=xmp.pointing_to(metadata.xmp)))
        found += [(jpeg.APP1, part) for part in xmp.extension_segments(extension)]
    if said:
        found.insert(0, (jpeg.APP1, xmp.SEGMENT + said))
    if metadata.iptc:
        found.append((jpeg.APP13, PHOTOSHOP + as_resource(metadata.iptc)))
    return b"".join(jpeg.segment(marker, content) for marker, content in found)


def _chroma_planes(pixels: np.ndarray, quality: int, subsampling: str, progressive: bool) -> list[bytes]:
    """Gray JPEGs of Cb and Cr of (H, W, 3) uint8, at the size that the subsampling leaves them."""
    down, across = {"4:4:4": (1, 1), "4:2:2": (1, 2), "4:2:0": (2, 2)}[subsampling]
    converted = cv2.cvtColor(_shrunk(_four_bytes(pixels), down, across), cv2.COLOR_RGB2YCrCb)
    files = []
    for channel in (2, 1):
        image = Image.fromarray(cv2.extractChannel(converted, channel))
        files.append(_encoded_jpeg(image, quality=quality, progressive=progressive))
    return files


def _shrunk(pixels: np.ndarray, down: int, across: int) -> np.ndarray:
    """(H, W, 4) by area averaging; of a last odd row or column, that alone."""
    if down == across == 1:
        return pixels
    height, width = pixels.shape[:2]
    if height % down or width % across:
        pixels = cv2.copyMakeBorder(pixels, 0, height % down, 0, width % across, cv2.BORDER_REPLICATE)
    size = pixels.shape[1] // across, pixels.shape[0] // down
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def _padded(photo: Photo) -> Image.Image:
    """`encode_image`, but 8-bit RGB as Pillow keeps it, four bytes a pixel: a quarter of the time."""
    if photo.pixels.shape[2] == 1:
        return encode_image(photo)
    height, width = photo.pixels.shape[:2]
    return Image.frombuffer("RGBX", (width, height), _four_bytes(photo.pixels), "raw", "RGBX", 0, 1)


def _four_bytes(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 with a fourth byte a pixel: not copied where it is a view of that."""
    base = pixels.base  # the colors of gray photos are made in this form
    if base is None or base.shape != (*pixels.shape[:2], 4) or base.ctypes.data != pixels.ctypes.data:
        return cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA)
    return base


def bmp(photo: Photo) -> bytes:
    """Encode as BMP, alpha laid on white."""
    flat = Photo(flattened(photo), None, photo.metadata)
    return _saved(flat, encode_image(flat), "BMP")


def webp(photo: Photo, quality: int) -> bytes:
    """Encode as WebP."""
    # WebP has 4:2:0 only; its sharp conversion gives up chroma before lightness.
    options = {"quality": quality, "use_sharp_yuv": True, "xmp": packet(photo.metadata) or b""}
    return _saved(photo, _as_rgb(photo), "WEBP", **options)


def avif(photo: Photo, quality: int, subsampling: str) -> bytes:
    """Encode as AVIF."""
    options = {"quality": quality, "subsampling": subsampling, "xmp": packet(photo.metadata) or b""}
    return _saved(photo, _as_rgb(photo), "AVIF", **options)


def _as_rgb(photo: Photo) -> Image.Image:
    """Convert to RGB or RGBA: WebP and AVIF get gray as RGB, and their profile has to match."""
    pixels = photo.pixels
    return encode_image(Photo(np.repeat(pixels, 3 // pixels.shape[2], axis=2), photo.alpha))


def _saved(photo: Photo, image: Image.Image, format_name: str, **options: Any) -> bytes:
    """Let Pillow encode `image` with the profile that fits it and the metadata of `photo`."""
    exif = photo.metadata.exif
    if exif:
        options["exif"] = exif
    if photo.metadata.dpi:
        options["dpi"] = photo.metadata.dpi
    icc = SRGB_ICC if image.mode.startswith("RGB") else GRAY_ICC
    if format_name == "JPEG":
        return _encoded_jpeg(image, icc_profile=icc, **options)
    out = io.BytesIO()
    image.save(out, format_name, icc_profile=icc, **options)
    return out.getvalue()


def _encoded_jpeg(image: Image.Image, **options: Any) -> bytes:
    """Let Pillow encode without Python's lock, which it keeps while it encodes to `io.BytesIO`."""
    with _memory_file() as out:
        image.save(out, "JPEG", **options)
        out.seek(0)
        data = out.read()
    if not data.endswith(jpeg.END):  # Pillow does not look whether a file took all that it was given
        raise OSError("memory or the size of files is limited")
    return data


def _memory_file() -> BinaryIO:
    """An empty file in memory; where there is such a thing (Linux), one of the system's."""
    with suppress(AttributeError, OSError):
        return open(os.memfd_create("photo"), "w+b")
    return io.BytesIO()


def _profile_for(photo: Photo) -> bytes:
    return GRAY_ICC if photo.pixels.shape[2] == 1 else SRGB_ICC
