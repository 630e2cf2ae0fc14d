"""A batch in parts: what each process does on its part is what one alone would do on all of it.

Every process holds the same state and draws the same random numbers; only the images differ. Process `rank`
of `world_size` has the rank-th of as many equal parts of each batch. Alone, every function here gives back
what it is given. One thing depends on the number of processes: `any_film` takes its share of each part.
"""

import torch
import torch.distributed as dist
from torch import Tensor


def rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """How many processes there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def local_part(batch: Tensor) -> Tensor:
    """The part (n, ...) that this process has of a whole batch (world_size * n, ...)."""
    return batch.chunk(world_size())[rank()]


def all_gather(part: Tensor) -> Tensor:
    """The whole batch (world_size * n, ...) from every process's part (n, ...); no gradient passes."""
    if world_size() == 1:
        return part
    parts = [torch.empty_like(part, memory_format=torch.contiguous_format) for _ in range(world_size())]
    dist.all_gather(parts, part.detach().contiguous())
    return torch.cat(parts)


def all_mean(part: Tensor) -> Tensor:
    """The mean over all processes; no gradient passes."""
    if world_size() == 1:
        return part
    total = part.detach().clone()
    dist.all_reduce(total)
    return total / world_size()


def normal(shape: tuple[int, ...], device: torch.device, generator: torch.Generator | None = None) -> Tensor:
    """Standard normal noise of a part's shape (n, ...), cut from that of the whole batch.

    So image k of a batch meets the same noise however many processes there are.
    """
    whole = (world_size() * shape[0], *shape[1:])
    return local_part(torch.randn(whole, device=device, generator=generator))
