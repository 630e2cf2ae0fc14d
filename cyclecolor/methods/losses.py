"""Losses as free functions of tensors; none keeps state, none calls `backward`."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

USUAL_CHROMA = 0.14  # mean of scaled chroma's norm over photos: 15 units of Lab
Logits = list[Tensor]  # one map for each scale of a discriminator


def generator_loss(fake: Logits, objective: str) -> Tensor:
    """How far the discriminator is from taking fakes for real.

    Objectives: least squares (Mao et al., 2017), hinge (Lim and Ye, 2017), vanilla (the
    non-saturating loss of Goodfellow et al., 2014).
    """
    return _mean(_GENERATOR[objective](logits.float()) for logits in fake)


def discriminator_loss(real: Logits, fake: Logits, objective: str) -> Tensor:
    """How far the discriminator is from telling real from fake; half the sum of both sides."""
    pairs = zip(real, fake, strict=True)
    return _mean(_DISCRIMINATOR[objective](r.float(), f.float()) / 2 for r, f in pairs)


def l1(output: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference in float32."""
    return F.l1_loss(output.float(), target.float())


def chroma_l1(output: Tensor, target: Tensor, emphasis: float) -> Tensor:
    """Mean absolute difference of chroma (N, 2, h, w), weighted by 1 + `emphasis` times the target's norm.

    Most pixels of most photos are nearly gray, and the plain mean rewards leaving the others gray too
    (class rebalancing: Zhang et al., 2016). Over photos of usual chroma, weights are 1 on average.
    """
    target = target.float()
    weight = (1 + emphasis * target.norm(dim=1, keepdim=True)) / (1 + emphasis * USUAL_CHROMA)
    return (weight * (output.float() - target).abs()).mean()


def weighted_sum(losses: dict[str, Tensor], weights: dict[str, float]) -> Tensor:
    """Sum of named losses, each times the weight of the same name."""
    total = sum(weights[name] * loss for name, loss in losses.items())
    assert isinstance(total, Tensor)
    return total


_GENERATOR = {
    "least_squares": lambda fake: ((fake - 1) ** 2).mean(),
    "hinge": lambda fake: -fake.mean(),
    "vanilla": lambda fake: F.softplus(-fake).mean(),
}

_DISCRIMINATOR = {
    "least_squares": lambda real, fake: ((real - 1) ** 2).mean() + (fake**2).mean(),
    "hinge": lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean(),
    "vanilla": lambda real, fake: F.softplus(-real).mean() + F.softplus(fake).mean(),
}


def _mean(values: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(values)).mean()
