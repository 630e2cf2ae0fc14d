"""Memory of the process, for programs that own it: the command line and the benchmarks."""

import ctypes
import sys

# glibc's mallopt: keys of <malloc.h>.
M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8


def keep_memory() -> None:
    """Let freed memory be used again, where that is ours to say (glibc).

    By default, large blocks go back to the system and come again as new pages, each to be cleared: up to
    half the time of a map larger than the processor's cache.
    """
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "mallopt"):
        library.mallopt(M_MMAP_MAX, 0)
        library.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        library.mallopt(M_ARENA_MAX, 1)  # the arenas of other threads give large blocks back all the same
