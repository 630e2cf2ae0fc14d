"""What the machine has for us."""

import os


def cores() -> int:
    """Processor cores that this process may run on, where the system says; at least 1."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
