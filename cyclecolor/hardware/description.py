"""How a run uses the machine that it finds, in some words."""

import statistics
import time

import torch

from ..distributed import world_size
from .cores import cores


def loader_workers(asked: int | None, device: torch.device) -> int:
    """As many as asked for. On CPU, training takes all cores; a GPU would wait for a single one."""
    if asked is not None:
        return asked
    return max(0, min(8, cores() // world_size() - 1)) if device.type == "cuda" else 0


def describe(device: torch.device, *, bfloat16: bool, workers: int) -> str:
    """What was chosen, and why."""
    processes = f", {world_size()} processes" if world_size() > 1 else ""
    chosen = f"{'bfloat16' if bfloat16 else 'float32'} numbers, {workers or 'no'} loader processes"
    if device.type != "cpu":
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
        return f"{name}{processes}: {chosen}"
    return f"CPU{processes}, {_threads()}: {chosen}"


def _threads() -> str:
    count = torch.get_num_threads()
    if count == 1 or world_size() > 1:
        return "1 thread" if count == 1 else f"{count} threads"
    gain = threads_gain()
    busy = "" if gain > 1 else "; other programs are busy, so set OMP_NUM_THREADS=1"
    return f"{count} threads ({gain:.1f} x the speed of one{busy})"


def threads_gain() -> float:
    """How many times as quick as one thread torch's threads are just now.

    Where other programs keep a core busy, threads that wait for each other after every operation can be
    several times slower than one.
    """
    count = torch.get_num_threads()
    seconds: dict[int, list[float]] = {}
    maps = torch.rand(64, 2**14)
    for threads in (1, count) * 3:
        torch.set_num_threads(threads)
        start = time.perf_counter()
        for _ in range(10):
            torch.relu(maps @ maps.T)
            maps.relu_()
        seconds.setdefault(threads, []).append(time.perf_counter() - start)
    return statistics.median(seconds[1]) / statistics.median(seconds[count])
