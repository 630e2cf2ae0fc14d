"""Loops over pixels, compiled by numba: few calls a photo, in which Python's lock is free for other workers.

`lines` (h, w, 4), float32, say what the two chroma channels are at each place of a small grid as linear
functions of lightness: two slopes, then two offsets. Between its places they are interpolated bilinearly.
Indices are not checked in here: what makes them is bounded first, whatever a stranger's network says.
Each loop along a row is a function of its own: in one, they are not compiled to vector instructions, and take
twice as long.
"""

import math

import numba
import numpy as np

SEGMENT = 512  # pixels of a row that are passed over together if all their colors are known
CODES = 512  # of each chroma channel: 0.43 units of Lab, no coarser than 8-bit RGB itself


def compiled(loop):
    """`loop` without Python; kept on disk for the next start where there is a place for it."""
    try:
        return numba.njit(nogil=True, cache=True)(loop)
    except RuntimeError:  # numba's word for: neither this folder nor the user's can be written to
        return numba.njit(nogil=True)(loop)


@compiled
def chroma_of_strip(lines, lightness, top, height):
    """Rows from `top` on of a photo `height` rows high: lightness (R, W) to chroma (2, R, W), float32."""
    rows, width = lightness.shape
    chroma = np.empty((2, rows, width), np.float32)
    row = np.empty((lines.shape[1], 4), np.float32)
    for y in range(rows):
        _lines_of_row(lines, top + y, height, row)
        _chroma_of_row(row, lightness[y], chroma[0, y], chroma[1, y])
    return chroma


@compiled
def look_up(lines, gray, lightness_of, colors, out):
    """Colors of (H, W) uint8 gray into (H, W) int32 `out`, from those that are known; how many were not.

    `lines` are in codes of chroma; `colors`, int32, has one for each first code, second code and level. A
    known color is negative; in place of an unknown one stands its index.
    """
    height, width = gray.shape
    row = np.empty((lines.shape[1], 4), np.float32)
    lightness = np.empty(width, np.float32)
    first, second = np.empty(width, np.float32), np.empty(width, np.float32)
    indices = np.empty(width, np.int32)
    unknown = 0
    for y in range(height):
        _taken(lightness_of, gray[y], lightness)
        _lines_of_row(lines, y, height, row)
        _chroma_of_row(row, lightness, first, second)
        _indices_of_row(first, second, gray[y], indices)
        _taken(colors, indices, out[y])
        unknown += _mark_unknown(out[y], indices)
    return unknown


@compiled
def unknown_of(out, colors, indices):
    """The distinct indices that `look_up` left in `out`, into `indices`; each is marked, to be found once."""
    found = 0
    for y in range(out.shape[0]):
        for left in range(0, out.shape[1], SEGMENT):
            segment = out[y, left : left + SEGMENT]
            if not _holds_unknown(segment):
                continue
            for index in segment:
                if index >= 0 and colors[index] == 0:
                    colors[index] = 1
                    indices[found] = index
                    found += 1
    return indices[:found]


@compiled
def fill_in(out, colors):
    """Colors in place of the indices that `look_up` left in `out`."""
    for y in range(out.shape[0]):
        _fill_in_row(out[y], colors)


@compiled
def _fill_in_row(row, colors):
    """`fill_in` of (W): a color is looked up for each, needed or not, which makes it a vector instruction."""
    for x in range(len(row)):
        color = colors[max(row[x], 0)]
        row[x] = row[x] if row[x] < 0 else color


@compiled
def _taken(values, places, out):
    """`values[places]`, all (N)."""
    for x in range(len(out)):
        out[x] = values[places[x]]


@compiled
def _indices_of_row(first, second, gray, out):
    """Places among `colors`, from chroma in codes and levels, all (W)."""
    for x in range(len(out)):
        out[x] = (_code(first[x]) * CODES + _code(second[x])) * 256 + gray[x]


@compiled
def _mark_unknown(colors, indices):
    """Put indices in the place of colors that are not known, both (W); how many they are."""
    if not _holds_unknown(colors):
        return 0
    unknown = 0
    for x in range(len(colors)):
        if colors[x] >= 0:
            colors[x] = indices[x]
            unknown += 1
    return unknown


@compiled
def _holds_unknown(colors):
    """Whether an index stands in the place of any color (W)."""
    most = np.int32(-1)
    for x in range(len(colors)):
        most = max(most, colors[x])
    return most >= 0


@compiled
def _code(chroma):
    """A code from chroma in codes, rounded down; 0 for what is no number."""
    return np.int32(min(chroma, np.float32(CODES - 1))) if chroma > 0 else np.int32(0)


@compiled
def _lines_of_row(lines, y, height, out):
    """Lines (h, w, 4) at row `y` of `height`, (w, 4)."""
    small = len(lines)
    place = min(max((y + 0.5) * small / height - 0.5, 0.0), small - 1.0)
    above = int(place)
    below, share = min(above + 1, small - 1), np.float32(place - above)
    for x in range(lines.shape[1]):
        for i in range(4):
            out[x, i] = lines[above, x, i] + share * (lines[below, x, i] - lines[above, x, i])


@compiled
def _chroma_of_row(row, lightness, first, second):
    """Lines (w, 4) and lightness (W) to the two chroma channels (W)."""
    small, width = len(row), len(lightness)
    step = small / width
    for place in range(-1, small):
        left, right = row[max(place, 0)], row[min(place + 1, small - 1)]
        slope_1, slope_2, offset_1, offset_2 = left
        by_1, by_2 = right[0] - slope_1, right[1] - slope_2
        by_3, by_4 = right[2] - offset_1, right[3] - offset_2
        # Pixel x is (x + 0.5) step - 0.5 places from the first one.
        begin = max(0, math.ceil((place + 0.5) / step - 0.5))
        end = min(width, math.ceil((place + 1.5) / step - 0.5))
        share, by = np.float32((begin + 0.5) * step - 0.5 - place), np.float32(step)
        here, one, two = lightness[begin:end], first[begin:end], second[begin:end]
        for x in range(len(here)):
            at = share + by * np.float32(x)
            one[x] = (slope_1 + at * by_1) * here[x] + (offset_1 + at * by_3)
            two[x] = (slope_2 + at * by_2) * here[x] + (offset_2 + at * by_4)
