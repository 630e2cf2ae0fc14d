"""Numbers as tensors."""

from functools import cache

import torch
from torch import Tensor


@cache
def constant(
    values: tuple[float, ...] | tuple[tuple[float, ...], ...], device: torch.device, dtype: torch.dtype
) -> Tensor:
    """(Nested) numbers where and as they are needed; moved there once, as every move waits for the GPU."""
    with torch.inference_mode(False):  # what translation met first is then no less of use to training
        return torch.tensor(values, device=device, dtype=dtype)
