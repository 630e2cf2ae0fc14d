"""Photographs from files: refused with a reason, or read whole."""

import io
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image, JpegImagePlugin

from ..files import shown
from . import jp2, jpeg, profiles, raw
from .archive import READERS
from .decoding import decode, decode_page, flattened
from .exif import orientation_of
from .formats import HEAD, JPEGS, KNOWN, format_of
from .guard import Refused, check_size, refusing
from .luma import Luma, luma_of
from .photo import Photo, PhotoError
from .tiff import Directory, Tag, TooManyPages, directories

MAX_PIXELS = 200_000_000
"""Default limit: twice a 100-megapixel scan, some 600 MB of RGB."""

_REDUCED_OR_MASK, _OLD_REDUCED = 0b101, 2  # bits of a TIFF page's subfile type; the old one is a number
_WITHOUT_END = "the end marker is missing; the picture is whole"
_BITS_OF_A_PIXEL = 64  # what `max_pixels` allows for each; more of them count as more pixels


def read_photo(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Photo:
    """Read the photograph at `path`: its first frame, upright, in sRGB, 16 bits where it has them.

    Parameters
    ----------
    path : path
        Of a file in any format that is known by its first bytes.
    max_pixels : int
        Width times height above this is refused before anything is decoded.

    Raises
    ------
    PhotoError
        The file is refused; `PhotoError.reason` says why in a word.
    """
    name = shown(path)
    with refusing(name), _opened(path, name) as file:
        return _read(file, max_pixels)


def read_pages(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Iterator[Photo]:
    """Read all pages of the photograph at `path`, one at a time; only TIFF has more than one.

    Reduced copies and masks that a TIFF holds besides its pages are left out, and so is what a JPEG
    of several pictures (MPO) holds behind its first: previews, depth and gain maps. Animations are
    refused, so that no frame is lost unnoticed.

    Parameters
    ----------
    path : path
        As in `read_photo`.
    max_pixels : int
        Width times height above this, of all pages together, is refused before anything is decoded.

    Raises
    ------
    PhotoError
        As `read_photo`; also "several-frames", and "too-many-pages" (`tiff.MAX_PAGES`).
    """
    name = shown(path)
    with ExitStack() as held:
        with refusing(name):
            file = held.enter_context(_opened(path, name))
            pages = _tiff_pages(file, max_pixels) if _kind(file) == "TIFF" else [None]
        for page in pages:
            # Not around `yield`: the caller may take its time.
            with refusing(name):
                photo = _read(file, max_pixels, still=True) if page is None else decode_page(page)
            yield photo
            del photo


def is_photo(path: str | os.PathLike[str]) -> bool:
    """Whether the file at `path` begins as a picture does, one that can be read or camera raw."""
    try:
        with _opened(path, shown(path)) as file:
            return _kind(file) is not None
    except (OSError, ValueError, PhotoError):
        return False


def read_rgb8(
    path: str | os.PathLike[str], *, short_side: int | None = None, max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """Read a photograph for training: (H, W, 3) uint8 sRGB, gray repeated, alpha laid on white.

    Parameters
    ----------
    path : path
        As in `read_photo`.
    short_side : int, optional
        Shrink, by area averaging with the aspect kept, so that the short side is at most this many
        pixels; never enlarges. JPEGs are decoded at 1/2, 1/4 or 1/8 on the way, which is much
        faster.
    max_pixels : int
        As for `read_photo`; counted at the file's full size.

    Raises
    ------
    PhotoError
        As `read_photo`.
    """
    name = shown(path)
    with refusing(name), _opened(path, name) as file:
        pixels = flattened(_read(file, max_pixels, short_side=short_side))
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
        if _kind(file) not in JPEGS:
            return None
        image = _identified(file, "JPEG", max_pixels)
        if image.mode != "L" or orientation_of(image) != 1:
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


def _kind(file: BinaryIO) -> str | None:
    file.seek(0)
    return format_of(file.read(HEAD))


def _read(file: BinaryIO, max_pixels: int, *, still: bool = False, short_side: int | None = None) -> Photo:
    """The first picture of a file.

    Parameters
    ----------
    still : bool
        Refuse animations.
    short_side : int, optional
        A JPEG may come smaller, but not smaller than that.
    """
    kind = _kind(file)
    if kind == "RAW":
        raise raw.refused()
    if kind == "TIFF":
        return decode_page(_tiff_pages(file, max_pixels, first=True)[0])
    if kind in JPEGS and (frame := jpeg.frame(file)) and not frame.is_usual:
        kind = "unusual JPEG"
    if kind in READERS:
        return READERS[kind](file, max_pixels)
    if kind is None:
        raise Refused("not-an-image", f"not a picture in a known format; known are {', '.join(KNOWN)}")
    image = _identified(file, kind, max_pixels)
    if still and image.format not in JPEGS and getattr(image, "is_animated", False):
        raise Refused(
            "several-frames",
            f"an animation of {getattr(image, 'n_frames', 2)} frames; save the one that you want",
        )
    draft = None if short_side is None else _shrunk_size(image.size, short_side)
    if draft is not None:
        image.draft(None, draft)
    try:
        photo = decode(image, file)
    except OSError as error:
        if image.format not in JPEGS or "truncated" not in str(error):
            raise
        return _with_end(file, error, draft)
    if image.format in JPEGS and jpeg.is_cut_short(image, file, draft):
        raise Refused("truncated", "cut short (part of the picture is missing); copy or scan it again")
    if image.format in JPEGS and not jpeg.has_end(file):
        return replace(photo, warnings=(*photo.warnings, _WITHOUT_END))
    return photo


def _with_end(file: BinaryIO, error: OSError, draft: tuple[int, int] | None) -> Photo:
    """A JPEG again, of which no more than the marker of its end is missing."""
    file.seek(0)
    content = jpeg.without_end(file.read())
    if content is None:
        raise error
    image = JpegImagePlugin.JpegImageFile(io.BytesIO(content), "")
    if draft is not None:
        image.draft(None, draft)
    photo = decode(image, io.BytesIO(content))
    if jpeg.is_cut_short(image, io.BytesIO(content), draft):
        raise error
    return replace(photo, warnings=(*photo.warnings, _WITHOUT_END))


def _identified(file: BinaryIO, kind: str, max_pixels: int) -> Image.Image:
    """Parse the header of `file`; nothing is decoded yet.

    Not `Image.open`: its limit on pixels is a global of the whole process, ours belongs to the
    call.
    """
    if kind == "JPEG2000":
        jp2.said_by(file).refuse_unusual()  # Pillow calls broken what it does not know
    file.seek(0)
    Image.init()
    try:
        image = Image.OPEN[kind][0](file, "")
    except (SyntaxError, IndexError, TypeError, struct.error) as error:  # Pillow's "not mine"
        raise OSError(f"bad header: {error}") from error
    check_size(*image.size, max_pixels)
    _check_claim(image, file)
    return image


def _tiff_pages(file: BinaryIO, max_pixels: int, *, first: bool = False) -> list[Directory]:
    """The pages that are pictures of their own, their pixels together within the limit.

    Parameters
    ----------
    first : bool
        The first one alone.
    """
    try:
        pages = list(directories(file))
    except TooManyPages as error:
        raise Refused("too-many-pages", f"{error}; split the file") from error
    raw.refuse_raw(pages)
    whole = [page for page in pages if _is_whole(page)] or pages[:1]
    if any(_pixels(below) > _pixels(page) for page in whole for below in page.below(Tag.SUB_DIRECTORIES)):
        text = "its first pictures are small copies of what lies in subdirectories; save it anew"
        raise Refused("unsupported", f"{text} in another program")
    whole, total = whole[:1] if first else whole, 0
    for page in whole:
        width, height = page.number(Tag.WIDTH, 0), page.number(Tag.HEIGHT, 0)
        bits = page.number(Tag.SAMPLES, 1) * page.number(Tag.BITS, 1)
        check_size(width, height * max(1, bits // _BITS_OF_A_PIXEL), max_pixels)
        total += width * height
        if total > max_pixels:
            raise Refused(
                "too-many-pixels",
                f"its pages together have more than {max_pixels:,} pixels; "
                "raise the limit (--max-pixels) if the file can be trusted",
            )
    return whole


def _is_whole(page: Directory) -> bool:
    old = page.number(Tag.OLD_SUBFILE_TYPE, 0)
    return not (page.number(Tag.SUBFILE_TYPE, 0) & _REDUCED_OR_MASK or old == _OLD_REDUCED)


def _pixels(page: Directory) -> int:
    return page.number(Tag.WIDTH, 0) * page.number(Tag.HEIGHT, 0) * _is_whole(page)


def _check_claim(image: Image.Image, file: BinaryIO) -> None:
    """Refuse a PNG too short for its size, which Pillow would fill up with black.

    Deflate shrinks 1,032 times at most (zlib's technical notes), and no pixel has less than a bit.
    """
    size = os.fstat(file.fileno()).st_size
    if image.format == "PNG" and image.width * image.height > 8 * 1032 * size:
        raise Refused("truncated", f"too few bytes for {image.width} x {image.height}; copy it again")
