"""Photographs as people have them: found, read upright in sRGB with nothing lost, written whole.

`find_photos` lists a folder, `read_photo` turns any file that Pillow can be trusted with into a
`Photo` (or refuses it with a reason), `write_photo` puts one back with its metadata, atomically.
"""

from cyclecolor.photos.decoding import decode_image, encode_image, narrow
from cyclecolor.photos.folders import PHOTO_SUFFIXES, find_photos
from cyclecolor.photos.photo import Metadata, Photo, PhotoError
from cyclecolor.photos.reading import MAX_PIXELS, read_photo, read_rgb8
from cyclecolor.photos.writing import WRITABLE_SUFFIXES, atomic_write, write_photo

__all__ = [
    "MAX_PIXELS",
    "PHOTO_SUFFIXES",
    "WRITABLE_SUFFIXES",
    "Metadata",
    "Photo",
    "PhotoError",
    "atomic_write",
    "decode_image",
    "encode_image",
    "find_photos",
    "narrow",
    "read_photo",
    "read_rgb8",
    "write_photo",
]
