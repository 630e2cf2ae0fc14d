"""Energy distance between a set and a mixture of sets, and the shares of the mixture that bring it down.

With shares s of sets X_1, ..., X_K (samples of K films) and a set Y (the scans), the energy distance of
Szekely and Rizzo (2013) is

    2 sum_k s_k E|X_k - Y| - sum_kl s_k s_l E|X_k - X_l'| - E|Y - Y'| = 2 a's - s'B s - const,

0 if the mixture is distributed as Y, and more if not. Its estimates from samples have no bias, nor have
their gradients (the Wasserstein distance's have one: Bellemare et al., 2017), so that few samples a step do;
and as a function of the shares it is convex: of however many films, those that are there can be told.
"""

import torch
from torch import Tensor

STEPS = 1000  # of projected gradients; the last bits of shares do not matter
RIDGE = 0.01  # of distances, which are about 1: films that can hardly be told share what is theirs


def attraction(sets: Tensor, others: Tensor) -> Tensor:
    """a: mean distances (K,) of the samples of sets (K, n, D) from those of another (M, D)."""
    return torch.cdist(sets.flatten(0, 1), others).view(*sets.shape[:2], -1).mean(dim=(1, 2))


def repulsion(sets: Tensor) -> Tensor:
    """B: mean distances (K, K) between samples of sets (K, n, D), two and two.

    Samples of equal place are never held together: they may be of one photo.
    """
    kinds, count = sets.shape[:2]
    samples = sets.flatten(0, 1)
    apart = torch.cdist(samples, samples).view(kinds, count, kinds, count)
    others = 1 - torch.eye(count, device=sets.device).view(1, count, 1, count)
    return (apart * others).sum(dim=(1, 3)) / (count * (count - 1))


def energy(a: Tensor, B: Tensor, shares: Tensor) -> Tensor:
    """The energy distance of the mixture of `shares` (K,), but for a constant."""
    return 2 * shares @ a - shares @ B @ shares


@torch.no_grad()
def best_shares(a: Tensor, B: Tensor) -> Tensor:
    """The shares (K,), none below 0, of sum 1, whose mixture is nearest.

    By accelerated projected gradients (Beck and Teboulle, 2009). What keeps the energy from being convex is
    noise of the estimate, and is left out.
    """
    count = len(a)
    even = torch.full_like(a, 1 / count)
    changes = torch.eye(count, device=a.device) - 1 / count  # of sum 0
    values, vectors = torch.linalg.eigh(-2 * changes @ B @ changes)
    curvature = (vectors * (values.clamp(min=0) + RIDGE)) @ vectors.T
    slope, steepest = 2 * (a - B @ even), values.max() + RIDGE
    shares, ahead, speed = even, even, 1.0
    for _ in range(STEPS):
        before = shares
        shares = _onto_simplex(ahead - (slope + curvature @ (ahead - even)) / steepest)
        faster = (1 + (1 + 4 * speed**2) ** 0.5) / 2
        ahead = shares + (speed - 1) / faster * (shares - before)
        speed = faster
    return shares


def _onto_simplex(point: Tensor) -> Tensor:
    """The nearest point (K,) with no number below 0 and of sum 1 (Held et al., 1974)."""
    ordered = point.sort(descending=True).values
    above = (ordered.cumsum(0) - 1) / torch.arange(1, len(point) + 1, device=point.device)
    return (point - above[(ordered > above).sum() - 1]).clamp(min=0)
