"""Small chroma to full size, along the edges of the lightness."""

import torch
import torch.nn.functional as F
from torch import Tensor

RADIUS = 2  # pixels of the small image
EPSILON = 1e-3  # lightness variance, black -1 and white 1, below which an area counts as flat


def guided_upsample(chroma: Tensor, lightness: Tensor) -> Tensor:
    """Fast guided filter (He and Sun, 2015): chroma as a locally linear function of lightness.

    Parameters
    ----------
    chroma : Tensor
        (N, 2, h, w), scaled.
    lightness : Tensor
        (N, 1, H, W), scaled, with H >= h and W >= w.

    Returns
    -------
    Tensor
        (N, 2, H, W), scaled.
    """
    guide = F.interpolate(lightness, size=chroma.shape[-2:], mode="area")
    mean_guide, mean_chroma = _box(guide), _box(chroma)
    covariance = _box(guide * chroma) - mean_guide * mean_chroma
    variance = _box(guide * guide) - mean_guide**2
    slope = covariance / (variance + EPSILON)
    lines = torch.cat([slope, mean_chroma - slope * mean_guide], dim=1)
    lines = F.interpolate(_box(lines), size=lightness.shape[-2:], mode="bilinear")
    slope, offset = lines.chunk(2, dim=1)
    return slope * lightness + offset


def _box(image: Tensor) -> Tensor:
    side = 2 * RADIUS + 1
    return F.avg_pool2d(image, side, 1, RADIUS, count_include_pad=False)
