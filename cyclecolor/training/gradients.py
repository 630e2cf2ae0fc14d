"""The gradients of a step: gathered over batches and processes, then taken or left out whole."""

import torch
from torch import Tensor

from .. import share
from ..methods import Method


class Rollback:
    """What a forward pass changes besides gradients, as it was: buffers and pools.

    With it a step can be left out as though it had never been tried.
    """

    def __init__(self, method: Method):
        self._buffers = [(b, b.clone()) for n in method.networks.values() for b in n.buffers()]
        self._pools = [(p, None if p.images is None else p.images.clone()) for p in method.pools.values()]
        self._optimizers = list(method.optimizers.values())

    def leave_out(self) -> None:
        """Put everything back."""
        for buffer, before in self._buffers:
            buffer.copy_(before)
        for pool, before in self._pools:
            if pool.full and before is not None and len(before) == len(pool.images):
                pool.images.copy_(before)  # a recorded step looks for them where they are
            else:
                pool.images = before
        for optimizer in self._optimizers:
            optimizer.zero_grad(set_to_none=True)


def average_gradients(method: Method, batches: int) -> dict[str, Tensor]:
    """Turn sums over batches into means over batches and processes; return each optimizer's norm."""
    return {name: _average(_gradients(o), batches) for name, o in method.optimizers.items()}


def take_step(method: Method) -> None:
    """Step every optimizer."""
    for optimizer in method.optimizers.values():
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


def _gradients(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [p.grad for g in optimizer.param_groups for p in g["params"] if p.grad is not None]


@torch.no_grad()
def _average(gradients: list[Tensor], batches: int) -> Tensor:
    if share.count() > 1:
        flat = share.mean(torch.cat([g.reshape(-1) for g in gradients]))
        parts = flat.split([g.numel() for g in gradients])
        torch._foreach_copy_(gradients, [p.view_as(g) for p, g in zip(parts, gradients, strict=True)])
    if batches > 1:
        torch._foreach_div_(gradients, batches)
    return torch.nn.utils.get_total_norm(gradients)
