"""Formats by the first bytes of their files, whatever the files are called."""

import re

from PIL import Image

JPEGS = ("JPEG", "MPO")

# What archives hold, and only what Pillow recognizes by its first bytes and decodes inside this
# process: EPS would start Ghostscript, TGA and PCD have no signature worth the name.
PILLOW = ("JPEG", "MPO", "PNG", "WEBP", "AVIF", "JPEG2000", "GIF", "BMP", "PPM")

KNOWN = (*PILLOW, "TIFF", "HEIF", "JXL")

HEAD = 64
"""Bytes that are looked at."""

_TIFFS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_JXL = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")
_HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
_AVIF = (b"avif", b"avis")
# Canon CR2, CR3 and CRW, Fujifilm RAF, Olympus ORF, Panasonic RW2, Minolta MRW, Sigma X3F, Phase One IIQ.
_RAW = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"\0MRM", b"FOVb")
_CR2, _CR3, _CRW = b"CR\x02", b"ftypcrx ", b"HEAPCCDR"
_IIQ = re.compile(rb"IIII.waR|MMMMRaw", re.S)


def format_of(head: bytes) -> str | None:
    """Pillow's name of the format, TIFF, HEIF, JXL or RAW; None of what is no picture."""
    if head.startswith(_RAW) or head[8:11] == _CR2 or head[4:12] == _CR3 or head[6:14] == _CRW:
        return "RAW"
    if _IIQ.match(head, 8):
        return "RAW"
    if head.startswith(_TIFFS):
        return "TIFF"
    if head.startswith(_JXL):
        return "JXL"
    if head[4:8] == b"ftyp":
        brands = [head[at : at + 4] for at in (8, *range(16, min(len(head), int.from_bytes(head[:4])), 4))]
        if not any(brand in _AVIF for brand in brands) and any(brand in _HEIF for brand in brands):
            return "HEIF"
    Image.init()
    for name in PILLOW:
        _, accept = Image.OPEN.get(name, (None, None))
        if accept is not None and accept(head[:16]) is True:
            return name
    return None
