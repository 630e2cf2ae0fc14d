"""Photographs, and any other file of ours, onto disk: whole or not at all."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from cyclecolor.errors import CycleColorError
from cyclecolor.files import atomic_write, shown
from cyclecolor.photos.decoding import encode_image, flattened, interleaved
from cyclecolor.photos.deep import encode_png16, encode_tiff
from cyclecolor.photos.guard import quiet_pillow
from cyclecolor.photos.luma import Luma, joined
from cyclecolor.photos.photo import Metadata, Photo, PhotoError
from cyclecolor.photos.profiles import GRAY_ICC, SRGB_ICC
from cyclecolor.photos.provenance import packet

_FORMAT_OF = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".avif": "AVIF",
}

WRITABLE_SUFFIXES = tuple(_FORMAT_OF)
"""Lower-case suffixes that `write_photo` knows."""

_PNG_LEVEL = 4  # half the time of Pillow's 6, for 3% more bytes on a photograph
_JPEG_BYTES = 65_500  # of EXIF or XMP: a JPEG segment ends at 65,535 with its header
_JPEG_END = b"\xff\xd9"


SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")
"""How many chroma samples JPEG and AVIF keep for each lightness sample: all, half, a quarter."""


def write_photo(photo: Photo, path: str | os.PathLike[str], **options: Any) -> None:
    """Write a photo of one page: `write_pages`."""
    write_pages([photo], path, **options)


def write_pages(
    pages: Iterable[Photo],
    path: str | os.PathLike[str],
    *,
    quality: int = 95,
    subsampling: str = "4:4:4",
    luma: Luma | None = None,
    before_writing: Callable[[bytes | bytearray], object] = lambda content: None,
) -> bytes | bytearray:
    """Write a photo in the format of the suffix of `path`, whole or not at all.

    ========== =========== ===================================== ===========================
    suffix     bits kept   alpha                                 metadata besides sRGB
    ========== =========== ===================================== ===========================
    png, tiff  8 and 16    kept                                  EXIF, XMP, dpi
    webp, avif 8           kept                                  EXIF, XMP
    jpg        8           laid on white                         EXIF, XMP, dpi
    bmp        8           laid on white                         dpi; no profile either
    ========== =========== ===================================== ===========================

    16 bits are rounded where the format has 8.  Metadata that the format cannot hold is left out.

    Parameters
    ----------
    pages
        Taken one at a time; only TIFF holds more than one.
    quality
        1 to 100, for JPEG, WebP and AVIF.
    subsampling
        One of `SUBSAMPLINGS`, for JPEG and AVIF.  By default color is kept at full size: lightness
        depends on color too, so the usual 4:2:0 would shift it along colored edges.
    luma
        For JPEG: carried over as it is; only chroma is taken from the photo, which has its size.
    before_writing
        Called with the bytes of the file, before any of them is on disk; what it raises goes through.

    Returns
    -------
    The bytes of the file.

    Raises
    ------
    PhotoError
        Reason "unwritable"; neither a part of the file nor a temporary one is left behind.  What
        `pages` raises goes through.
    """
    name, suffix = shown(path), Path(path).suffix.lower()
    if suffix not in _FORMAT_OF:
        raise PhotoError(
            f"{name}: photos are not written as {suffix or 'files without suffix'}; "
            f"use one of {' '.join(WRITABLE_SUFFIXES)}",
            reason="unwritable",
        )
    # Encoded in memory first: Pillow's encoders, given a file, do not say that the disk is full.
    data = _encoded_pages(pages, _FORMAT_OF[suffix], quality, subsampling, luma, name)
    before_writing(data)
    try:
        atomic_write(path, lambda file: file.write(data))
    except CycleColorError as error:
        raise PhotoError(str(error), reason="unwritable") from error
    return data


def _encoded_pages(
    pages: Iterable[Photo], format_name: str, quality: int, subsampling: str, luma: Luma | None, name: str
) -> bytes | bytearray:
    if format_name == "TIFF":
        with _unwritable(name, format_name):
            return encode_tiff(_tiff_page(page) for page in pages)
    encode: dict[str, Callable[[Photo], bytes]] = {
        "PNG": _png,
        "BMP": _bmp,
        "JPEG": lambda photo: _jpeg(photo, quality, subsampling, luma),
        "WEBP": lambda photo: _webp(photo, quality),
        "AVIF": lambda photo: _avif(photo, quality, subsampling),
    }
    data = b""
    for page in pages:
        if data:
            raise PhotoError(
                f"{name}: several pages, and {format_name} holds one; use --format tif", reason="unwritable"
            )
        with _unwritable(name, format_name):
            data = _with_what_fits(encode[format_name], page)
    return data


@contextmanager
def _unwritable(name: str, format_name: str) -> Iterator[None]:
    """Turn what goes wrong inside encoders into a `PhotoError` about `name`."""
    try:
        with quiet_pillow():
            yield
    except CycleColorError:
        raise
    except Exception as error:
        cause = " ".join(str(error).split())
        raise PhotoError(
            f"{name}: cannot be encoded as {format_name}: {cause}; choose another format",
            reason="unwritable",
        ) from error


def _with_what_fits(encode: Callable[[Photo], bytes], photo: Photo) -> bytes:
    """Encode; if that fails, once more without EXIF: cameras write tags that no encoder takes."""
    try:
        return encode(photo)
    except Exception:
        if photo.metadata.exif is None:
            raise
        return encode(replace(photo, metadata=replace(photo.metadata, exif=None)))


def _png(photo: Photo) -> bytes:
    if photo.pixels.dtype == np.uint16:
        return encode_png16(interleaved(photo), photo.metadata, _profile_for(photo))
    options: dict[str, Any] = {"compress_level": _PNG_LEVEL}
    if xmp := packet(photo.metadata):
        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8", "replace"))
    return _saved(photo, encode_image(photo), "PNG", **options)


def _tiff_page(photo: Photo) -> tuple[np.ndarray, Metadata, bytes]:
    samples, icc = interleaved(photo), _profile_for(photo)
    if samples.shape[2] == 2:  # few readers, Pillow not among them, know 16-bit gray with alpha
        samples, icc = samples[..., [0, 0, 0, 1]], SRGB_ICC
    return samples, photo.metadata, icc


def _jpeg(photo: Photo, quality: int, subsampling: str, luma: Luma | None) -> bytes:
    flat = Photo(flattened(photo), None, photo.metadata)
    options = {"quality": quality, "subsampling": subsampling}
    if xmp := packet(photo.metadata, limit=_JPEG_BYTES):
        options["xmp"] = xmp
    if luma is None:
        return _saved(flat, _padded(flat), "JPEG", **options)
    if flat.pixels.shape != (luma.height, luma.width, 3):
        raise ValueError("luma of another size, or a gray photo")
    header = _saved(flat, Image.new("RGB", (8, 8)), "JPEG", **options)
    return joined(luma, *_chroma_planes(flat.pixels, quality, subsampling, luma.progressive), header)


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


def _bmp(photo: Photo) -> bytes:
    flat = Photo(flattened(photo), None, photo.metadata)
    return _saved(flat, encode_image(flat), "BMP")


def _webp(photo: Photo, quality: int) -> bytes:
    # WebP has 4:2:0 only; its sharp conversion gives up chroma before lightness.
    options = {"quality": quality, "use_sharp_yuv": True, "xmp": packet(photo.metadata) or b""}
    return _saved(photo, _as_rgb(photo), "WEBP", **options)


def _avif(photo: Photo, quality: int, subsampling: str) -> bytes:
    options = {"quality": quality, "subsampling": subsampling, "xmp": packet(photo.metadata) or b""}
    return _saved(photo, _as_rgb(photo), "AVIF", **options)


def _as_rgb(photo: Photo) -> Image.Image:
    """Convert to RGB or RGBA: WebP and AVIF get gray as RGB, and their profile has to match."""
    pixels = photo.pixels
    return encode_image(Photo(np.repeat(pixels, 3 // pixels.shape[2], axis=2), photo.alpha))


def _saved(photo: Photo, image: Image.Image, format_name: str, **options: Any) -> bytes:
    """Let Pillow encode `image` with the profile that fits it and the metadata of `photo`."""
    exif = photo.metadata.exif
    if exif and not (format_name == "JPEG" and len(exif) > _JPEG_BYTES):
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
    if not data.endswith(_JPEG_END):  # Pillow does not look whether a file took all that it was given
        raise OSError("memory or the size of files is limited")
    return data


def _memory_file() -> BinaryIO:
    """An empty file in memory; where there is such a thing (Linux), one of the system's."""
    with suppress(AttributeError, OSError):
        return open(os.memfd_create("photo"), "w+b")
    return io.BytesIO()


def _profile_for(photo: Photo) -> bytes:
    return GRAY_ICC if photo.pixels.shape[2] == 1 else SRGB_ICC
