"""What two piles show, compared by features of their photos: content is not film."""

import torch
from torch import Tensor

NEIGHBORS = 10
DIMENSIONS = 32  # of features that are compared: their principal components
LARGEST = 10.0  # how much more often than by chance a photo is drawn at most, and less often


def chances(scans: Tensor, photos: Tensor) -> Tensor:
    """How often each photo is to be drawn (M,), of mean 1, so that photos show what scans do.

    A photo stands among the nearest of so many scans, and of so many other photos: the quotient says how
    dense scans are where it stands, beside photos (nearest neighbors as estimates of a ratio of densities,
    as by Noshad et al., 2017). Only the order of photos counts, by their distances from one scan: that
    scans are on film, and so all a little apart from photos, changes little.

    Parameters
    ----------
    scans, photos : Tensor
        Features (N, C) and (M, C) of what they show.
    """
    scans, photos = compared(scans, photos)
    neighbors = min(NEIGHBORS, len(photos) - 1)
    by_scans = _times_nearest(torch.cdist(scans, photos), neighbors) / len(scans)
    apart = torch.cdist(photos, photos).fill_diagonal_(torch.inf)
    by_photos = _times_nearest(apart, neighbors) / len(photos)
    usual = neighbors / len(photos)  # how often, by chance
    ratios = (by_scans + usual / LARGEST) / (by_photos + usual / LARGEST)
    ratios = ratios.clamp(1 / LARGEST, LARGEST)
    return ratios / ratios.mean()


def compared(scans: Tensor, photos: Tensor) -> tuple[Tensor, Tensor]:
    """Features of both in units of their spread over photos, as DIMENSIONS principal components."""
    center, spread = photos.mean(dim=0), photos.std(dim=0, correction=0) + 1e-6
    scans, photos = (scans - center) / spread, (photos - center) / spread
    axes = torch.linalg.eigh(photos.T @ photos / len(photos))[1][:, -DIMENSIONS:]
    return scans @ axes, photos @ axes


def alike(scans: Tensor, photos: Tensor) -> float:
    """How alike two piles are in what they show, from 0 to 1.

    Of the nearest neighbors of scans among both, the share that are photos, over what it is by chance
    (Schilling, 1986). As many are taken of either.
    """
    count = min(len(scans), len(photos))
    # Spread evenly over both: piles are often sorted by what they show.
    scans, photos = (pile[torch.linspace(0, len(pile) - 1, count).round().long()] for pile in (scans, photos))
    scans, photos = compared(scans, photos)
    apart = torch.cdist(scans, torch.cat([scans, photos]))
    apart[:, :count].fill_diagonal_(torch.inf)
    nearest = apart.topk(min(NEIGHBORS, count - 1), largest=False).indices
    chance = count / (2 * count - 1)
    return min(1.0, (nearest >= count).float().mean().item() / chance)


def lacking(scans: Tensor, photos: Tensor) -> Tensor:
    """How far each scan (N,) stands from photos, where 1 is as far as from other scans."""
    scans, photos = compared(scans, photos)
    neighbors = min(NEIGHBORS, len(photos), len(scans) - 1)
    own = torch.cdist(scans, scans).fill_diagonal_(torch.inf)
    to_photos, to_scans = (
        apart.topk(neighbors, largest=False).values.mean(dim=1) for apart in (torch.cdist(scans, photos), own)
    )
    return to_photos / to_scans.clamp(min=1e-6)


def nearest(scans: Tensor, photos: Tensor) -> Tensor:
    """The photo (N,) that is nearest to each scan in what it shows."""
    return torch.cdist(*compared(scans, photos)).argmin(dim=1)


def _times_nearest(apart: Tensor, neighbors: int) -> Tensor:
    """How many rows of distances (N, M) have each of their columns (M,) among their nearest."""
    nearest = apart.topk(neighbors, largest=False).indices.flatten()
    return torch.bincount(nearest, minlength=apart.shape[1]).to(apart.dtype)
