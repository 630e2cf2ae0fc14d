"""The processes that `torchrun` started: how they join, and what they agree on.

Process 0 alone speaks, writes and holds the lock.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist

from ..errors import CycleColorError
from .collectives import rank, world_size


@contextmanager
def process_group(device: torch.device | None = None) -> Iterator[None]:
    """Join the processes that `torchrun` started beside this one, if it did.

    Parameters
    ----------
    device : torch.device, optional
        Where they compute: by default on GPUs, if there are any. It decides on how they talk.

    Raises
    ------
    CycleColorError
        If another process of the group is gone.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        yield
        return
    on_gpus = device.type == "cuda" if device else torch.cuda.is_available()
    if on_gpus:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if on_gpus else "gloo", **_rendezvous())
    logger = logging.getLogger("cyclecolor")
    logger.disabled = not is_first()
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, dist.DistError) and "gloo" not in str(error).lower():
            raise
        raise CycleColorError(
            f"process {rank()}: another process of this training has ended; "
            "the same command continues from the last checkpoint"
        ) from None
    finally:
        logger.disabled = False
        dist.destroy_process_group()


def _rendezvous() -> dict[str, Any]:
    """Arguments that say where to meet, where PyTorch's own way fails: after a restart by `torchrun`.

    Its store of addresses outlives the processes of before (seen in PyTorch 2.14), so that the new ones would
    wait for the dead. Here every attempt has a place of its own in it. Machines count attempts each for
    itself; for several of them, docs/cluster.md has another way.
    """
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True" or os.environ["GROUP_WORLD_SIZE"] != "1":
        return {}
    from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]  # public, not in its __all__

    store = TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
    place = PrefixStore(f"attempt {os.environ['TORCHELASTIC_RESTART_COUNT']}", store)
    return {"store": place, "rank": int(os.environ["RANK"]), "world_size": int(os.environ["WORLD_SIZE"])}


def is_first() -> bool:
    """Whether this is the process that speaks and writes."""
    return rank() == 0


def all_max(number: int) -> int:
    """The largest of all processes' numbers."""
    return _reduced(number, dist.ReduceOp.MAX)


def broadcast(number: int) -> int:
    """Process 0's number."""
    return _reduced(number if is_first() else 0, dist.ReduceOp.SUM)


def _reduced(number: int, operation: dist.ReduceOp.RedOpType) -> int:
    if world_size() == 1:
        return number
    reduced = torch.tensor(number, device="cuda" if dist.get_backend() == "nccl" else "cpu")
    dist.all_reduce(reduced, operation)
    return int(reduced)
