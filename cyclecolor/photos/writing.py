"""Photographs onto disk: whole or not at all."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import CycleColorError
from ..files import atomic_write, shown
from . import encoding
from .extras import INSTALL, installed
from .guard import quiet_pillow
from .jxl import jxl_of
from .luma import Luma
from .photo import Metadata, Photo, PhotoError
from .tiff.writing import encode_tiff

_FORMAT_OF = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".png": "PNG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".avif": "AVIF",
}
_JXL = ".jxl"
if installed("imagecodecs"):
    _FORMAT_OF[_JXL] = "JXL"

WRITABLE_SUFFIXES = tuple(_FORMAT_OF)
"""Lower-case suffixes that `write_photo` knows."""

JPEG_SUFFIXES = tuple(suffix for suffix, name in _FORMAT_OF.items() if name == "JPEG")
"""Lower-case suffixes of JPEGs."""

# What a format holds of `Metadata`, and what people call that.
_HELD = {
    "JPEG": ("exif", "xmp", "iptc", "comment", "dpi", "provenance"),
    "PNG": ("exif", "xmp", "iptc", "text", "dpi", "provenance"),
    "TIFF": ("exif", "xmp", "iptc", "dpi", "provenance"),
    "WEBP": ("exif", "xmp", "provenance"),
    "AVIF": ("exif", "xmp", "provenance"),
    "JXL": ("exif", "xmp", "provenance"),
    "BMP": ("dpi",),
}
_NAMES = {
    "exif": "EXIF",
    "xmp": "XMP",
    "iptc": "IPTC",
    "comment": "comment",
    "text": "text",
    "dpi": "resolution",
}
_NAMES |= {"provenance": "the note on where colors come from"}


@dataclass(frozen=True)
class Written:
    """A file as it was written.

    Attributes
    ----------
    content : bytes
        Of the file.
    lost : tuple of str
        Names of what the photo's metadata say, and the file does not.
    """

    content: bytes | bytearray
    lost: tuple[str, ...]


def write_photo(photo: Photo, path: str | os.PathLike[str], **options: Any) -> Written:
    """Write a photo of one page: `write_pages`."""
    return write_pages([photo], path, **options)


def write_pages(
    pages: Iterable[Photo],
    path: str | os.PathLike[str],
    *,
    quality: int = 95,
    subsampling: str = "4:4:4",
    luma: Luma | None = None,
    before_writing: Callable[[bytes | bytearray], object] = lambda content: None,
) -> Written:
    """Write a photo in the format of the suffix of `path`, whole or not at all.

    ================ =========== =============== =============================================
    suffix           bits kept   alpha           metadata besides sRGB
    ================ =========== =============== =============================================
    png              8 and 16    kept            EXIF, XMP, IPTC, text, resolution
    tif, tiff        8 and 16    kept            EXIF, XMP, IPTC, resolution
    webp, avif, jxl  8           kept            EXIF, XMP
    jpg              8           laid on white   EXIF, XMP, IPTC, comment, resolution
    bmp              8           laid on white   resolution; no profile either
    ================ =========== =============== =============================================

    16 bits are rounded where the format has 8. Metadata that the format cannot hold is left out, and named.

    Parameters
    ----------
    pages : iterable of Photo
        Taken one at a time; only TIFF holds more than one.
    path : path
        Of the file.
    quality : int
        1 to 100, for JPEG, WebP, AVIF and JPEG XL.
    subsampling : str
        One of `SUBSAMPLINGS`, for JPEG and AVIF. By default color is kept at full size: lightness
        depends on color too, so the usual 4:2:0 would shift it along colored edges.
    luma : Luma, optional
        For JPEG: carried over as it is; only chroma is taken from the photo, which has its size.
    before_writing
        Called with the bytes of the file, before any of them is on disk; what it raises goes through.

    Raises
    ------
    PhotoError
        Reason "unwritable"; neither a part of the file nor a temporary one is left behind. What
        `pages` raises goes through.
    """
    name, suffix = shown(path), Path(path).suffix.lower()
    if suffix not in _FORMAT_OF:
        way_out = f"{INSTALL} brings what it takes, or " if suffix == _JXL else ""
        raise PhotoError(
            f"{name}: photos are not written as {suffix or 'files without suffix'}; "
            f"{way_out}use one of {' '.join(WRITABLE_SUFFIXES)}",
            reason="unwritable",
        )
    # Encoded in memory first: Pillow's encoders, given a file, do not say that the disk is full.
    written = _encoded_pages(pages, _FORMAT_OF[suffix], quality, subsampling, luma, name)
    before_writing(written.content)
    try:
        atomic_write(path, lambda file: file.write(written.content))
    except CycleColorError as error:
        raise PhotoError(str(error), reason="unwritable") from error
    return written


def _encoded_pages(
    pages: Iterable[Photo], format_name: str, quality: int, subsampling: str, luma: Luma | None, name: str
) -> Written:
    content: bytes | bytearray
    lost: list[str] = []
    fitted = (_fitted(page, format_name, lost) for page in pages)
    if format_name == "TIFF":
        with _unwritable(name, format_name):
            pages_of_tiff = encode_tiff(encoding.tiff_page(page) for page in fitted)
        return Written(pages_of_tiff, tuple(dict.fromkeys(lost)))
    encode: dict[str, Callable[[Photo], bytes]] = {
        "PNG": encoding.png,
        "BMP": encoding.bmp,
        "JPEG": lambda photo: encoding.jpeg_of(photo, quality, subsampling, luma),
        "WEBP": lambda photo: encoding.webp(photo, quality),
        "AVIF": lambda photo: encoding.avif(photo, quality, subsampling),
        "JXL": lambda photo: jxl_of(photo, quality),
    }
    content = b""
    for page in fitted:
        if content:
            raise PhotoError(
                f"{name}: several pages, and {format_name} holds one; use --format tif", reason="unwritable"
            )
        with _unwritable(name, format_name):
            content = _with_what_fits(encode[format_name], page, lost)
    return Written(content, tuple(dict.fromkeys(lost)))


def _fitted(photo: Photo, format_name: str, lost: list[str]) -> Photo:
    """The photo with metadata that the format holds alone; names of the rest are added to `lost`."""
    said = photo.metadata
    if format_name == "JPEG" and not said.comment:
        said = replace(said, comment=_comment_among(said.text))
    if format_name == "PNG" and said.comment:
        text = said.comment.decode("utf-8", "replace")
        said = replace(said, comment=None, text=(*said.text, ("Comment", text)))
    empty = Metadata()
    gone = {field for field in _NAMES if getattr(said, field) and field not in _HELD[format_name]}
    if format_name == "JPEG":
        fields = ("exif", "iptc", "comment")
        gone |= {f for f in fields if len(getattr(said, f) or b"") > encoding.MOST_IN_SEGMENT}
    lost += [name for field, name in _NAMES.items() if field in gone and field != "text"]
    if "text" in gone:
        lost += [
            f"text: {keyword}" for keyword, _ in said.text if format_name != "JPEG" or keyword != _COMMENT
        ]
    return replace(photo, metadata=replace(said, **{field: getattr(empty, field) for field in gone}))


_COMMENT = "Comment"  # PNG's keyword of what is a segment of a JPEG


def _comment_among(text: tuple[tuple[str, str], ...]) -> bytes | None:
    return next((value.encode() for keyword, value in text if keyword == _COMMENT), None)


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


def _with_what_fits(encode: Callable[[Photo], bytes], photo: Photo, lost: list[str]) -> bytes:
    """Encode; if that fails, once more without EXIF: cameras write tags that no encoder takes."""
    try:
        return encode(photo)
    except Exception:
        if photo.metadata.exif is None:
            raise
        content = encode(replace(photo, metadata=replace(photo.metadata, exif=None)))
        lost.append(_NAMES["exif"])
        return content
