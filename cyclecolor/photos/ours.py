"""Pictures that we made: they say so in their XMP."""

import os
import re
import struct
from typing import BinaryIO
from xml.sax.saxutils import unescape

from . import png
from .tiff import Tag, directories

_HEAD, _TAIL = 256 << 10, 16 << 10  # bytes: a JPEG's EXIF, IPTC and profile, and our packet, fit in
_OURS = re.compile(rb"<photoshop:History>([^<]{0,200}\bcyclecolor\b[^<]{0,400})</photoshop:History>")


def provenance_in(path: str | os.PathLike[str]) -> str | None:
    """The sentence that a file carries if we made it; looked for where we write it."""
    try:
        if not os.path.isfile(path):  # a pipe would wait for ever
            return None
        with open(path, "rb") as file:
            found = _OURS.search(_packet(file))
    except (OSError, ValueError, struct.error):
        return None
    return unescape(found[1].decode("utf-8", "replace")) if found else None


def _packet(file: BinaryIO) -> bytes:
    """The XMP of a file, or the part of it in which that lies."""
    head = file.read(_HEAD)
    if head.startswith((b"II*\0", b"MM\0*")):
        return next(directories(file)).raw(Tag.XMP)
    if head.startswith(png.SIGNATURE):
        return png.said_by(file).xmp or b""
    if head.startswith(b"RIFF"):  # WebP keeps XMP behind its picture
        file.seek(max(_HEAD, file.seek(0, 2) - _TAIL))
        head += file.read(_TAIL)
    return head
