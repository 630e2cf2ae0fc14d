"""From Pillow's modes to `Photo` and back."""

from __future__ import annotations

from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image, TiffImagePlugin

from cyclecolor.files import shown
from cyclecolor.photos import profiles
from cyclecolor.photos.deep import is_deep, read_deep
from cyclecolor.photos.exif import carried_metadata, orientation_of, upright
from cyclecolor.photos.guard import refusing
from cyclecolor.photos.photo import Photo, PhotoError

Planes = tuple[np.ndarray, np.ndarray | None]  # (H, W, 1 or 3) in sRGB, (H, W) alpha or None


def decode_image(image: Image.Image) -> Photo:
    """Convert an opened PIL `image` of any mode to a `Photo`; of several frames, the current one.

    16-bit RGB comes with 8 bits here (PIL has nothing wider); `read_photo` keeps 16.

    Raises
    ------
    PhotoError
        The file behind `image` is damaged, or its pixels have no known range ("unsupported").
    """
    name = shown(getattr(image, "filename", "") or "image")
    with refusing(name):
        return decode(image, name)


def decode(image: Image.Image, name: str, file: BinaryIO | None = None) -> Photo:
    """Decode `image`, called `name` in messages; `file` serves where PIL would cut 16 bits to 8."""
    raw_mode = _raw_mode(image)
    # While loading a TIFF, Pillow turns it upright and forgets the tag; in other formats it does
    # neither.
    turn = orientation_of(image) if image.format == "TIFF" else 1
    image.load()
    orientation = orientation_of(image)
    pixels, alpha = _planes(image, raw_mode, turn, name, file)
    return Photo(
        upright(pixels, orientation),
        None if alpha is None else upright(alpha, orientation),
        carried_metadata(image, max(turn, orientation)),
    )


def encode_image(photo: Photo) -> Image.Image:
    """Convert `photo` to a PIL image: L, LA, RGB or RGBA; I;16 for 16-bit gray without alpha.

    Other 16-bit photos are rounded to 8 bits, since PIL has no such modes.
    """
    if photo.pixels.dtype == np.uint16 and photo.pixels.shape[2] == 1 and photo.alpha is None:
        return Image.fromarray(photo.pixels[..., 0])
    samples = narrow(interleaved(photo))
    return Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples)


def interleaved(photo: Photo) -> np.ndarray:
    """(H, W, 1 to 4) samples of `photo`, alpha last."""
    return photo.pixels if photo.alpha is None else np.dstack([photo.pixels, photo.alpha])


def narrow(samples: np.ndarray) -> np.ndarray:
    """Round uint16 samples to uint8 (65535 becomes 255); uint8 passes through."""
    if samples.dtype == np.uint8:
        return samples
    # 257 is odd, so nothing lies halfway and float rounding cannot go wrong.
    return cv2.convertScaleAbs(samples, alpha=1 / 257).reshape(samples.shape)


def flattened(photo: Photo) -> np.ndarray:
    """(H, W, 1 or 3) uint8 of `photo` laid on white, as viewers show it where there is no alpha."""
    pixels = narrow(photo.pixels)
    if photo.alpha is None:
        return pixels
    alpha = narrow(photo.alpha)[..., None].astype(np.float32) / 255
    return np.rint(pixels * alpha + 255 * (1 - alpha)).astype(np.uint8)


def _raw_mode(image: Image.Image) -> str:
    """How the file stores its samples ("RGB;16B", "L;4"...); "" once loaded or where hidden."""
    tiles = getattr(image, "tile", None)
    arguments = tiles[0][3] if tiles else ""
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


def _planes(image: Image.Image, raw_mode: str, turn: int, name: str, file: BinaryIO | None) -> Planes:
    icc = image.info.get("icc_profile")
    if image.mode.startswith(("I", "F")):
        return _wide_gray_planes(image, raw_mode, icc, name)
    gray = raw_mode.startswith("LA;16")  # Pillow opens 16-bit gray with alpha as RGBA
    if file is not None and is_deep(image, raw_mode):
        deep = read_deep(file, image, turn)
        planes = None if deep is None else _deep_planes(deep, image, gray, icc)
        if planes is not None:
            return planes
    return _shallow_planes(image.convert("LA") if gray else image, raw_mode, icc)


