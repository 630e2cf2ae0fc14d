"""Orientation, and the metadata that goes from an input to its output."""

from __future__ import annotations

import re
import struct

import numpy as np
from PIL import ExifTags, Image

from cyclecolor.photos.photo import Metadata

_HEADER = b"Exif\x00\x00"
_XMP_ORIENTATION = re.compile(rb'(tiff:Orientation(?:="|>))[0-9]')

# A TIFF's first directory mixes what people wrote with how its pixels are stored: only this is
# carried.
_DESCRIPTIVE = (
    ExifTags.Base.DocumentName,
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.Copyright,
)


def orientation_of(image: Image.Image) -> int:
    """EXIF (or XMP) orientation of `image`, 1 to 8; anything else, or broken EXIF, counts as 1."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # broken EXIF is no reason to refuse a good picture
        return 1
    return value if value in range(1, 9) else 1


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn (H, W, ...) `pixels`, stored with EXIF `orientation` 1 to 8, the right way up.

    Values 5 to 8 swap height and width.  The result is contiguous.
    """
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    # EXIF 2.32, 4.6.4 A: which side of the scene is row 0 and which is column 0.
    flip_rows = orientation in (3, 4, 7, 8)
    flip_columns = orientation in (2, 3, 6, 7)
    pixels = pixels[::-1] if flip_rows else pixels
    pixels = pixels[:, ::-1] if flip_columns else pixels
    return np.ascontiguousarray(pixels)


def carried_metadata(image: Image.Image, orientation: int) -> Metadata:
    """Collect what the output of the loaded `image` has to carry; broken parts are left out.

    `orientation`, 1 to 8, is how the file stores the picture: 5 to 8 swap the two resolutions.
    """
    xmp = image.info.get("xmp")
    return Metadata(
        format=image.format or "",
        exif=_carried_exif(image),
        xmp=_XMP_ORIENTATION.sub(rb"\g<1>1", xmp) if isinstance(xmp, bytes) and xmp else None,
        dpi=_carried_dpi(image, orientation),
    )


def _carried_exif(image: Image.Image) -> bytes | None:
    """Patch the raw block where there is one: Pillow's own rewriting loses maker notes."""
    try:
        if raw := image.info.get("exif"):
            return _HEADER + _reset(raw.removeprefix(_HEADER))
        return _rebuilt(image.getexif())
    except Exception:  # broken EXIF is no reason to refuse a good picture
        return None


def _reset(tiff: bytes) -> bytes:
    """Set Orientation to 1 and unlink the thumbnail, which shows the picture as it was."""
    data = bytearray(tiff)
    order = {b"II": "<", b"MM": ">"}[bytes(data[:2])]
    (directory,) = struct.unpack_from(order + "L", data, 4)
    (count,) = struct.unpack_from(order + "H", data, directory)
    entries = range(directory + 2, directory + 2 + 12 * count, 12)
    for entry in entries:
        if struct.unpack_from(order + "H", data, entry) == (ExifTags.Base.Orientation,):
            struct.pack_into(order + "HLHH", data, entry + 2, 3, 1, 1, 0)
    struct.pack_into(order + "L", data, entries.stop, 0)
    return bytes(data)


def descriptive_tags(exif: Image.Exif) -> dict[int, object]:
    """Tags of `exif` that describe the picture and not its storage; sub-directories as dicts."""
    tags: dict[int, object] = {tag: exif[tag] for tag in _DESCRIPTIVE if tag in exif}
    for directory in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
        if entries := exif.get_ifd(directory):
            tags[directory] = dict(entries)
    return tags


def _rebuilt(exif: Image.Exif) -> bytes | None:
    fresh = Image.Exif()
    fresh.update(descriptive_tags(exif))
    return _HEADER + fresh.tobytes().removeprefix(_HEADER) if fresh else None


def _carried_dpi(image: Image.Image, orientation: int) -> tuple[float, float] | None:
    try:
        across, down = (float(value) for value in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    if min(across, down) < 0.5 or max(across, down) > 65535:  # JPEG's range
        return None
    return (down, across) if orientation >= 5 else (across, down)
