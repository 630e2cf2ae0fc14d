"""Chroma onto a photo at full size, so that its lightness stays.

Small `lines` say what chroma is at each place as a linear function of lightness (`guided_lines`). Here they
are brought to full size, given the photo's own lightness, merged with it, and rounded such that it stays.
"""

from threading import Lock

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..color import ColorSpace, RGBSpace, quantize_rgb
from .compiled import CODES, chroma_of_strip, fill_in, look_up, unknown_of

STRIP_PIXELS = 1 << 16  # some 2 MB of working arrays, which the cache holds
COMPUTED = 1 << 14  # colors at a time: their float64 fits the cache
HALF = CODES // 2


def paint(pixels: np.ndarray, lines: np.ndarray, space: ColorSpace, palette: "Palette") -> np.ndarray:
    """Color `pixels`, keeping their lightness.

    Parameters
    ----------
    pixels : array
        (H, W, 1 or 3) uint8 or uint16 sRGB.
    lines : array
        (h, w, 4) float32: slopes of the two scaled chroma channels over scaled lightness, then offsets.

    Returns
    -------
    array
        (H, W, 3) of the same type.
    """
    if pixels.dtype == np.uint8 and pixels.shape[2] == 1:
        return palette.paint(pixels[..., 0], lines)
    out = np.empty((*pixels.shape[:2], 3), pixels.dtype)
    rows = max(1, STRIP_PIXELS // pixels.shape[1])
    for top in range(0, len(pixels), rows):
        out[top : top + rows] = _painted(pixels[top : top + rows], lines, top, len(pixels), space)
    return out


def scaled_lightness(pixels: np.ndarray, space: ColorSpace | RGBSpace) -> Tensor:
    """(H, W, 1 or 3) uint8 or uint16 sRGB to scaled lightness (1, 1, H, W)."""
    samples = torch.from_numpy(pixels.astype(np.float32) / np.float32(levels_of(pixels)))
    return space.lightness(samples.permute(2, 0, 1)[None].expand(-1, 3, -1, -1))


def extremes(pixels: np.ndarray, size: tuple[int, ...], space: ColorSpace) -> tuple[Tensor, Tensor]:
    """The darkest and the lightest of what is painted by each line of a copy.

    Parameters
    ----------
    pixels : array
        (H, W, 1 or 3) uint8 or uint16 sRGB.
    size : pair of int
        Of the copy.

    Returns
    -------
    pair of Tensor
        (1, 1, h, w), scaled lightness; a line counts up to the middle of its neighbors.
    """
    rows, columns = (np.arange(n) * whole // n for n, whole in zip(size, pixels.shape[:2], strict=True))
    found = []
    for end, sign in ((np.minimum, -1), (np.maximum, 1)):
        levels = end.reduceat(end.reduceat(pixels, rows, axis=0), columns, axis=1)
        own = scaled_lightness(end.reduce(levels, axis=2, keepdims=True), space)
        found.append(sign * F.max_pool2d(sign * own, 3, 1, 1))
    return found[0], found[1]


def levels_of(pixels: np.ndarray) -> int:
    """The value of white: 255 or 65535."""
    return int(np.iinfo(pixels.dtype).max)


class Palette:
    """The colors of 8-bit gray: an RGB for each level and each pair of chroma codes, kept once computed.

    A color is a function of its level and codes alone, so outputs do not depend on what came before. It is
    computed in float64, where it does not matter to the rounding how numbers lie in vector registers.
    """

    def __init__(self, space: ColorSpace):
        self.space = space
        # Pages of zeros take no memory until they are written to: a folder of photos fills some of them.
        self.colors = np.zeros(CODES * CODES * 256, np.int32)
        levels = np.arange(256, dtype=np.uint8).reshape(1, 256, 1)
        self.lightness = scaled_lightness(levels, space).numpy().reshape(256)
        self.lock = Lock()  # what one worker computes, the next one need not

    def paint(self, gray: np.ndarray, lines: np.ndarray) -> np.ndarray:
        """(H, W) uint8 and (h, w, 4) lines to (H, W, 3), a view of pixels of four bytes, as in Pillow."""
        # To codes, to be rounded down: hence the half.
        codes = lines * np.float32(HALF - 1) + np.array([0, 0, HALF + 0.5, HALF + 0.5], np.float32)
        padded = np.empty((*gray.shape, 4), np.uint8)
        packed = padded.view(np.int32)[..., 0]
        unknown = look_up(codes, gray, self.lightness, self.colors, packed)
        if unknown:
            with self.lock:
                self._learn(unknown_of(packed, self.colors, np.empty(unknown, np.int32)))
            fill_in(packed, self.colors)
        return padded[..., :3]

    def _learn(self, indices: np.ndarray) -> None:
        """Compute colors whose indices `unknown_of` has found."""
        try:
            for start in range(0, len(indices), COMPUTED):
                part = indices[start : start + COMPUTED]
                self.colors[part] = self._computed(torch.from_numpy(part))
        except BaseException:
            self.colors[indices] = 0
            raise

    def _computed(self, indices: Tensor) -> np.ndarray:
        gray = (indices & 255).double() / 255
        lightness = self.space.lightness(gray.view(1, 1, -1, 1).expand(-1, 3, -1, -1))
        codes = torch.stack([indices >> 17, (indices >> 8) & (CODES - 1)])
        rgb = self.space.merge(lightness, (codes.double() - HALF)[None, ..., None] / (HALF - 1))
        red, green, blue = quantize_rgb(rgb, (lightness + 1) * 50, 255)[0, ..., 0].long().numpy()
        # The fourth byte makes a known color negative.
        packed = red | green << 8 | blue << 16 | 255 << 24
        return packed.astype(np.uint32).view(np.int32)


def _painted(pixels: np.ndarray, lines: np.ndarray, top: int, height: int, space: ColorSpace) -> np.ndarray:
    """(R, W, 1 or 3) pixels of any kind, the rows from `top` on of `height`, to (R, W, 3)."""
    lightness = scaled_lightness(pixels, space)
    chroma = chroma_of_strip(lines, lightness[0, 0].numpy(), top, height)
    rgb = space.merge(lightness, torch.from_numpy(chroma)[None])
    rounded = quantize_rgb(rgb, (lightness + 1) * 50, levels_of(pixels))
    return rounded[0].movedim(0, -1).numpy().astype(pixels.dtype)
