"""LZW as TIFF has it (TIFF 6.0, section 13), compiled by numba."""

from collections.abc import Callable

import numba
import numpy as np

_CLEAR, _END = 256, 257
_MOST_CODES = 4096


def _compiled(loop: Callable[..., int]) -> Callable[..., int]:
    """`loop` without Python, kept on disk for the next start where there is a place for it."""
    try:
        return numba.njit(nogil=True, boundscheck=True, cache=True)(loop)
    except RuntimeError:  # numba's word for: neither this folder nor the user's can be written to
        return numba.njit(nogil=True, boundscheck=True)(loop)


@_compiled
def fill(data: np.ndarray, out: np.ndarray) -> int:
    """Fill `out`; how many bytes there were for it, or -1 of a code that stands for nothing.

    A code stands for what the code before it stood for, and one byte more: so for a stretch of `out`.
    """
    starts, lengths = np.zeros(_MOST_CODES, np.int64), np.zeros(_MOST_CODES, np.int64)
    known, width, before, filled = _END + 1, 9, -1, 0
    hold, bits = 0, 0
    for byte in data:
        hold = (hold << 8 | byte) & 0xFFFFFF
        bits += 8
        if bits < width:
            continue
        bits -= width
        code = hold >> bits & ((1 << width) - 1)
        if code == _END:
            break
        if code == _CLEAR:
            known, width, before = _END + 1, 9, -1
            continue
        if before >= 0 and known < _MOST_CODES:
            # What `before` stood for lies right before `filled`; the byte behind it comes next.
            length = lengths[before] if before > _END else 1
            starts[known], lengths[known] = filled - length, length + 1
            known += 1
        if code >= known:
            return -1
        if code < _CLEAR:
            if filled < out.size:
                out[filled] = code
            filled += 1
        else:
            for at in range(starts[code], starts[code] + lengths[code]):
                if filled < out.size:
                    out[filled] = out[at]
                filled += 1
        if filled >= out.size:
            break
        before = code
        if known + 1 >= 1 << width and width < 12:  # one early, as the first writers had it
            width += 1
    return min(filled, out.size)
