"""Photos of known color, not trained on, and the error on them that says which checkpoint is best."""

from contextlib import suppress
from os.path import expanduser
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..config import Data
from ..data import SCENES, ScenePile
from ..evaluation.inputs import read_large_enough
from ..evaluation.pictures import SMALLEST
from ..methods import Method
from ..methods.losses import l1
from ..photos import PhotoError, find_photos

TEST_FOLDERS = ("color_test", "testB")
TRAINING_FOLDERS = ("gray_train", "trainA")


def held_out(data: Data, count: int) -> list[np.ndarray]:
    """Up to `count` color photos (H, W, 3) that were not trained on; none if the data set has none."""
    if data.root is None and data.color is None:
        pile = ScenePile(SCENES["test"], count, size=max(data.size, SMALLEST))
        return [pile[i] for i in range(count)]
    folders = [Path(expanduser(data.root)) / name for name in TEST_FOLDERS] if data.root else []
    folder = next((f for f in folders if f.is_dir()), None)
    return _read(folder, data, count) if folder else []


def some_photos(data: Data, count: int) -> list[np.ndarray]:
    """Up to `count` photos of the gray pile (of the color pile, if that is all there is)."""
    in_root = [f"{data.root}/{name}" for name in TRAINING_FOLDERS]
    folders = [Path(expanduser(name)) for name in (data.gray, data.color, *in_root) if name]
    folder = next((folder for folder in folders if folder.is_dir()), None)
    return _read(folder, data, count) if folder else []


@torch.no_grad()
def chroma_error(method: Method, generator: nn.Module, photos: list[np.ndarray]) -> float:
    """Mean absolute error of a generator's scaled chroma on photos, from their own lightness."""
    generator.eval()
    errors = []
    for photo in photos:
        image = torch.from_numpy(photo).permute(2, 0, 1)[None]
        errors.append(l1(*method.chroma(generator, {"gray": image, "color": image})))
    return torch.stack(errors).mean().item()


def _read(folder: Path, data: Data, count: int) -> list[np.ndarray]:
    photos = []
    for path in find_photos(folder)[:count]:
        with suppress(PhotoError):  # evaluation names those that cannot be read or measured
            photos.append(read_large_enough(path, max(data.load_size, SMALLEST)))
    return photos
