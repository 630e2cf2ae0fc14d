"""Chroma onto a photo at full size, strip by strip, so that memory stays small and strips in cache.

Small `lines` say what chroma is at each place as a linear function of lightness (`guided_lines`). Here they
are brought to full size, given the photo's own lightness, merged with it, and rounded such that it stays.
"""

from collections.abc import Iterator

import cv2
import numpy as np
import torch
from torch import Tensor

from ..color import ColorSpace, quantize_rgb

STRIP_PIXELS = 1 << 16  # some 2 MB of working arrays
UNKNOWN = 1 << 19  # pixels that may wait for their color: some 8 MB
COMPUTED = 1 << 14  # colors at a time: their float64 fits the cache
CODES = 512  # of each chroma channel: 0.43 units of Lab, no coarser than 8-bit RGB itself
HALF = CODES // 2
# A code and 7 more bits, which are cut off: half a code is added so that this rounds.
FINE, FINE_ZERO = 128 * (HALF - 1), 128 * HALF + 64


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
    for rows, strip in _strips(lines, pixels.shape[:2]):
        out[rows] = _painted(pixels[rows], strip, space)
    return out


def scaled_lightness(pixels: np.ndarray, space: ColorSpace) -> Tensor:
    """(H, W, 1 or 3) uint8 or uint16 sRGB to scaled lightness (1, 1, H, W)."""
    samples = torch.from_numpy(pixels.astype(np.float32) / np.float32(levels_of(pixels)))
    return space.lightness(samples.permute(2, 0, 1)[None].expand(-1, 3, -1, -1))


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

    def paint(self, gray: np.ndarray, lines: np.ndarray) -> np.ndarray:
        """(H, W) uint8 and (h, w, 4) lines to (H, W, 3), a view of pixels of four bytes, as in Pillow."""
        padded = np.empty((*gray.shape, 4), np.uint8)
        packed = padded.view(np.int32)[..., 0]
        fine = lines * np.float32(FINE) + np.array([0, 0, FINE_ZERO, FINE_ZERO], np.float32)
        unknown: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for rows, strip in _strips(fine, gray.shape):
            indices, colors = self._indices(gray[rows], strip), packed[rows].reshape(-1)
            torch.index_select(torch.from_numpy(self.colors), 0, indices, out=torch.from_numpy(colors))
            if cv2.countNonZero(colors) < len(colors):
                places = np.flatnonzero(colors == 0)
                unknown.append((colors, places, indices.numpy()[places]))
            # Computing a few costs as much as computing some hundreds: they wait for each other.
            if sum(len(places) for _, places, _ in unknown) > UNKNOWN:
                self._fill(unknown)
        self._fill(unknown)
        return padded[..., :3]

    def _indices(self, gray: np.ndarray, strip: np.ndarray) -> Tensor:
        """(R, W) uint8 and the (R, 4 W) lines in fine codes to (R W,) int32: codes and level in one."""
        width = gray.shape[1]
        lightness = cv2.LUT(gray, self.lightness)
        chroma = [
            cv2.multiply(strip[:, :width], lightness),
            cv2.multiply(strip[:, width : 2 * width], lightness, dst=lightness),
        ]
        offsets = strip[:, 2 * width : 3 * width], strip[:, 3 * width :]
        # Rounded and clipped to 16 bits, of which the 9 upper ones are the code.
        first, second = (cv2.add(*pair, dtype=cv2.CV_16U) for pair in zip(chroma, offsets, strict=True))
        # first << 17 | second << 8 | gray, in halves: twice as many fit a vector register.
        low, high = second << 1, first >> 7
        low &= 0xFF00
        low |= gray
        high <<= 1
        second >>= 15
        high |= second
        return torch.from_numpy(cv2.merge([low, high]).view(np.int32).reshape(-1))

    def _fill(self, unknown: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> None:
        """Compute colors and put them in their places; empties the list."""
        if unknown:
            self._compute(np.unique(np.concatenate([indices for _, _, indices in unknown])))
        for colors, places, indices in unknown:
            colors[places] = self.colors[indices]
        unknown.clear()

    def _compute(self, indices: np.ndarray) -> None:
        for start in range(0, len(indices), COMPUTED):
            part = torch.from_numpy(indices[start : start + COMPUTED])
            gray = (part & 255).double() / 255
            lightness = self.space.lightness(gray.view(1, 1, -1, 1).expand(-1, 3, -1, -1))
            codes = torch.stack([part >> 17, (part >> 8) & (CODES - 1)])
            rgb = self.space.merge(lightness, (codes.double() - HALF)[None, ..., None] / (HALF - 1))
            red, green, blue = quantize_rgb(rgb, (lightness + 1) * 50, 255)[0, ..., 0].long().numpy()
            # The fourth byte tells a black that was computed from what was not.
            packed = red | green << 8 | blue << 16 | 255 << 24
            self.colors[indices[start : start + COMPUTED]] = packed.astype(np.uint32).view(np.int32)


def _painted(pixels: np.ndarray, strip: np.ndarray, space: ColorSpace) -> np.ndarray:
    """(R, W, 1 or 3) pixels of any kind and (R, 4 W) lines to (R, W, 3)."""
    lightness = scaled_lightness(pixels, space)
    slope, offset = torch.from_numpy(strip).unflatten(1, (4, -1)).movedim(1, 0)[None].chunk(2, dim=1)
    rgb = space.merge(lightness, slope * lightness + offset)
    rounded = quantize_rgb(rgb, (lightness + 1) * 50, levels_of(pixels))
    return rounded[0].movedim(0, -1).numpy().astype(pixels.dtype)


def _strips(lines: np.ndarray, size: tuple[int, int]) -> Iterator[tuple[slice, np.ndarray]]:
    """Bilinear enlargement of (h, w, 4) `lines`, in strips of (R, 4 W), the four planes side by side.

    Each comes with the rows that it is for, and is good until the next one.
    """
    height, width = size
    small = len(lines)
    wide = cv2.resize(lines, (width, small), interpolation=cv2.INTER_LINEAR)
    wide = np.ascontiguousarray(wide.transpose(0, 2, 1)).reshape(small, 4 * width)
    buffer = np.empty((min(height, max(1, STRIP_PIXELS // width)), 4 * width), np.float32)
    for top in range(0, height, len(buffer)):
        strip = buffer[: height - top]
        for row in range(len(strip)):
            place = min(max((top + row + 0.5) * small / height - 0.5, 0), small - 1)
            above = int(place)
            pair = wide[above : above + 1], wide[min(above + 1, small - 1) :][:1]
            share = place - above
            cv2.addWeighted(pair[0], 1 - share, pair[1], share, 0, dst=strip[row : row + 1])
        yield slice(top, top + len(strip)), strip
