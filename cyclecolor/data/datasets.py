"""Data sets whose every sample is a function of (seed, position): there is no loader state to save."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from .augment import Augment
from .piles import Pile

GRAY, COLOR = 0, 1  # streams of random numbers


class UnpairedDataset(Dataset):
    """Position k of an endless walk through a gray pile and, independently, a colour pile.

    Each pile is walked in a fresh random order an epoch; the shorter one starts over sooner.
    """

    def __init__(self, gray: Pile, color: Pile, *, augment: Augment, seed: int):
        self.gray, self.color, self.augment, self.seed = gray, color, augment, seed

    def __getitem__(self, position: int) -> dict[str, Tensor]:
        return {
            "gray": self._draw(self.gray, GRAY, position),
            "color": self._draw(self.color, COLOR, position),
        }

    def _draw(self, pile: Pile, stream: int, position: int) -> Tensor:
        epoch, place = divmod(position, len(pile))
        image = pile[_order(self.seed, stream, epoch, len(pile))[place]]
        seeds = np.random.SeedSequence((self.seed, stream, position))
        image = self.augment(image, int(seeds.generate_state(1)[0]))
        return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)


class PairedDataset(UnpairedDataset):
    """Colour photos, each its own gray: `gray` and `color` are one image."""

    def __init__(self, color: Pile, *, augment: Augment, seed: int):
        super().__init__(color, color, augment=augment, seed=seed)

    def __getitem__(self, position: int) -> dict[str, Tensor]:
        image = self._draw(self.color, COLOR, position)
        return {"gray": image, "color": image}


@lru_cache(maxsize=8)
def _order(seed: int, stream: int, epoch: int, count: int) -> np.ndarray:
    return np.random.default_rng((seed, stream, epoch)).permutation(count)


def batches(
    dataset: Dataset, *, start: int, stop: int, batch_size: int, workers: int
) -> Iterator[dict[str, Tensor]]:
    """Batches of steps start, ..., stop - 1; batch k is the same wherever one starts."""
    positions = range(start * batch_size, stop * batch_size)
    return iter(
        DataLoader(
            dataset,
            batch_size=batch_size,
            sampler=positions,
            num_workers=workers,
            # Its own generator: the loader takes nothing from the one that training uses.
            generator=torch.Generator(),
        )
    )
