"""Photographs as people have them: found, read upright in sRGB with nothing lost, written whole.

`find_photos` lists a folder, `read_photo` turns any file that can be trusted into a `Photo` (or refuses it
with a reason), `write_photo` puts one back with its metadata, atomically.
"""

from .decoding import decode_image, encode_image
from .encoding import SUBSAMPLINGS
from .folders import (
    FOREIGN_SUFFIXES,
    PHOTO_SUFFIXES,
    TAR_SUFFIX,
    find_files,
    find_photos,
    holds_only_tars,
    is_service,
    is_tar,
    sidecars,
)
from .ours import provenance_in
from .photo import Metadata, Photo, PhotoError
from .reading import MAX_PIXELS, is_photo, read_luma, read_pages, read_photo, read_rgb8
from .samples import narrow
from .writing import (
    JPEG_SUFFIXES,
    WRITABLE_SUFFIXES,
    Written,
    write_pages,
    write_photo,
)

__all__ = [
    "FOREIGN_SUFFIXES",
    "JPEG_SUFFIXES",
    "MAX_PIXELS",
    "PHOTO_SUFFIXES",
    "SUBSAMPLINGS",
    "TAR_SUFFIX",
    "WRITABLE_SUFFIXES",
    "Metadata",
    "Photo",
    "PhotoError",
    "Written",
    "decode_image",
    "encode_image",
    "find_files",
    "find_photos",
    "holds_only_tars",
    "is_photo",
    "is_service",
    "is_tar",
    "narrow",
    "provenance_in",
    "read_luma",
    "read_pages",
    "read_photo",
    "read_rgb8",
    "sidecars",
    "write_pages",
    "write_photo",
]
