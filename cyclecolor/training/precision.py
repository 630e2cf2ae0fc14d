"""Number types, threads, memory layout and memory: how a run uses the machine that it finds."""

import ctypes
import os
import statistics
import sys
import time
from pathlib import Path

import torch
from torch import nn

from .. import share
from ..machine import cores

# glibc's mallopt: keys of <malloc.h>.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def pick_device() -> torch.device:
    """The GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def use_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether forward passes run in bfloat16: where asked, or where the hardware multiplies it."""
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.is_file() and "avx512_bf16" in cpuinfo.read_text()


def loader_processes(asked: int | None, device: torch.device) -> int:
    """As many as asked for. On CPU, training takes all cores; a GPU would wait for a single one."""
    if asked is not None:
        return asked
    return max(0, min(8, cores() // share.count() - 1)) if device.type == "cuda" else 0


def sum_in_one_order() -> None:
    """Let a GPU take only ways whose results are the same bits every time, slower ones among them.

    An operation that has none stops the run. On CPU, with as many threads, it is so anyway.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when the GPU is first used
    torch.use_deterministic_algorithms(True)


def describe(device: torch.device, *, bfloat16: bool, workers: int) -> str:
    """What was chosen, and why, in some words."""
    processes = f", {share.count()} processes" if share.count() > 1 else ""
    data = f"; {workers or 'no'} loader processes"
    if device.type == "cuda":
        chosen = "bfloat16, which it multiplies" if bfloat16 else "float32"
        return f"{torch.cuda.get_device_name(device)}{processes}: {chosen}; NHWC{data}"
    number = "bfloat16" if bfloat16 else "float32 by Winograd convolutions"
    hardware = "" if bfloat16 else ", as bfloat16 is not in the hardware or not wanted"
    return f"CPU{processes}, {_threads()}: {number}{hardware}; NHWC{data}"


def _threads() -> str:
    count = torch.get_num_threads()
    if count == 1 or share.count() > 1:
        return "1 thread" if count == 1 else f"{count} threads"
    gain = threads_gain()
    busy = "" if gain > 1 else ", as other programs are at work; better set OMP_NUM_THREADS=1"
    return f"{count} threads ({gain:.1f} x as quick as one in a trial{busy})"


def threads_gain() -> float:
    """How many times as quick as one thread torch's threads are just now.

    Where other programs keep a core busy, threads that wait for each other after every operation can be
    several times slower than one.
    """
    count, seconds = torch.get_num_threads(), {}
    maps = torch.rand(64, 2**14)
    for threads in (1, count) * 3:
        torch.set_num_threads(threads)
        start = time.perf_counter()
        for _ in range(10):
            torch.relu(maps @ maps.T)
            maps.relu_()
        seconds.setdefault(threads, []).append(time.perf_counter() - start)
    return statistics.median(seconds[1]) / statistics.median(seconds[count])


def lay_out(network: nn.Module) -> nn.Module:
    """Put a network's weights, and with them all its maps, into the layout that convolutions like: NHWC."""
    return network.to(memory_format=torch.channels_last)


def keep_memory() -> None:
    """Let freed memory be used again, where that is ours to say (glibc).

    By default, large blocks go back to the system and come again as new pages, each to be cleared: up to
    half the time of a map larger than the processor's cache.
    """
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "mallopt"):
        library.mallopt(M_MMAP_MAX, 0)
        library.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
