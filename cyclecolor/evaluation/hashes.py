"""Perceptual hashes: which photos are the same picture, whatever their size, file and tone."""

import cv2
import numpy as np

SIDE = 16  # bits are signs of differences between neighbors on a grid of 16 x 17
# Bits of 256 in which hashes of one picture may differ. Of 1,200 landscapes without duplicates no two were
# nearer than 46; a photo and a grainy film of it differ in 29 to 44 (medians of four films), so of twins of
# that kind about half are found.
SAME = 40
CHUNK = 1024  # photos whose distances to all others are held in memory


def dhash(gray: np.ndarray) -> np.ndarray:
    """Difference hash (Krawetz, 2013) of a gray image (H, W): 256 signs, as +1 and -1 in float32.

    Tone curves keep it, as brighter stays brighter; so do scaling and, mostly, grain.
    """
    small = cv2.resize(gray, (SIDE + 1, SIDE), interpolation=cv2.INTER_AREA)
    return np.where(np.diff(small, axis=1) > 0, np.float32(1), np.float32(-1)).reshape(-1)


def same_pictures(first: np.ndarray, second: np.ndarray, mirrored: np.ndarray) -> list[tuple[int, int]]:
    """Pairs (i, j) of equal pictures, mirrored ones too.

    Parameters
    ----------
    first : np.ndarray
        Hashes (n, 256) of one set.
    second, mirrored : np.ndarray
        Hashes (m, 256) of another set, and of its mirror images.
    """
    least = SIDE**2 - 2 * SAME  # products of hashes count bits that agree less those that do not
    pairs = []
    for start in range(0, len(first), CHUNK):
        rows = first[start : start + CHUNK]
        agree = np.maximum(rows @ second.T, rows @ mirrored.T)
        pairs += [(start + int(i), int(j)) for i, j in np.argwhere(agree >= least)]
    return pairs