def _wide_gray_planes(image: Image.Image, raw_mode: str, icc: bytes | None, name: str) -> Planes:
    """Planes of modes I;16, I and F, which Pillow's conversions would clip at 255."""
    samples = np.asarray(image)
    tags = getattr(image, "tag_v2", {})
    if raw_mode == "I;12":
        samples = np.rint(samples * (65535 / 4095)).astype(np.uint16)
    if image.mode.startswith("F"):
        samples = _from_float(samples, name)
    if image.mode == "I":
        samples = _from_integers(samples, image.format or "", name)
    samples = samples.astype(samples.dtype.newbyteorder("="))
    if tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0:
        samples = ~samples  # white is zero, which Pillow inverts at 8 bits only
    key = image.info.get("transparency")
    alpha = None if key is None else _keyed_alpha(samples, key)
    converted = profiles.gray16_to_srgb(samples, icc) if samples.dtype == np.uint16 else samples
    return converted[..., None], alpha


def _from_float(samples: np.ndarray, name: str) -> np.ndarray:
    if not (samples.min() >= 0 and samples.max() <= 1):  # written so that NaN fails too
        raise _no_known_range(name, "decimal values outside 0 to 1")
    return np.rint(samples * np.float32(65535)).astype(np.uint16)


def _from_integers(samples: np.ndarray, source: str, name: str) -> np.ndarray:
    low, high = samples.min(), samples.max()
    if low < 0 or high > 65535:
        raise _no_known_range(name, "32-bit or signed values")
    # PPM and PNG state their range, 0 to 65535.  In others, nothing above 255 means 8 bits.
    eight_bit = high <= 255 and source not in ("PPM", "PNG")
    return samples.astype(np.uint8 if eight_bit else np.uint16)


def _no_known_range(name: str, what: str) -> PhotoError:
    return PhotoError(
        f"{name}: {what}, so black and white are unknown; save it with 8 or 16 bits",
        reason="unsupported",
    )


def _keyed_alpha(pixels: np.ndarray, key: int | tuple[int, ...]) -> np.ndarray:
    """(H, W) alpha that is 0 where all of a pixel's channels equal `key`, else full."""
    top = np.iinfo(pixels.dtype).max
    matches = pixels == (np.asarray(key) & top).astype(pixels.dtype)
    visible = ~matches if matches.ndim == 2 else ~matches.all(axis=2)
    return visible * pixels.dtype.type(top)


def _scaled_key(key: int | tuple[int, ...], raw_mode: str) -> int | tuple[int, ...]:
    """Bring a PNG's transparent color from the file's depth to 8 bits, as the pixels were."""
    if isinstance(key, tuple):
        return tuple(value >> 8 for value in key) if ";16" in raw_mode else key
    return key * {"L;2": 85, "L;4": 17}.get(raw_mode, 1)


def _deep_planes(deep: np.ndarray, image: Image.Image, gray: bool, icc: bytes | None) -> Planes | None:
    has_alpha = image.has_transparency_data and deep.shape[2] == 4
    alpha = np.ascontiguousarray(deep[..., 3]) if has_alpha else None
    if gray:
        return profiles.gray16_to_srgb(np.ascontiguousarray(deep[..., 0]), icc)[..., None], alpha
    converted = profiles.rgb16_to_srgb(np.ascontiguousarray(deep[..., :3]), icc)
    return None if converted is None else (converted, alpha)


def _shallow_planes(image: Image.Image, raw_mode: str, icc: bytes | None) -> Planes:
    """Planes of an 8-bit image.  Pillow's own conversions serve where they lose nothing."""
    if image.mode in ("1", "RGBX", "YCbCr", "HSV"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    if image.mode in ("L", "RGB"):
        key, alpha = image.info.get("transparency"), None
        if key is not None:
            alpha = _keyed_alpha(np.asarray(image), _scaled_key(key, raw_mode))
        return profiles.to_srgb(image, icc), alpha
    if image.mode in ("CMYK", "LAB"):
        return profiles.to_srgb(image, icc), None
    if not image.has_transparency_data:
        return profiles.to_srgb(image.convert("RGB"), icc), None
    gray = image.mode in ("LA", "La")
    image = image.convert("LA" if gray else "RGBA")
    alpha = np.array(image.getchannel("A"))
    return profiles.to_srgb(image.convert("L" if gray else "RGB"), icc), alpha
