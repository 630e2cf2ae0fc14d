"""Where bfloat16 pays."""

from pathlib import Path

import torch


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
