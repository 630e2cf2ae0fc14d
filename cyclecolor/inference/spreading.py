"""From the colors of some places to those everywhere: regression of a Gaussian process."""

import torch
from torch import Tensor

# How far a color reaches (one standard deviation). Place in short sides of the photo; lightness where black
# is -1 and white 1; the network's features where two pixels of a photo are 1 apart in the mean square.
REACH, LIGHTNESS_REACH, FEATURE_REACH = 0.7, 0.5, 1.0
TRUST = 0.1  # variance of a hint's error over that of the change: hints that disagree are averaged


def described(lightness: Tensor, features: Tensor) -> Tensor:
    """What a pixel is like, such that places of equal color are near: place, lightness, features.

    Parameters
    ----------
    lightness : Tensor
        (1, 1, h, w), scaled.
    features : Tensor
        (1, C, h, w), of any scale.

    Returns
    -------
    Tensor
        (3 + C, h w), in units of the reaches above.
    """
    height, width = lightness.shape[-2:]
    rows, columns = (torch.arange(side, dtype=torch.float32) / min(height, width) for side in (height, width))
    place = torch.stack(torch.meshgrid(rows, columns, indexing="ij"))
    seen = described_by_content(lightness[0].flatten(1), features[0].flatten(1))
    return torch.cat([place.flatten(1) / REACH, seen])


def described_by_content(
    lightness: Tensor,
    features: Tensor,
    *,
    lightness_reach: float = LIGHTNESS_REACH,
    feature_reach: float = FEATURE_REACH,
) -> Tensor:
    """What pixels are like wherever they lie, those of several photos too.

    Parameters
    ----------
    lightness, features : Tensor
        (1, n), scaled, and (C, n), of any scale.
    lightness_reach, feature_reach : float
        As above.

    Returns
    -------
    Tensor
        (1 + C, n), in units of the reaches.
    """
    centered = features - features.mean(dim=1, keepdim=True)
    # The mean square distance of two pixels is twice the variance, summed over the channels.
    spread = (2 * centered.square().sum(dim=0).mean()).sqrt().clamp(min=1e-6)
    return torch.cat([lightness / lightness_reach, centered / (spread * feature_reach)])


def spread_change(changes: Tensor, known: Tensor, pixels: Tensor, trust: float = TRUST) -> Tensor:
    r"""The change of chroma at all pixels that is likeliest, given that at some places.

    With K(p, q) = exp(-|p - q|^2 / 2) between what pixels are like, the change at p is
    K(p, Q) (K(Q, Q) + trust I)^-1 c, for changes c at places Q (Rasmussen and Williams, 2006, equation 2.25;
    geologists call it kriging). Far from all Q, and where nothing is like them, it is 0.

    Parameters
    ----------
    changes : Tensor
        (2, n), at the places.
    known, pixels : Tensor
        (D, n) and (D, m), what the places and the pixels are like.
    trust : float
        Variance of a place's error over that of the change.

    Returns
    -------
    Tensor
        (2, m).
    """
    between = _likeness(known, known) + trust * torch.eye(known.shape[1])
    weights = torch.linalg.solve(between, changes.T)
    return weights.T @ _likeness(known, pixels)


def shares(known: Tensor, pixels: Tensor, trust: float = TRUST) -> Tensor:
    """How much each of some places counts at each pixel: none below 0, together 1 at most.

    The weights of `spread_change` fall below 0 where two places shade each other: the difference of two
    colors is carried on beyond them, farther than either. So those below 0 are left out, and the others
    lowered such that all together count as much as before (Deutsch, 1996, "Correcting for negative weights
    in ordinary kriging"). A mean by these shares is never beyond what it is of.

    Parameters
    ----------
    known, pixels : Tensor
        (D, n) and (D, m), what the places and the pixels are like.
    trust : float
        As above.

    Returns
    -------
    Tensor
        (n, m).
    """
    between = _likeness(known, known) + trust * torch.eye(known.shape[1])
    weights = torch.linalg.solve(between, _likeness(known, pixels))
    together = weights.sum(dim=0).clamp(0, 1)
    weights = weights.clamp(min=0)
    return weights * (together / weights.sum(dim=0).clamp(min=1e-6)).clamp(max=1)


def _likeness(first: Tensor, second: Tensor) -> Tensor:
    """K of (D, n) and (D, m): (n, m)."""
    squares = first.square().sum(dim=0)[:, None] + second.square().sum(dim=0) - 2 * first.T @ second
    return torch.exp(squares.clamp(min=0) / -2)
