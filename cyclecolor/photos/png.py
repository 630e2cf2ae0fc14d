"""PNG (W3C, third edition): what its chunks say besides pixels, and 16 bits written."""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from PIL import Image

from .icc import (
    SRGB_CURVE,
    SRGB_ICC,
    SRGB_XY,
    Chromaticities,
    gamma_curve,
    matrix_profile,
    profile_by_numbers,
)
from .iptc import as_resource, records_of
from .photo import Metadata
from .provenance import packet

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_XMP = "XML:com.adobe.xmp"
_MOST_BYTES = 16 << 20  # of a chunk, inflated
_STRIP_BYTES = 1 << 20
_SRGB_GAMMA = 0.45455
# First column and row of each pass of an interlaced picture, and its steps (PNG, 8.1).
_ADAM7 = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2),
)  # fmt: skip
_KNOWN = (
    b"IHDR",
    b"IDAT",
    b"IEND",
    b"PLTE",
    b"tRNS",
    b"gAMA",
    b"cHRM",
    b"sRGB",
    b"iCCP",
    b"cICP",
    b"pHYs",
    b"eXIf",
)
_OF_PIXELS = (
    b"sBIT",
    b"bKGD",
    b"hIST",
    b"sPLT",
    b"tIME",
    b"acTL",
    b"fcTL",
    b"fdAT",
    b"mDCV",
    b"cLLI",
    b"iDOT",
)


