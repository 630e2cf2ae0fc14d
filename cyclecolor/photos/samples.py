"""Samples of any range to those of a `Photo`: uint8 from 0 to 255, or uint16 from 0 to 65535."""

import cv2
import numpy as np

from .guard import Refused


def narrow(samples: np.ndarray) -> np.ndarray:
    """Round uint16 samples to uint8 (65535 becomes 255); uint8 passes through."""
    if samples.dtype == np.uint8:
        return samples
    # 257 is odd, so nothing lies halfway and float rounding cannot go wrong.
    return cv2.convertScaleAbs(samples, alpha=1 / 257).reshape(samples.shape)


def widened(samples: np.ndarray, bits: int) -> np.ndarray:
    """From 0 to 2^`bits` - 1 to the full range of the narrowest type; of another byte order, to ours."""
    if bits in (8, 16):
        return samples.astype(samples.dtype.newbyteorder("="), copy=False)
    top, dtype = (255, np.uint8) if bits < 8 else (65535, np.uint16)
    return np.rint(np.arange(1 << bits) * (top / ((1 << bits) - 1))).astype(dtype)[samples]


def from_decimals(samples: np.ndarray) -> np.ndarray:
    """From floats between 0 and 1.

    Raises
    ------
    Refused
        Some are not.
    """
    if not (samples.min() >= 0 and samples.max() <= 1):  # written so that NaN fails too
        raise _no_known_range("decimal values outside 0 to 1")
    return np.rint(samples * np.float32(65535)).astype(np.uint16)


def from_integers(samples: np.ndarray, *, sixteen: bool = False) -> np.ndarray:
    """From 32-bit integers, which some programs write for want of 16: nothing above 255 means 8 bits.

    Parameters
    ----------
    sixteen : bool
        The file says that they go from 0 to 65535.

    Raises
    ------
    Refused
        Some are beyond 16 bits.
    """
    low, high = samples.min(), samples.max()
    if low < 0 or high > 65535:
        raise _no_known_range("32-bit or signed values")
    return samples.astype(np.uint8 if high <= 255 and not sixteen else np.uint16)


def divided(colors: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Undo the multiplication of (H, W, C) `colors` by (H, W) `alpha`; what cannot be seen becomes 0."""
    top = np.iinfo(colors.dtype).max
    out = np.empty_like(colors)
    for row in range(len(colors)):
        seen = np.maximum(alpha[row, :, None], 1).astype(np.float64)
        out[row] = np.minimum(np.rint(colors[row] * (top / seen)), top) * (alpha[row, :, None] > 0)
    return out


def _no_known_range(what: str) -> Refused:
    return Refused("unsupported", f"{what}, so black and white are unknown; save it with 8 or 16 bits")
