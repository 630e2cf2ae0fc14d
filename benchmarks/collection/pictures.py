"""Small pictures for a collection, some of which are spoiled."""

import random
from pathlib import Path

import numpy as np
from crashing import CRASH
from PIL import Image

CRASHING, BROKEN = 5, 50


def write_images(folder: Path, count: int, size: tuple[int, int], seed: int) -> None:
    """Noisy gray ramps as JPEG, of a width and a height."""
    rng = np.random.default_rng(seed)
    width, height = size
    ramp = np.add.outer(np.arange(height), np.arange(width)) * (200 / (width + height))
    folder.mkdir()
    for i in range(count):
        pixels = ramp + rng.normal(0, 6, ramp.shape) + i % 50
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / f"{i:06}.jpg", quality=90)


def spoil(folder: Path, seed: int) -> tuple[set[str], set[str]]:
    """Make some images crash and others unreadable; the names of both."""
    names = random.Random(seed).sample(sorted(p.name for p in folder.iterdir()), CRASHING + BROKEN)
    for name in names[:CRASHING]:
        with (folder / name).open("ab") as file:
            file.write(CRASH)
    for name in names[CRASHING:]:
        (folder / name).write_bytes((folder / name).read_bytes()[:200])
    return {*names[:CRASHING]}, {*names[CRASHING:]}
