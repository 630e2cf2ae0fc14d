"""Photographs as people have them: found, read upright in sRGB with nothing lost, written whole.

`find_photos` lists a folder, `read_photo` turns any file that Pillow can be trusted with into a
`Photo` (or refuses it with a reason), `write_photo` puts one back with its metadata, atomically.
"""

from cyclecolor.photos.decoding import decode_image, encode_image, narrow
from cyclecolor.photos.folders import FOREIGN_SUFFIXES, PHOTO_SUFFIXES, find_files, find_photos
from cyclecolor.photos.photo import Metadata, Photo, PhotoError
from cyclecolor.photos.reading import MAX_PIXELS, is_photo, read_luma, read_pages, read_photo, read_rgb8
from cyclecolor.photos.writing import (
    SUBSAMPLINGS,
    WRITABLE_SUFFIXES,
    write_pages,
    write_photo,
)

__all__ = [
    "FOREIGN_SUFFIXES",
    "MAX_PIXELS",
    "PHOTO_SUFFIXES",
    "SUBSAMPLINGS",
    "WRITABLE_SUFFIXES",
    "Metadata",
    "Photo",
    "PhotoError",
    "decode_image",
    "encode_image",
    "find_files",
    "find_photos",
    "is_photo",
    "narrow",
    "read_luma",
    "read_pages",
    "read_photo",
    "read_rgb8",
    "write_pages",
    "write_photo",
]
