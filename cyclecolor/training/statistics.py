"""Statistics of batch norms, taken anew on photos like those that a checkpoint is to color.

Unpaired training shows `G_color` batches in which scans and what `G_gray` draws lie side by side, and its
norms remember both. On scans alone, colors then come out up to a quarter too strong, and hues worse.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..checkpoint import Checkpoint
from ..color import SPACES
from ..data.augment import Augment
from ..errors import CycleColorError
from ..methods import METHODS
from ..photos import PhotoError, find_photos, read_rgb8

BATCHES, BATCH = 70, 16


@torch.no_grad()
def renew_statistics(checkpoint: Checkpoint, photos: Path) -> Checkpoint:
    """The same checkpoint, with means and variances of the averaged `G_color`'s norms over crops of photos.

    Raises
    ------
    CycleColorError
        If none of the photos can be read, or the checkpoint's colors are whole images.
    """
    experiment = checkpoint.experiment
    method = METHODS[experiment.method]
    if method.in_rgb:
        raise CycleColorError("--statistics is for checkpoints in lab or luv", exit_code=2)
    network = method.build_generator("G_color", experiment)
    network.load_state_dict(checkpoint.averaged("G_color"))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # the plain mean over batches
    network.train()
    for batch in _crops(photos, experiment.data.size, experiment.data.load_size, experiment.data.min_scale):
        network(SPACES[experiment.space].gray(batch))
    renewed = {f"ema/G_color/module.{name}": t for name, t in network.state_dict().items()}
    return replace(checkpoint, tensors={**checkpoint.tensors, **renewed})


def _crops(photos: Path, size: int, load_size: int, min_scale: float) -> Iterator[Tensor]:
    """Batches of sRGB (16, 3, size, size) in [0, 1], cut as in training from photos drawn at random."""
    draw, augment = np.random.default_rng(0), Augment(size, min_scale)
    paths = find_photos(photos)
    for _ in range(BATCHES):
        images = []
        for i in draw.integers(len(paths), size=BATCH):
            try:
                image = read_rgb8(paths[i], short_side=load_size)
            except PhotoError:
                continue  # `doctor` names it
            images.append(augment(image, int(draw.integers(1 << 31))))
        if len(images) < 2:
            raise CycleColorError(f"{photos}: its photos cannot be read; see cyclecolor doctor", exit_code=2)
        yield torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
