"""ICC profiles (ICC.1:2010) made and taken apart: those that outputs carry, and matrix profiles of inputs."""

import io
import struct

import numpy as np
from PIL import ImageCms

# IEC 61966-2-1 primaries adapted to ICC's D50 with Bradford, one row for each of red, green, blue.
SRGB_COLORANTS = (
    (0.43607, 0.22249, 0.01392),
    (0.38515, 0.71687, 0.09708),
    (0.14307, 0.06061, 0.71410),
)
_D50 = (0.9642, 1.0, 0.8249)
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_D65_TO_D50 = (1.04788, 0.02292, -0.05022, 0.02959, 0.99048, -0.01707, -0.00925, 0.01508, 0.75168)


def fixed(*values: float) -> bytes:
    """As ICC's s15Fixed16 numbers."""
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def xyz(values: tuple[float, ...]) -> bytes:
    """A tag of one color."""
    return b"XYZ \0\0\0\0" + fixed(*values)


def text(words: str) -> bytes:
    """A tag of text."""
    body = words.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">2L4s2L", 1, 12, b"enUS", len(body), 28) + body


def make_profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """Assemble an ICC.1:2010 (v4.3) display profile.

    Not `ImageCms.createProfile`: that has no gray, and stamps the time, so equal inputs would give
    outputs with different checksums.
    """
    table, body = struct.pack(">L", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += struct.pack(">4s2L", name, start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = struct.pack(
        ">L4sL4s4s4s12s4s28s12s48x",
        start + len(body), bytes(4), 0x04300000, b"mntr", space, b"XYZ ",
        struct.pack(">6H", 2024, 1, 1, 0, 0, 0), b"acsp", bytes(28), fixed(*_D50),
    )  # fmt: skip
    return header + table + body


SRGB_CURVE = b"para\0\0\0\0\0\3\0\0" + fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
Chromaticities = tuple[tuple[float, float], ...]

SRGB_XY: Chromaticities = ((0.3127, 0.3290), (0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
"""Chromaticities of white, red, green and blue."""


def gamma_curve(gamma: float) -> bytes:
    """A tag of the curve light = code^gamma."""
    return b"para" + bytes(8) + fixed(gamma)


def matrix_profile(curve: bytes, chromaticities: Chromaticities = SRGB_XY) -> bytes:
    """An RGB profile.

    Parameters
    ----------
    curve : bytes
        The tag of all three channels.
    chromaticities : 4 pairs of float
        x and y of white, red, green and blue.

    Raises
    ------
    ValueError
        These are no colors, or lie in a line.
    """
    try:
        white, *colors = (np.array([x / y, 1, (1 - x - y) / y]) for x, y in chromaticities)
        light = np.linalg.solve(np.transpose(colors), white)[:, None] * colors  # a row for each color
    except (ZeroDivisionError, np.linalg.LinAlgError) as error:
        raise ValueError("chromaticities that are none") from error
    cones = _BRADFORD @ np.array(_D50) / (_BRADFORD @ white)
    adapted = light @ (np.linalg.inv(_BRADFORD) @ np.diag(cones) @ _BRADFORD).T
    if not np.abs(adapted).max() < 4:  # written so that NaN fails too
        raise ValueError("chromaticities that are none")
    tags = {b"desc": text("as the file says"), b"wtpt": xyz(_D50)}
    for letter, colorant in zip(b"rgb", adapted.tolist(), strict=True):
        tags |= {bytes([letter]) + b"XYZ": xyz(tuple(colorant)), bytes([letter]) + b"TRC": curve}
    return make_profile(b"RGB ", tags)


# ITU-T H.273: chromaticities and curves by their numbers, as PNG's cICP and HEIF have them.
_PRIMARIES = {
    1: SRGB_XY,
    9: ((0.3127, 0.3290), (0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    12: ((0.3127, 0.3290), (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
_CURVES = {
    1: SRGB_CURVE,
    4: gamma_curve(2.2),
    5: gamma_curve(2.8),
    6: SRGB_CURVE,
    8: gamma_curve(1),
    13: SRGB_CURVE,
}
_UNSPECIFIED = 2


def profile_by_numbers(primaries: int, curve: int) -> tuple[bytes | None, tuple[str, ...]]:
    """A profile of colors by their numbers in H.273, None of sRGB's; and what there is to warn of."""
    known = _PRIMARIES | {_UNSPECIFIED: SRGB_XY}, _CURVES | {_UNSPECIFIED: SRGB_CURVE}
    if primaries not in known[0] or curve not in known[1]:
        return None, (f"colors of kind {primaries}/{curve} (ITU-T H.273) were read as sRGB",)
    found = known[0][primaries], known[1][curve]
    return (None if found == (SRGB_XY, SRGB_CURVE) else matrix_profile(found[1], found[0])), ()


def _srgb_profile(space: bytes) -> bytes:
    curve = SRGB_CURVE
    tags = {b"desc": text("sRGB" if space == b"RGB " else "sRGB gray"), b"cprt": text("CC0")}
    tags |= {b"wtpt": xyz(_D50), b"chad": b"sf32\0\0\0\0" + fixed(*_D65_TO_D50)}
    if space == b"GRAY":
        return make_profile(space, tags | {b"kTRC": curve})
    for letter, colorant in zip(b"rgb", SRGB_COLORANTS, strict=True):
        tags |= {bytes([letter]) + b"XYZ": xyz(colorant), bytes([letter]) + b"TRC": curve}
    return make_profile(space, tags)


ADOBE_RGB_ICC: bytes = matrix_profile(
    gamma_curve(563 / 256), ((0.3127, 0.3290), (0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
)
"""Adobe RGB (1998), for inputs that name it and do not bring it."""

SRGB_ICC: bytes = _srgb_profile(b"RGB ")
"""sRGB, for color outputs."""

GRAY_ICC: bytes = _srgb_profile(b"GRAY")
"""Gray with sRGB's curve, for gray outputs: PNG and TIFF forbid RGB profiles there."""


def matrix_of(icc: bytes) -> np.ndarray:
    """(3, 3) float32 from the profile's linear RGB to sRGB's, both as rows: ``rgb @ matrix``."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(icc)).profile
    found = (source.red_colorant, source.green_colorant, source.blue_colorant)
    colorants = [colorant[0] for colorant in found if colorant is not None]
    if b"A2B0" in _tags(icc) or len(colorants) < 3:
        raise ValueError("not a matrix profile")
    to_xyz = np.array(colorants)
    return (to_xyz @ np.linalg.inv(np.array(SRGB_COLORANTS))).astype(np.float32)


def _tags(icc: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">L", icc, 128)
    if count > 100:
        raise ValueError("too many tags")
    rows = (struct.unpack_from(">4s2L", icc, 132 + 12 * row) for row in range(count))
    return {name: icc[start : start + size] for name, start, size in rows}


def curves_of(icc: bytes) -> list[np.ndarray]:
    """Linear light in [0, 1] of each 16-bit code in red, green and blue; ValueError if it has no curves."""
    tags = _tags(icc)
    return [_curve(tags.get(name, b"")) for name in (b"rTRC", b"gTRC", b"bTRC")]


def _curve(tag: bytes) -> np.ndarray:
    """Linear light in [0, 1] of each 16-bit code, from a curv or para tag (ICC.1:2010, 10.5)."""
    x = np.linspace(0, 1, 65536)
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">L", tag, 8)
        points = np.frombuffer(tag, ">u2", count, 12)
        if count <= 1:
            return (x ** (points[0] / 256 if count else 1)).astype(np.float32)
        return np.interp(x, np.linspace(0, 1, count), points / 65535).astype(np.float32)
    if tag[:4] == b"para":
        return _parametric(x, tag)
    raise ValueError("no tone curve")


def _parametric(x: np.ndarray, tag: bytes) -> np.ndarray:
    (kind,) = struct.unpack_from(">H", tag, 8)
    if kind > 4:
        raise ValueError("unknown parametric curve")
    given = np.frombuffer(tag, ">i4", (1, 3, 4, 5, 7)[kind], 12) / 65536
    g, a, b, c, d, e, f = np.append(given, (1, 0, 0, 0, 0, 0)[len(given) - 1 :])
    if kind in (1, 2):  # no linear part: below -b/a the curve rests at c
        c, d, e, f = 0, -b / a, c, c
    return np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f).clip(0, 1).astype(np.float32)


def srgb_encoded(linear: np.ndarray) -> np.ndarray:
    """Light in [0, 1] by sRGB's curve (IEC 61966-2-1)."""
    linear = linear.clip(0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
