"""A batch shared among processes: what each does on its share is what one alone would do on all of it.

Every process holds the same state and draws the same random numbers; only the images differ, process r of n
having the r-th of n equal shares of each batch. Alone, every function here gives back what it is given.
"""

import torch
import torch.distributed as dist
from torch import Tensor


def rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def count() -> int:
    """How many processes share a batch."""
    return dist.get_world_size() if dist.is_initialized() else 1


def own(whole: Tensor) -> Tensor:
    """Our share (n, ...) of a whole batch (count * n, ...)."""
    return whole.chunk(count())[rank()]


def whole(own: Tensor) -> Tensor:
    """The whole batch (count * n, ...) from every process's share (n, ...); no gradient passes."""
    if count() == 1:
        return own
    shares = [torch.empty_like(own, memory_format=torch.contiguous_format) for _ in range(count())]
    dist.all_gather(shares, own.detach().contiguous())
    return torch.cat(shares)


def mean(own: Tensor) -> Tensor:
    """The mean over all processes; no gradient passes."""
    if count() == 1:
        return own
    total = own.detach().clone()
    dist.all_reduce(total)
    return total / count()


def normal(shape: tuple[int, ...], device: torch.device, generator: torch.Generator | None = None) -> Tensor:
    """Standard normal noise of a share's shape (n, ...), cut from that of the whole batch.

    So image k of a batch meets the same noise however many processes there are.
    """
    whole = (count() * shape[0], *shape[1:])
    return own(torch.randn(whole, device=device, generator=generator))
