"""ICC profiles: whatever a file brings becomes sRGB; what leaves says that it is sRGB.

8-bit pixels go through LittleCMS (`PIL.ImageCms`). It has no 16-bit RGB, so matrix profiles (all
camera and display ones) are read here for those; 16-bit gray is LittleCMS again, through a gray
profile of ours.
"""

import io
import struct
from functools import cache

import numpy as np
from PIL import Image, ImageCms

from .icc import GRAY_ICC, SRGB_ICC, curves_of, matrix_of, srgb_encoded
from .samples import narrow

_BAND_ROWS = 256  # rows converted at a time: floats of a whole 100-megapixel scan would be gigabytes


def to_srgb(image: Image.Image, icc: bytes | None) -> np.ndarray:
    """Convert `image` (mode L, RGB, CMYK or LAB) to sRGB.

    Parameters
    ----------
    icc
        Embedded profile. A broken one, or one for another color model, is ignored: the pixels
        then count as sRGB (CMYK as plain inks). A gray picture may have an RGB profile; its curve
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


def gray_to_srgb(samples: np.ndarray, icc: bytes | None) -> np.ndarray:
    """Convert (H, W, 1) gray, uint8 or uint16, with profile `icc` to sRGB's curve, at the same depth."""
    if samples.dtype == np.uint8:
        return to_srgb(Image.fromarray(samples[..., 0]), icc)
    curve = _gray16_curve(icc) if icc else None
    if curve is None:
        return samples
    out = np.empty_like(samples)
    for row in range(0, len(samples), _BAND_ROWS):
        out[row : row + _BAND_ROWS] = curve[samples[row : row + _BAND_ROWS]]
    return out


def _gray16_curve(icc: bytes) -> np.ndarray | None:
    """What each 16-bit code becomes."""
    if transform := _transform(icc, "I;16"):
        return np.asarray(_applied(Image.fromarray(np.arange(65536, dtype=np.uint16)[None]), transform))[0]
    if _transform(icc, "RGB") is None:
        return None
    try:  # as at 8 bits: the curve of an RGB profile, in which a neutral ramp stays neutral
        return np.rint(srgb_encoded(curves_of(icc)[1]) * 65535).astype(np.uint16)
    except (ValueError, struct.error):
        return None


def rgb_to_srgb(samples: np.ndarray, icc: bytes | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Convert (H, W, 3) RGB, uint8 or uint16, with profile `icc` to sRGB; and what there is to warn of."""
    if samples.dtype == np.uint8:
        return to_srgb(Image.fromarray(samples), icc), ()
    converted = rgb16_to_srgb(samples, icc)
    if converted is not None:
        return converted, ()
    return to_srgb(Image.fromarray(narrow(samples)), icc), ("16 bits became 8: the profile maps by a table",)


def rgb16_to_srgb(samples: np.ndarray, icc: bytes | None) -> np.ndarray | None:
    """Convert (H, W, 3) uint16 RGB with profile `icc` to sRGB, at 16 bits.

    Returns
    -------
    None where the profile maps by table instead of a matrix: only the 8-bit way can do those.
    """
    if not icc or _transform(icc, "RGB") is None:
        return samples
    try:
        curves, matrix = curves_of(icc), matrix_of(icc)
    except (ValueError, struct.error):
        return None
    out = np.empty_like(samples)
    for row in range(0, len(samples), _BAND_ROWS):
        band = samples[row : row + _BAND_ROWS]
        linear = np.stack([curves[c][band[..., c]] for c in range(3)], axis=-1)
        out[row : row + _BAND_ROWS] = np.rint(srgb_encoded(linear @ matrix) * 65535)
    return out


def _applied(image: Image.Image, transform: ImageCms.ImageCmsTransform) -> Image.Image:
    done = ImageCms.applyTransform(image, transform)
    assert done is not None  # it is where it works in place
    return done


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
    return _built(ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), "LAB", SRGB_ICC, "RGB")


def _built(
    source: ImageCms.ImageCmsProfile,
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
