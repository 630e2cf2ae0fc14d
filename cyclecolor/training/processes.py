"""Several processes, as `torchrun` starts them: each takes its share of every batch.

What they must agree on, they agree on here. Process 0 alone speaks, writes and holds the lock.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn

from .. import share
from ..errors import CycleColorError
from ..methods import Method


@contextmanager
def joined() -> Iterator[None]:
    """Join the processes that `torchrun` started beside this one, if it did."""
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        yield
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo", **_meeting_place())
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, dist.DistError) and "gloo" not in str(error).lower():
            raise
        raise CycleColorError(
            f"process {share.rank()}: another process of this training is gone; "
            "the same command goes on from the last checkpoint"
        ) from None
    finally:
        dist.destroy_process_group()


def _meeting_place() -> dict:
    """Arguments that say where to meet, where PyTorch's own way fails: after a restart by `torchrun`.

    Its store of addresses outlives the processes of before (seen in PyTorch 2.14), so that the new ones would
    wait for the dead. Here every attempt has a place of its own in it. Machines count attempts each for
    itself; for several of them, docs/cluster.md has another way.
    """
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True" or os.environ["GROUP_WORLD_SIZE"] != "1":
        return {}
    store = dist.TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
    place = dist.PrefixStore(f"attempt {os.environ['TORCHELASTIC_RESTART_COUNT']}", store)
    return {"store": place, "rank": int(os.environ["RANK"]), "world_size": int(os.environ["WORLD_SIZE"])}


def first() -> bool:
    """Whether this is the process that speaks and writes."""
    return share.rank() == 0


def largest(number: int) -> int:
    """The largest of all processes' numbers."""
    return _agreed(number, dist.ReduceOp.MAX)


def of_first(number: int) -> int:
    """Process 0's number."""
    return _agreed(number if first() else 0, dist.ReduceOp.SUM)


def _agreed(number: int, operation: dist.ReduceOp) -> int:
    if share.count() == 1:
        return number
    agreed = torch.tensor(number, device="cuda" if dist.get_backend() == "nccl" else "cpu")
    dist.all_reduce(agreed, operation)
    return int(agreed)


class _Total(torch.autograd.Function):
    """The sum of a tensor over all processes; its gradient is the sum of theirs."""

    @staticmethod
    def forward(context, own: Tensor) -> Tensor:
        total = own.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(context, gradient: Tensor) -> Tensor:
        return _Total.forward(context, gradient)


class SharedBatchNorm2d(nn.BatchNorm2d):
    """Batch normalization over the whole batch, wherever its images are; on CPU and GPU alike."""

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        if not self.training or share.count() == 1:
            return super().forward(features)
        values = features.float()
        count = share.count() * values.numel() // values.shape[1]
        mean = _Total.apply(values.sum(dim=(0, 2, 3))) / count
        centered = values - mean.view(1, -1, 1, 1)
        variance = _Total.apply((centered**2).sum(dim=(0, 2, 3))) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        scale = self.weight / torch.sqrt(variance + self.eps)
        return (centered * scale.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)).to(features.dtype)


def share_batch_norms(method: Method) -> None:
    """Have the batch normalizations of a method's networks see the whole batch."""
    if share.count() > 1:
        for network in method.networks.values():
            _share(network)


def _share(network: nn.Module) -> None:
    """Put `SharedBatchNorm2d` in the place of every `BatchNorm2d`, its parameters and buffers kept."""
    for name, child in network.named_children():
        if type(child) is nn.BatchNorm2d:
            shared = SharedBatchNorm2d(child.num_features, eps=child.eps, momentum=child.momentum)
            shared._parameters, shared._buffers = child._parameters, child._buffers
            setattr(network, name, shared)
        else:
            _share(child)
