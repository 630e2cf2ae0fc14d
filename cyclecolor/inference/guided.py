"""Small chroma to full size, along the edges of the lightness."""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

RADIUS = 2  # pixels of the small image
EPSILON = 1e-3  # lightness variance, black -1 and white 1, below which an area counts as flat
TEXTURE = 9.0  # 8-bit levels: more fine detail than nearly any scene without grain has in a small copy
GRAIN_MASK = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


def guided_lines(chroma: Tensor, lightness: Tensor) -> Tensor:
    """Guided filter (He and Sun, 2015): chroma as a locally linear function of lightness.

    Parameters
    ----------
    chroma : Tensor
        (N, 2, h, w), scaled.
    lightness : Tensor
        (N, 1, H, W), scaled, of the same size or larger.

    Returns
    -------
    Tensor
        (N, 4, h, w): slopes of the two channels over lightness, then offsets.
    """
    guide = resized(lightness, chroma.shape[-2:])
    mean_guide, mean_chroma = _box(guide), _box(chroma)
    covariance = _box(guide * chroma) - mean_guide * mean_chroma
    variance = _box(guide * guide) - mean_guide**2
    slope = covariance / (variance + EPSILON)
    return _box(torch.cat([slope, mean_chroma - slope * mean_guide], dim=1))


def apply_lines(lines: Tensor, lightness: Tensor) -> Tensor:
    """Lines (N, 4, h, w) to chroma (N, 2, H, W) at the size of the lightness (N, 1, H, W)."""
    full = F.interpolate(lines, size=lightness.shape[-2:], mode="bilinear")
    slope, offset = full.chunk(2, dim=1)
    return slope * lightness + offset


def bounded(lines: Tensor, ends: tuple[Tensor, Tensor], most: Tensor) -> Tensor:
    """Lines (N, 4, h, w) such that chroma is nowhere stronger than `most` (N, 1, h, w).

    A line that was fitted around a place can go beyond all that it was fitted to, farthest at its ends.

    Parameters
    ----------
    ends : pair of Tensor
        (N, 1, h, w), the darkest and the lightest scaled lightness to which each line is applied.
    """
    darkest, lightest = (apply_lines(lines, end).norm(dim=1, keepdim=True) for end in ends)
    return lines * (most / darkest.maximum(lightest).clamp(min=1e-6)).clamp(max=1)


def resized(image: Tensor, size: tuple[int, ...]) -> Tensor:
    """(N, C, H, W) at another size: averaged over areas where that shrinks it, else bilinear."""
    if image.shape[-2:] == torch.Size(size):
        return image
    shrinks = size[0] <= image.shape[-2] and size[1] <= image.shape[-1]
    return F.interpolate(image, size=tuple(size), mode="area" if shrinks else "bilinear")


def denoised(lightness: Tensor) -> Tensor:
    """Scaled lightness (N, 1, h, w) without its grain, where that is stronger than a scene's own detail.

    Non-local means at 8 bits (Buades et al., 2005), as strong as the grain. Weaker grain is left: scenes are
    told by their texture, which would go with it.
    """
    levels = ((lightness[:, 0] + 1) * 127.5).clamp(0, 255).round().byte().cpu().numpy()
    smooth = np.stack([_smoothed(image, grain_of(image)) for image in levels])
    return torch.from_numpy(smooth).to(lightness)[:, None] / 127.5 - 1


def grain_of(image: np.ndarray) -> float:
    """Standard deviation of the grain of (H, W) uint8, in levels, were it white noise.

    From a mask that answers little to structure (Immerkær, 1996), but from the median of its answers, not
    their mean: edges are few.
    """
    answer = cv2.filter2D(image, cv2.CV_32F, GRAIN_MASK)
    return float(np.median(np.abs(answer))) / (6 * 0.6745)  # the mask's norm; the median of |N(0, 1)|


def _smoothed(image: np.ndarray, strength: float) -> np.ndarray:
    return cv2.fastNlMeansDenoising(image, None, strength, 5, 15) if strength > TEXTURE else image


def _box(image: Tensor) -> Tensor:
    side = 2 * RADIUS + 1
    return F.avg_pool2d(image, side, 1, RADIUS, count_include_pad=False)
