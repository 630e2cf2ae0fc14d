"""Batch normalization over a whole batch, wherever its images are."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from .collectives import world_size


class _AllSum(torch.autograd.Function):
    """The sum of a tensor over all processes; its gradient is the sum of theirs."""

    @staticmethod
    def forward(context: Any, part: Tensor) -> Tensor:
        total = part.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return _AllSum.forward(context, gradient)


class SyncBatchNorm2d(nn.BatchNorm2d):
    """Batch normalization over the whole batch; on CPU and GPU alike (PyTorch's own is for GPUs alone)."""

    # Where statistics are tracked, none of these is None.
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        if not self.training or world_size() == 1:
            return super().forward(features)
        values = features.float()
        count = world_size() * values.numel() // values.shape[1]
        mean = _AllSum.apply(values.sum(dim=(0, 2, 3))) / count
        centered = values - mean.view(1, -1, 1, 1)
        variance = _AllSum.apply((centered**2).sum(dim=(0, 2, 3))) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        scale = self.weight / torch.sqrt(variance + self.eps)
        return (centered * scale.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)).to(features.dtype)


def synchronize_batch_norms(network: nn.Module) -> None:
    """Put `SyncBatchNorm2d` in the place of every `BatchNorm2d`, its parameters and buffers kept."""
    if world_size() == 1:
        return
    for name, child in network.named_children():
        if type(child) is nn.BatchNorm2d:
            synchronized = SyncBatchNorm2d(child.num_features, eps=child.eps, momentum=child.momentum)
            synchronized._parameters, synchronized._buffers = child._parameters, child._buffers
            setattr(network, name, synchronized)
        else:
            synchronize_batch_norms(child)
