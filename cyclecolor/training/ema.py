"""Averaged generators: what is scored, exported and used."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

Tensors = tuple[Tensor, ...] | list[Tensor]


def average_of(network: nn.Module, decay: float) -> AveragedModel:
    """An exponential moving average of a network's parameters and buffers.

    The decay starts low, min(decay, (1 + n) / (10 + n)) after n updates, so that the random weights of the
    start are soon forgotten in a short run too.
    """
    return AveragedModel(network, multi_avg_fn=_warm_average(decay), use_buffers=True)


def _warm_average(decay: float) -> Callable[[Tensors, Tensors, Tensor | int], None]:
    @torch.no_grad()
    def average(averages: Tensors, currents: Tensors, updates: Tensor | int) -> None:
        count = int(updates)
        weight = 1 - min(decay, (1 + count) / (10 + count))
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, currents, weight)
        else:  # a count of batches
            torch._foreach_copy_(averages, currents)

    return average
