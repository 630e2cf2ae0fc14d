"""Number types, and sums in one order."""

import os
from pathlib import Path

import torch


def use_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether forward passes run in bfloat16: where asked, or where the hardware multiplies it."""
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    cpuinfo = Path("/proc/cpuinfo")
    return device.type == "cpu" and cpuinfo.is_file() and "avx512_bf16" in cpuinfo.read_text()


def sum_in_one_order() -> None:
    """Let a GPU take only ways whose results are the same bits every time, slower ones among them.

    An operation that has none stops the run. On CPU, with as many threads, it is so anyway.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when the GPU is first used
    torch.use_deterministic_algorithms(True)