@dataclass
class Chunks:
    """What a PNG says: `profile` stands for its colors; None is its ICC profile, or sRGB without one."""

    profile: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    text: tuple[tuple[str, str], ...] = ()
    lost: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Names and contents, those of the picture itself empty, as far as they are sound."""
    file.seek(len(SIGNATURE))
    while len(head := file.read(8)) == 8:
        size, name = struct.unpack(">L4s", head)
        if name == b"IDAT" or size > _MOST_BYTES:
            file.seek(size + 4, 1)
            yield name, b""
            continue
        data = file.read(size)
        if file.read(4) != struct.pack(">L", zlib.crc32(name + data)):
            return
        yield name, data


def is_cut_short(image: Image.Image, file: BinaryIO) -> bool:
    """Whether rows are missing of a PNG that Pillow loaded without a complaint: it leaves them black.

    So it does where deflate's stream ends, in order, before the picture does.
    """
    file.seek(len(SIGNATURE) + 8)
    width, height, depth, color_type, *_, interlaced = struct.unpack(">2L5B", file.read(13))
    if not interlaced and np.asarray(image.crop((0, height - 1, width, height))).any():
        return False
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color_type]
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    sizes = [(-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in passes]
    needed = sum(rows * (1 + -(-columns * bits // 8)) for columns, rows in sizes if min(columns, rows) > 0)
    unpacker, found = zlib.decompressobj(), 0
    for data in _data(file):
        waiting = data
        while waiting and found < needed:
            found += len(unpacker.decompress(waiting, _STRIP_BYTES))
            waiting = unpacker.unconsumed_tail
    return found < needed


def _data(file: BinaryIO) -> Iterator[bytes]:
    """Contents of the chunks of the picture, a few bytes at a time."""
    file.seek(len(SIGNATURE))
    while len(head := file.read(8)) == 8:
        size, name = struct.unpack(">L4s", head)
        end = file.tell() + size + 4
        while name == b"IDAT" and file.tell() < end - 4 and (data := file.read(min(size, _STRIP_BYTES))):
            yield data[: end - 4 - file.tell() + len(data)]
        file.seek(end)


def said_by(file: BinaryIO) -> Chunks:
    """What the chunks of a PNG say."""
    found = Chunks()
    color: dict[bytes, bytes] = {}
    for name, data in chunks(file):
        if name in (b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP"):
            color.setdefault(name, data)
        elif name == b"eXIf":
            found.exif = data
        elif name in (b"tEXt", b"zTXt", b"iTXt"):
            _take_text(found, name, data)
        elif name not in _KNOWN and name not in _OF_PIXELS:
            found.lost += (f"chunk {name.decode('latin-1')}" if name != b"caBX" else "content credentials",)
    found.profile, found.warnings = _profile(color)
    return found


def _profile(color: dict[bytes, bytes]) -> tuple[bytes | None, tuple[str, ...]]:
    """An ICC profile of what gAMA, cHRM and cICP say, where no profile and no sRGB chunk overrules them."""
    if len(said := color.get(b"cICP", b"")) == 4:
        profile, warnings = profile_by_numbers(said[0], said[1])
        narrow = () if said[3] else ("levels of video (cICP: 16 to 235) were read as 0 to 255",)
        return profile or SRGB_ICC, (*warnings, *narrow)
    gamma = color.get(b"gAMA", b"")
    if b"iCCP" in color or b"sRGB" in color or len(gamma) != 4:
        return None, ()
    exponent = struct.unpack(">L", gamma)[0] / 100_000
    chromaticities: Chromaticities = SRGB_XY
    if len(said := color.get(b"cHRM", b"")) == 32:
        values = [value / 100_000 for value in struct.unpack(">8L", said)]
        chromaticities = tuple(zip(values[::2], values[1::2], strict=True))
    usual = abs(exponent - _SRGB_GAMMA) < 0.005
    same = np.abs(np.subtract(chromaticities, SRGB_XY)).max() < 0.003
    if (usual and same) or not 0.1 <= exponent <= 4:
        return None, ()
    try:
        return matrix_profile(SRGB_CURVE if usual else gamma_curve(1 / exponent), chromaticities), ()
    except ValueError:
        return None, ("chromaticities that are none (cHRM) were passed over",)


def _take_text(found: Chunks, name: bytes, data: bytes) -> None:
    try:
        keyword, value = _text(name, data)
    except (ValueError, zlib.error, IndexError):
        found.lost += ("text (damaged)",)
        return
    kind = keyword.removeprefix("Raw profile type ").lower() if keyword.startswith("Raw profile type") else ""
    if keyword == _XMP:
        found.xmp = value.encode()
    elif kind in ("exif", "app1", "iptc", "8bim", "xmp"):
        _take_profile(found, kind, value)
    elif kind not in ("icc", "icm"):
        found.text += ((keyword, value),)


def _take_profile(found: Chunks, kind: str, value: str) -> None:
    """Metadata of another kind, as ImageMagick packs it: a name, a size, hexadecimal digits."""
    try:
        raw = bytes.fromhex("".join(value.strip().split("\n", 2)[2].split()))
    except (ValueError, IndexError):
        found.lost += (f"{kind} (damaged)",)
        return
    if kind in ("iptc", "8bim"):
        records, lost = records_of(raw)
        found.iptc, found.lost = found.iptc or records, (*found.lost, *lost)
    elif raw.startswith(b"Exif\0\0"):
        found.exif = found.exif or raw
    else:
        found.xmp = found.xmp or raw.removeprefix(b"http://ns.adobe.com/xap/1.0/\0")


def _text(name: bytes, data: bytes) -> tuple[str, str]:
    keyword, rest = data.split(b"\0", 1)
    if name == b"tEXt":
        value = rest.decode("latin-1")
    elif name == b"zTXt":
        value = _inflated(rest[1:]).decode("latin-1")
    else:
        packed, (_, _, body) = rest[0], rest[2:].split(b"\0", 2)
        value = (_inflated(body) if packed else body).decode()
    return keyword.decode("latin-1"), value


def _inflated(data: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    text = unpacker.decompress(data, _MOST_BYTES)
    if unpacker.unconsumed_tail:
        raise ValueError("too long")
    return text


# --- written --------------------------------------------------------------------------------------


def metadata_chunks(metadata: Metadata) -> list[tuple[bytes, bytes]]:
    """Names and contents of the chunks for XMP, IPTC and text; the others depend on who writes."""
    found = []
    if xmp := packet(metadata):
        found.append((b"iTXt", _XMP.encode() + bytes(5) + xmp))
    if metadata.iptc:
        resource = as_resource(metadata.iptc)
        digits = re.sub("(.{72})", r"\1\n", resource.hex())
        found.append(
            (
                b"zTXt",
                b"Raw profile type iptc\0\0"
                + zlib.compress(f"\niptc\n{len(resource):8}\n{digits}\n".encode()),
            )
        )
    return found + [_text_chunk(keyword, value) for keyword, value in metadata.text]


def _text_chunk(keyword: str, value: str) -> tuple[bytes, bytes]:
    name = keyword.encode("latin-1", "replace")[:79]
    try:
        return b"tEXt", name + b"\0" + value.encode("latin-1")
    except UnicodeEncodeError:
        return b"iTXt", name + bytes(5) + value.encode()


def encode_png16(samples: np.ndarray, metadata: Metadata, icc: bytes) -> bytes:
    """Encode (H, W, 1 to 4) uint16 as PNG: gray, gray and alpha, RGB or RGBA, 16 bits each."""
    height, width, channels = samples.shape
    color_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    parts = [_chunk(b"IHDR", struct.pack(">2L5B", width, height, 16, color_type, 0, 0, 0))]
    parts.append(_chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(icc)))
    if metadata.dpi:
        per_meter = (round(value / 0.0254) for value in metadata.dpi)
        parts.append(_chunk(b"pHYs", struct.pack(">2LB", *per_meter, 1)))
    if metadata.exif:
        parts.append(_chunk(b"eXIf", metadata.exif.removeprefix(b"Exif\0\0")))
    parts += [_chunk(*chunk) for chunk in metadata_chunks(metadata)]
    parts.append(_chunk(b"IDAT", _deflated_rows(samples)))
    return SIGNATURE + b"".join(parts) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">L", len(data)) + name + data + struct.pack(">L", zlib.crc32(name + data))


def _deflated_rows(samples: np.ndarray) -> bytes:
    """Every row as its difference to the row above (PNG's filter 2), wrapping as bytes do."""
    packer = zlib.compressobj(4)  # 16-bit noise does not compress: higher levels only cost time
    above = np.zeros((1, samples[0].size * 2), np.uint8)
    parts = []
    step = max(1, _STRIP_BYTES // above.size)
    for row in range(0, len(samples), step):
        band = samples[row : row + step].astype(">u2").view(np.uint8).reshape(-1, above.size)
        filtered = band - np.concatenate([above, band[:-1]])
        parts.append(packer.compress(np.insert(filtered, 0, 2, axis=1).tobytes()))
        above = band[-1:]
    return b"".join([*parts, packer.flush()])
