"""Formats of archives and phones that optional packages read: HEIF, and JPEG of other depths than 8 bits."""

from collections.abc import Callable
from typing import BinaryIO

import numpy as np

from . import jpeg, metadata
from .decoding import photo_of
from .exif import profile_of_exif, stored_orientation
from .extras import archive, installed
from .guard import Refused, check_size
from .icc import profile_by_numbers
from .jxl import read_jxl
from .metadata import Found
from .photo import Photo
from .samples import widened


def _read_heif(file: BinaryIO, max_pixels: int) -> Photo:
    """HEIC and its relatives, their first picture; libheif turns it upright."""
    # The same library: with a decoder alone, or as GPL with an encoder, for those who have it.
    library = archive(
        "pillow_heif" if installed("pillow_heif") and not installed("pi_heif") else "pi_heif", "HEIF"
    )
    file.seek(0)
    opened = library.HeifFile(file, convert_hdr_to_8bit=False, hdr_to_16bit=True)
    picture = opened[opened.primary_index]
    width, height = picture.size
    check_size(width, height, max_pixels)
    info, samples = picture.info, np.asarray(picture)
    samples = samples[..., None] if samples.ndim == 2 else samples
    found = Found(exif=info.get("exif"), xmp=info.get("xmp"), icc=info.get("icc_profile"))
    numbers = info.get("nclx_profile") or {}
    if found.icc is None and numbers:
        found.icc, found.warnings = profile_by_numbers(
            numbers["color_primaries"], numbers["transfer_characteristics"]
        )
    if len(opened) > 1 or info.get("aux") or info.get("depth_images"):
        found.lost = ("further pictures in the file",)
    return photo_of(samples, found, "HEIF", multiplied=picture.mode.startswith("RGBa"))


def _read_jpeg(file: BinaryIO, max_pixels: int) -> Photo:
    """A JPEG that Pillow does not know: JPEG-LS, lossless, or of other depths than 8 bits."""
    frame = jpeg.frame(file)
    if frame is None:
        raise Refused("broken", "damaged (no frame); copy or scan it again")
    library = archive("imagecodecs", f"JPEG without loss, or of {frame.bits} bits,")
    check_size(frame.width, frame.height, max_pixels)
    file.seek(0)
    samples = (library.jpegls_decode if frame.is_ls else library.jpeg_decode)(file.read())
    samples = samples[..., None] if samples.ndim == 2 else samples
    if samples.shape != (frame.height, frame.width, frame.components) or frame.components not in (1, 3):
        raise Refused("unsupported", "this kind of JPEG is not supported; save it as TIFF in another program")
    found = metadata.of_jpeg(file)
    found.icc = found.icc or profile_of_exif(found.exif)
    return photo_of(widened(samples, frame.bits), found, "JPEG", stored_orientation(found.exif))


READERS: dict[str, Callable[[BinaryIO, int], Photo]] = {
    "HEIF": _read_heif,
    "JXL": read_jxl,
    "unusual JPEG": _read_jpeg,
}
"""By format: from a file and the most pixels to the photo in it."""
