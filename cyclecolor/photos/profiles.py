"""ICC profiles: whatever a file brings becomes sRGB; what leaves says that it is sRGB.

8-bit pixels go through LittleCMS (`PIL.ImageCms`).  It has no 16-bit RGB, so matrix profiles (all
camera and display ones) are read here for those; 16-bit gray is LittleCMS again, through a gray
profile of ours.
"""

from __future__ import annotations

import io
import struct
from functools import cache

import numpy as np
from PIL import Image, ImageCms

# IEC 61966-2-1 primaries adapted to ICC's D50 with Bradford, one row for each of red, green, blue.
_SRGB_COLORANTS = (
    (0.43607, 0.22249, 0.01392),
    (0.38515, 0.71687, 0.09708),
    (0.14307, 0.06061, 0.71410),
)
_D50 = (0.9642, 1.0, 0.8249)
_D65_TO_D50 = (1.04788, 0.02292, -0.05022, 0.02959, 0.99048, -0.01707, -0.00925, 0.01508, 0.75168)
_BAND_ROWS = 256  # rows converted at a time: floats of a whole 100-megapixel scan would be gigabytes


def _fixed(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(*values)


def _text(text: str) -> bytes:
    body = text.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">2L4s2L", 1, 12, b"enUS", len(body), 28) + body


def _make_profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
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
        struct.pack(">6H", 2024, 1, 1, 0, 0, 0), b"acsp", bytes(28), _fixed(*_D50),
    )  # fmt: skip
    return header + table + body


def _srgb_profile(space: bytes) -> bytes:
    curve = b"para\0\0\0\0\0\3\0\0" + _fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    tags = {b"desc": _text("sRGB" if space == b"RGB " else "sRGB gray"), b"cprt": _text("CC0")}
    tags |= {b"wtpt": _xyz(_D50), b"chad": b"sf32\0\0\0\0" + _fixed(*_D65_TO_D50)}
    if space == b"GRAY":
        return _make_profile(space, tags | {b"kTRC": curve})
    for letter, colorant in zip(b"rgb", _SRGB_COLORANTS, strict=True):
        tags |= {bytes([letter]) + b"XYZ": _xyz(colorant), bytes([letter]) + b"TRC": curve}
    return _make_profile(space, tags)


SRGB_ICC: bytes = _srgb_profile(b"RGB ")
"""sRGB, for color outputs."""

GRAY_ICC: bytes = _srgb_profile(b"GRAY")
"""Gray with sRGB's curve, for gray outputs: PNG and TIFF forbid RGB profiles there."""


def to_srgb(image: Image.Image, icc: bytes | None) -> np.ndarray:
    """Convert `image` (mode L, RGB, CMYK or LAB) to sRGB.

    Parameters
    ----------
    icc
        Embedded profile.  A broken one, or one for another colour model, is ignored: the pixels
        then count as sRGB (CMYK as plain inks).  A gray picture may have an RGB profile; its curve
        is used.

    Returns
    -------
    (H, W, 1) from L, else (H, W, 3); uint8.
    """
    if image.mode == "LAB":
        return np.array(_applied(image, _lab_to_srgb()))
    transform = _transform(icc, image.mode) if icc else None
    if image.mode == "L":
        return _gray_to_srgb(image, transform)
    if transform is not None:
        image = _applied(image, transform)
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def gray16_to_srgb(samples: np.ndarray, icc: bytes | None) -> np.ndarray:
    """Convert (H, W) uint16 gray with profile `icc` to sRGB's curve, at 16 bits."""
    transform = _transform(icc, "I;16") if icc else None
    if transform is None:
        return samples
    ramp = Image.fromarray(np.arange(65536, dtype=np.uint16)[None])
    curve = np.asarray(_applied(ramp, transform))[0]
    out = np.empty_like(samples)
    for row in range(0, len(samples), _BAND_ROWS):
        out[row : row + _BAND_ROWS] = curve[samples[row : row + _BAND_ROWS]]
    return out


def rgb16_to_srgb(samples: np.ndarray, icc: bytes | None) -> np.ndarray | None:
    """Convert (H, W, 3) uint16 RGB with profile `icc` to sRGB, at 16 bits.

    Returns
    -------
    None where the profile maps by table instead of a matrix: only the 8-bit way can do those.
    """
    if not icc or _transform(icc, "RGB") is None:
        return samples
    try:
        curves, matrix = _curves_of(icc), _matrix_of(icc)
    except (ValueError, struct.error):
        return None
    out = np.empty_like(samples)
    for row in range(0, len(samples), _BAND_ROWS):
        band = samples[row : row + _BAND_ROWS]
        linear = np.stack([curves[c][band[..., c]] for c in range(3)], axis=-1)
        out[row : row + _BAND_ROWS] = np.rint(_encoded(linear @ matrix) * 65535)
    return out


