"""Several processes, as `torchrun` starts them: each works on its part of every batch."""

from .collectives import all_gather, all_mean, local_part, normal, rank, world_size
from .process_group import all_max, broadcast, is_first, process_group
from .sync_batch_norm import SyncBatchNorm2d, synchronize_batch_norms

__all__ = [
    "SyncBatchNorm2d",
    "all_gather",
    "all_max",
    "all_mean",
    "broadcast",
    "is_first",
    "local_part",
    "normal",
    "process_group",
    "rank",
    "synchronize_batch_norms",
    "world_size",
]
