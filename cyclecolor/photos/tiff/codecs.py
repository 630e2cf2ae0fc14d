"""The compressions of TIFF that turn bytes into bytes: none gives more than it is asked for.

Undone here and not by libtiff, which writes what it thinks of a damaged file to the standard error.
"""

import lzma
import zlib
from collections.abc import Callable

import numpy as np

from ..extras import archive


def stored(data: bytes, size: int) -> bytes:
    """Nothing is compressed."""
    return data[:size]


def inflated(data: bytes, size: int) -> bytes:
    """Deflate in zlib's wrapping."""
    return zlib.decompressobj().decompress(data, size)


def unlzma(data: bytes, size: int) -> bytes:
    """LZMA2 in xz's wrapping."""
    return lzma.LZMADecompressor(memlimit=256 << 20).decompress(data, size)


def unzstd(data: bytes, size: int) -> bytes:
    """Zstandard, by imagecodecs."""
    return bytes(archive("imagecodecs", "Zstandard in TIFF").zstd_decode(data, out=size))


def unpacked(data: bytes, size: int) -> bytes:
    """PackBits (TIFF 6.0, section 9): runs of a byte, and stretches of bytes as they are."""
    out, at = bytearray(), 0
    while at < len(data) and len(out) < size:
        count = data[at]
        if count < 128:
            out += data[at + 1 : at + 2 + count]
            at += 2 + count
        else:
            out += data[at + 1 : at + 2] * (257 - count) if count > 128 else b""
            at += 2 if count > 128 else 1
    return bytes(out[:size])


def unlzw(data: bytes, size: int) -> bytes:
    """LZW, its codes from the high bits down (TIFF 6.0, section 13).

    Raises
    ------
    ValueError
        A code stands for nothing yet, or they are packed as before TIFF 6.0.
    """
    if data[:1] == b"\0" and data[1:2] and data[1] & 1:
        raise ValueError("LZW as before TIFF 6.0 is not supported")
    from .lzw import fill  # numba takes a while to import

    out = np.empty(size, np.uint8)
    count = fill(np.frombuffer(data, np.uint8), out)
    if count < 0:
        raise ValueError("LZW with a code that stands for nothing")
    return out[:count].tobytes()


CODECS: dict[int, Callable[[bytes, int], bytes]] = {
    1: stored,
    5: unlzw,
    8: inflated,
    32773: unpacked,
    32946: inflated,
    34925: unlzma,
    34926: unzstd,
    50000: unzstd,
}
"""By the number of the compression."""

NAMES = {
    2: "CCITT", 3: "CCITT G3", 4: "CCITT G4", 6: "old-style JPEG", 7: "JPEG", 9: "JBIG", 10: "JBIG",
    22610: "JPEG XR", 32767: "ARW", 32769: "PackBits of a camera", 32770: "SRW", 32809: "ThunderScan",
    33003: "JPEG 2000", 33004: "JPEG 2000", 33005: "JPEG 2000", 34661: "JBIG", 34676: "SGI LogLuv",
    34677: "SGI LogLuv", 34712: "JPEG 2000", 34713: "NEF", 34887: "LERC", 34892: "lossy JPEG of a camera",
    34926: "Zstandard", 34927: "WebP", 34933: "PNG", 34934: "JPEG XR", 50000: "Zstandard", 50001: "WebP",
    50002: "JPEG XL", 52546: "JPEG XL",
}  # fmt: skip
"""What people call compressions."""
