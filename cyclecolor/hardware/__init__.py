"""What the machine has: cores, devices, number types."""

from .cores import cores
from .description import describe, loader_workers, threads_gain
from .device import pick_device
from .memory import keep_memory
from .precision import sum_in_one_order, use_bfloat16
from .signals import STOP_SIGNALS

__all__ = [
    "STOP_SIGNALS",
    "cores",
    "describe",
    "keep_memory",
    "loader_workers",
    "pick_device",
    "sum_in_one_order",
    "threads_gain",
    "use_bfloat16",
]
