"""Distances between sets of pictures, built so that a set's statistic is the mean of its images'.

Each function returns, for an image, a vector whose mean over a set describes the set; the distance of two
sets is then a sum of absolute differences of two means, and resampling images costs one matrix product.
"""

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from .metrics import chroma_of

CHROMA_EDGES = (4.0, 8.0, 16.0, 32.0, 64.0)  # below the first one hue is not told apart
HUES = 24
PATCH = 7  # pixels a side
PATCHES, DIRECTIONS, BINS = 256, 32, 128  # an image; random ones for each scale; of each projection
SCALES = (1, 4)  # at full size and at a quarter
SPREAD = (25.0, 15.0, 15.0)  # usual standard deviation of L*, a*, b* in photographs
DETAIL = 5.0  # and what is left of it within a patch
REACH = 4.0  # standard deviations that the bins cover on either side


def chroma_hue_histogram(lab: Tensor) -> Tensor:
    """Shares of pixels by chroma and hue of Lab images (N, 3, H, W): (N, 1 + 5 * 24).

    Half the sum of absolute differences of two such histograms is their total variation distance: 0 for
    equal, 1 for disjoint.
    """
    chroma = chroma_of(lab)
    turn = torch.atan2(lab[:, 2], lab[:, 1]) / (2 * math.pi) % 1
    hue = (turn * HUES).long().clamp(max=HUES - 1)
    ring = torch.bucketize(chroma, torch.tensor(CHROMA_EDGES).to(chroma), right=True)
    cell = torch.where(ring == 0, 0, 1 + (ring - 1) * HUES + hue).flatten(1)
    counts = torch.zeros(len(lab), 1 + len(CHROMA_EDGES) * HUES).to(lab)
    return counts.scatter_add_(1, cell, torch.ones_like(cell, dtype=lab.dtype)) / cell.shape[1]


def patch_cdfs(lab: Tensor) -> Tensor:
    """Distribution functions of random projections of 7 x 7 Lab patches, for the sliced Wasserstein distance.

    They are so scaled that the sum of absolute differences of two is the sliced Wasserstein-1 distance
    (Rabin et al., 2011; on patches: Karras et al., 2018), in Lab units.
    Patches lie on an even grid; directions are unit vectors, the same in every call.

    Parameters
    ----------
    lab : Tensor
        (N, 3, H, W), sides of at least 28.

    Returns
    -------
    Tensor
        (N, 2 scales * 32 directions * 128 bins).
    """
    cdfs = []
    for scale in SCALES:
        image = F.avg_pool2d(lab, scale)
        directions, low, step = _slices(scale)
        values = _patches(image) @ directions.to(lab)  # (N, patches, directions)
        # Bin by bin: how many patches lie below its upper edge.
        cell = ((values - low) / step).floor().long().clamp(0, BINS - 1).transpose(1, 2)
        counts = torch.zeros(len(lab), DIRECTIONS, BINS).to(lab)
        counts.scatter_add_(2, cell, torch.ones_like(cell, dtype=lab.dtype))
        cdf = counts.cumsum(dim=2) / cell.shape[2]
        cdfs.append(cdf * step[:, None] / (DIRECTIONS * len(SCALES)))
    return torch.cat(cdfs, dim=1).flatten(1)


def _patches(image: Tensor) -> Tensor:
    """(N, 3, H, W) to (N, up to 256, 3 * 7 * 7) on an even grid, L* counted from middle gray."""
    side = math.isqrt(PATCHES)
    height, width = (size - PATCH + 1 for size in image.shape[-2:])
    rows, columns = (torch.linspace(0, n - 1, min(side, n)).round().long() for n in (height, width))
    windows = image.unfold(2, PATCH, 1).unfold(3, PATCH, 1)  # a view: (N, 3, height, width, 7, 7)
    picked = windows[:, :, rows][:, :, :, columns].permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)
    middle = torch.tensor((50.0, 0.0, 0.0)).to(image).repeat_interleave(PATCH**2)
    return picked - middle


@lru_cache
def _slices(scale: int) -> tuple[Tensor, Tensor, Tensor]:
    """Directions (3 * 7 * 7, 32), and where the bins of each projection begin and how wide they are."""
    generator = torch.Generator().manual_seed(scale)
    directions = F.normalize(torch.randn(3 * PATCH**2, DIRECTIONS, generator=generator), dim=0)
    flat = directions.view(3, PATCH**2, DIRECTIONS).sum(dim=1)  # what a patch of one color weighs
    spread = (flat * torch.tensor(SPREAD)[:, None]).norm(dim=0) + DETAIL
    return directions, -REACH * spread, 2 * REACH * spread / BINS