def _applied(image: Image.Image, transform: ImageCms.ImageCmsTransform) -> Image.Image:
    return ImageCms.applyTransform(image, transform)


def _gray_to_srgb(image: Image.Image, transform: ImageCms.ImageCmsTransform | None) -> np.ndarray:
    if transform is None:
        return np.array(image)[..., None]
    ramp = Image.frombytes("L", (256, 1), bytes(range(256)))
    if transform.input_mode == "RGB":
        ramp = ramp.convert("RGB")
    # A neutral ramp stays neutral; green carries most of its lightness.
    curve = np.asarray(_applied(ramp, transform)).reshape(256, -1)
    return np.array(image.point(curve[:, curve.shape[1] // 2].tolist()))[..., None]


def _profile(icc: bytes) -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(io.BytesIO(icc))


@cache
def _lab_to_srgb() -> ImageCms.ImageCmsTransform:
    return _built(ImageCms.createProfile("LAB"), "LAB", SRGB_ICC, "RGB")


def _built(
    source: ImageCms.ImageCmsProfile | ImageCms.core.CmsProfile,
    mode: str,
    target_icc: bytes,
    target_mode: str,
    flags: ImageCms.Flags = ImageCms.Flags.NONE,
) -> ImageCms.ImageCmsTransform:
    # Relative colorimetric keeps paper white at 255; black point compensation keeps shadows open.
    return ImageCms.buildTransform(
        source,
        _profile(target_icc),
        mode,
        target_mode,
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=flags | ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )


def _transform(icc: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Transform from `icc` to sRGB for pixels of `mode`; None for nothing to do, or to trust."""
    if icc in (SRGB_ICC, GRAY_ICC):
        return None
    try:
        source = _profile(icc)
        space = source.profile.xcolor_space.strip()
        if mode in ("L", "I;16") and space == "GRAY":
            # Only a ramp is ever converted: no need for the table that is 0.6 of a level off at 2%.
            return _built(source, mode, GRAY_ICC, mode, ImageCms.Flags.NOOPTIMIZE)
        if mode in ("L", "RGB") and space == "RGB":
            transform = _built(source, "RGB", SRGB_ICC, "RGB")
            return None if _changes_nothing(transform) else transform
        if mode == space == "CMYK":
            return _built(source, "CMYK", SRGB_ICC, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, AttributeError):
        pass  # a broken profile is no reason to refuse a good picture
    return None


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether an RGB transform moves no color by more than one level: then the profile *is* sRGB.

    Measured, since profiles named sRGB are not all sRGB, and rounding twice would cost a level.
    """
    levels = np.linspace(0, 255, 10).astype(np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(10, 100, 3)
    moved = np.asarray(_applied(Image.fromarray(cube), transform))
    return np.abs(moved.astype(int) - cube).max() <= 1


def _matrix_of(icc: bytes) -> np.ndarray:
    """(3, 3) float32 from the profile's linear RGB to sRGB's, both as rows: ``rgb @ matrix``."""
    source = _profile(icc).profile
    colorants = [source.red_colorant, source.green_colorant, source.blue_colorant]
    if b"A2B0" in _tags(icc) or None in colorants:
        raise ValueError("not a matrix profile")
    to_xyz = np.array([colorant[0] for colorant in colorants])
    return (to_xyz @ np.linalg.inv(np.array(_SRGB_COLORANTS))).astype(np.float32)


def _tags(icc: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">L", icc, 128)
    if count > 100:
        raise ValueError("too many tags")
    rows = (struct.unpack_from(">4s2L", icc, 132 + 12 * row) for row in range(count))
    return {name: icc[start : start + size] for name, start, size in rows}


def _curves_of(icc: bytes) -> list[np.ndarray]:
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
    g, a, b, c, d, e, f = (*given, *(1, 0, 0, 0, 0, 0)[len(given) - 1 :])
    if kind in (1, 2):  # no linear part: below -b/a the curve rests at c
        c, d, e, f = 0, -b / a, c, c
    return np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f).clip(0, 1).astype(np.float32)


def _encoded(linear: np.ndarray) -> np.ndarray:
    linear = linear.clip(0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
