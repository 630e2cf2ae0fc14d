"""Photographs from files: refused with a reason, or read whole."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image

from cyclecolor.files import shown
from cyclecolor.photos import profiles
from cyclecolor.photos.decoding import decode, flattened
from cyclecolor.photos.deep import SUBFILE_TYPE
from cyclecolor.photos.exif import orientation_of
from cyclecolor.photos.guard import refusing
from cyclecolor.photos.luma import Luma, luma_of
from cyclecolor.photos.photo import Photo, PhotoError

MAX_PIXELS = 200_000_000
"""Default limit: twice a 100-megapixel scan, some 600 MB of RGB."""

# What archives hold, and only what Pillow recognizes by its first bytes and decodes inside this
# process: EPS would start Ghostscript, TGA and PCD have no signature worth the name.
_FORMATS = ("JPEG", "MPO", "PNG", "TIFF", "WEBP", "AVIF", "JPEG2000", "GIF", "BMP", "PPM")

_REDUCED_OR_MASK = 0b101  # bits of a TIFF page's subfile type


def read_photo(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Photo:
    """Read the photograph at `path`: its first frame, upright, in sRGB, 16 bits where it has them.

    Parameters
    ----------
    max_pixels
        Width times height above this is refused before anything is decoded.

    Raises
    ------
    PhotoError
        The file is refused; `PhotoError.reason` says why in a word.
    """
    name = shown(path)
    with refusing(name), _opened(path, name) as file:
        return decode(_identified(file, name, max_pixels), name, file)


def read_pages(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Iterator[Photo]:
    """Read all pages of the photograph at `path`, one at a time; only TIFF has more than one.

    Reduced copies and masks that a TIFF holds besides its pages are left out, and so is what a JPEG
    of several pictures (MPO) holds behind its first: previews, depth and gain maps.  Animations are
    refused, so that no frame is lost unnoticed.

    Parameters
    ----------
    max_pixels
        Width times height above this, of all pages together, is refused before anything is decoded.

    Raises
    ------
    PhotoError
        As `read_photo`; also "several-frames".
    """
    name = shown(path)
    with refusing(name), _opened(path, name) as file:
        image = _identified(file, name, max_pixels)
        if image.format == "TIFF":
            pages = _tiff_pages(image, name, max_pixels)
        elif image.format != "MPO" and getattr(image, "is_animated", False):
            raise PhotoError(
                f"{name}: an animation of {image.n_frames} frames; save the one that you want",
                reason="several-frames",
            )
        else:
            pages = [0]
    # Each page is opened anew: decoding and `seek` do not mix, and the caller may take its time.
    for page in pages:
        with refusing(name), _opened(path, name) as file:
            image = _identified(file, name, max_pixels)
            if page:
                image.seek(page)
            photo = decode(image, name, file)
        del image  # its pixels, which nobody needs while the caller works
        yield photo
        del photo


def is_photo(path: str | os.PathLike[str]) -> bool:
    """Whether the first bytes of the file at `path` are those of a format that can be read."""
    try:
        with _opened(path, shown(path)) as file:
            head = file.read(16)
    except (OSError, ValueError, PhotoError):
        return False
    Image.init()
    accepts = (Image.OPEN.get(name, (None, None))[1] for name in _FORMATS)
    return any(accept is not None and accept(head) is True for accept in accepts)


def read_rgb8(
    path: str | os.PathLike[str], *, short_side: int | None = None, max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """Read a photograph for training: (H, W, 3) uint8 sRGB, gray repeated, alpha laid on white.

    Parameters
    ----------
    short_side
        Shrink, by area averaging with the aspect kept, so that the short side is at most this many
        pixels; never enlarges.  JPEGs are decoded at 1/2, 1/4 or 1/8 on the way, which is much
        faster.
    max_pixels
        As for `read_photo`; counted at the file's full size.

    Raises
    ------
    PhotoError
        As `read_photo`.
    """
    name = shown(path)
    with refusing(name), _opened(path, name) as file:
        image = _identified(file, name, max_pixels)
        if short_side is not None:
            image.draft(None, _shrunk_size(image.size, short_side))
        pixels = flattened(decode(image, name))
    rgb = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
    if short_side is None or min(rgb.shape[:2]) <= short_side:
        return rgb
    size = _shrunk_size((rgb.shape[1], rgb.shape[0]), short_side)
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)


def read_luma(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Luma | None:
    """The coded luma of the gray JPEG at `path`, for `write_pages`.

    None of what is no gray JPEG, or is no longer what `read_pages` makes of it: turned upright, or
    brought to sRGB by a profile that changes any level.

    Raises
    ------
    PhotoError
        As `read_photo`.
    """
    name = shown(path)
    with refusing(name), _opened(path, name) as file:
        image = _identified(file, name, max_pixels)
        if image.format not in ("JPEG", "MPO") or image.mode != "L" or orientation_of(image) != 1:
            return None
        levels = np.arange(256, dtype=np.uint8)[None]
        as_srgb = profiles.to_srgb(Image.fromarray(levels), image.info.get("icc_profile"))
        if not np.array_equal(as_srgb[..., 0], levels):
            return None
        file.seek(0)
        return luma_of(file.read())


def _shrunk_size(size: tuple[int, int], short_side: int) -> tuple[int, int]:
    scale = min(1, short_side / min(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


@contextmanager
def _opened(path: str | os.PathLike[str], name: str) -> Iterator[BinaryIO]:
    """Open a regular file that holds something: a FIFO would wait for ever, a device never end."""
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise PhotoError(f"{name}: not a regular file; give the path of a picture", reason="unreadable")
    if status.st_size == 0:
        raise PhotoError(f"{name}: the file is empty; copy it again from where it came", reason="empty")
    with open(path, "rb") as file:
        yield file


def _identified(file: BinaryIO, name: str, max_pixels: int) -> Image.Image:
    """Parse the header of `file`; nothing is decoded yet.

    Not `Image.open`: its limit on pixels is a global of the whole process, ours belongs to the
    call.
    """
    Image.init()
    head, failure = file.read(16), None
    for format_name in _FORMATS:
        factory, accept = Image.OPEN.get(format_name, (None, None))
        if factory is None or accept is None or accept(head) is not True:
            continue
        file.seek(0)
        try:
            image = factory(file, "")
        except (SyntaxError, IndexError, TypeError, struct.error) as error:  # Pillow's "not mine"
            failure = error
            continue
        _check_size(image, name, max_pixels)
        _check_claim(image, file, name)
        return image
    if failure is not None:
        raise OSError(f"bad header: {failure}")
    raise PhotoError(
        f"{name}: not a picture in a known format; known are {', '.join(_FORMATS)}",
        reason="not-an-image",
    )


def _check_size(image: Image.Image, name: str, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise PhotoError(
            f"{name}: {width} x {height} is more than {max_pixels:,} pixels; "
            "raise the limit if the picture can be trusted",
            reason="too-many-pixels",
        )


def _tiff_pages(image: Image.Image, name: str, max_pixels: int) -> list[int]:
    """Numbers of the pages that are pictures of their own, their pixels together within the limit."""
    pages, total = [], 0
    for page in range(image.n_frames):
        image.seek(page)
        kind = image.tag_v2.get(SUBFILE_TYPE, 0)
        if pages and isinstance(kind, int) and kind & _REDUCED_OR_MASK:
            continue
        pages.append(page)
        total += image.width * image.height
        if total > max_pixels:
            raise PhotoError(
                f"{name}: its pages together have more than {max_pixels:,} pixels; "
                "raise the limit if the file can be trusted",
                reason="too-many-pixels",
            )
    return pages


def _check_claim(image: Image.Image, file: BinaryIO, name: str) -> None:
    """Refuse a PNG too short for its size, which Pillow would fill up with black.

    Deflate shrinks 1,032 times at most (zlib's technical notes), and no pixel has less than a bit.
    """
    size = os.fstat(file.fileno()).st_size
    if image.format == "PNG" and image.width * image.height > 8 * 1032 * size:
        raise PhotoError(
            f"{name}: too few bytes for {image.width} x {image.height}; copy it again",
            reason="truncated",
        )
