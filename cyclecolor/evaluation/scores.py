"""Statistics of a set of images, with bootstrap 95% intervals over them."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

BOOTSTRAPS = 1000
CHUNK = 100  # resamples at a time: their means are held in memory

# Of resamples of a set: weights (B, n), each row summing to 1, and what was measured on its n images
# (n, k), to the statistic of each resample (B,).
Statistic = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Score:
    """A statistic of a set of images and its 95% interval, if it has one."""

    value: float
    low: float | None = None
    high: float | None = None


def score(measured: Tensor, statistic: Statistic) -> Score | None:
    """The statistic of images (n, k), its interval by resampling them; None where it is undefined."""
    n = len(measured)
    generator = torch.Generator().manual_seed(0)
    picks = torch.randint(n, (BOOTSTRAPS, n), generator=generator)
    counts = torch.zeros(BOOTSTRAPS, n).scatter_add_(1, picks, torch.ones(BOOTSTRAPS, n))
    value = statistic(torch.full((1, n), 1 / n), measured).item()
    resampled = torch.cat([statistic(rows / n, measured) for rows in counts.split(CHUNK)])
    return interval(value, resampled)


def halves(measured: Tensor, statistic: Statistic) -> Score | None:
    """The statistic of one half of the images less the other, over random halves: a set against itself.

    `measured` must be such that the statistic is a distance of means. The value is the mean over halves.
    """
    n = len(measured)
    if n < 4:
        return None
    generator = torch.Generator().manual_seed(0)
    order = torch.rand(BOOTSTRAPS // 5, n, generator=generator).argsort(dim=1)
    signs = (order < n // 2) / (n // 2) - (order >= n // 2) / (n - n // 2)
    distances = torch.cat([statistic(rows, measured) for rows in signs.split(CHUNK)])
    return interval(distances.mean().item(), distances)


def interval(value: float, resampled: Tensor) -> Score | None:
    """A value with the 95% interval of its resamples; None if it is no number."""
    defined = resampled[resampled.isfinite()]
    if value != value or not len(defined):
        return None
    low, high = torch.quantile(defined.double(), torch.tensor((0.025, 0.975), dtype=torch.float64)).tolist()
    return Score(value, low, high)


def mean(weights: Tensor, measured: Tensor) -> Tensor:
    """Mean over images of the first column."""
    return weights @ measured[:, 0]


def largest(weights: Tensor, measured: Tensor) -> Tensor:
    """Largest over images of the first column."""
    return torch.where(weights > 0, measured[:, 0], -torch.inf).amax(dim=1)


def ratio(weights: Tensor, measured: Tensor) -> Tensor:
    """Mean of the first column over mean of the last; undefined where that is 0."""
    means = weights @ measured
    return torch.where(means[:, -1] == 0, torch.nan, means[:, 0] / means[:, -1])


def length(weights: Tensor, measured: Tensor) -> Tensor:
    """Sum of absolute values of the columns' means."""
    return (weights @ measured).abs().sum(dim=1)
