"""Data sets whose every sample is a function of (seed, position): there is no loader state to save."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..film import render
from .augment import Augment
from .piles import Pile

GRAY, COLOR, FILM = 0, 1, 2  # streams of random numbers


class UnpairedDataset(Dataset):
    """Position k of an endless walk through a gray pile and, independently, a colour pile.

    Each pile is walked in a fresh random order an epoch; the shorter one starts over sooner. With a `film`,
    a key of `cyclecolor.film.FILMS`, the gray pile is colour photos that the film makes gray.
    """

    def __init__(self, gray: Pile, color: Pile, *, augment: Augment, seed: int, film: str | None = None):
        self.gray, self.color, self.augment, self.seed, self.film = gray, color, augment, seed, film

    def __getitem__(self, position: int) -> dict[str, Tensor]:
        return {
            "gray": self._draw(self.gray, GRAY, position, self.film),
            "color": self._draw(self.color, COLOR, position),
        }

    def _draw(self, pile: Pile, stream: int, position: int, film: str | None = None) -> Tensor:
        epoch, place = divmod(position, len(pile))
        index = int(_order(self.seed, stream, epoch, len(pile))[place])
        image = pile[index]
        if film:
            # A photo has one scan, the same in every epoch; the generic mixture is augmentation, ever new.
            image = render(image, film, self._seed(FILM, position if film == "generic" else index))
        image = self.augment(image, self._seed(stream, position))
        return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)

    def _seed(self, stream: int, number: int) -> int:
        return int(np.random.SeedSequence((self.seed, stream, number)).generate_state(1)[0])


class PairedDataset(UnpairedDataset):
    """Colour photos, each its own gray: `gray` and `color` are one image, or its film and itself."""

    def __init__(self, color: Pile, *, augment: Augment, seed: int, film: str | None = None):
        super().__init__(color, color, augment=augment, seed=seed, film=film)

    def __getitem__(self, position: int) -> dict[str, Tensor]:
        color = self._draw(self.color, COLOR, position)
        gray = self._draw(self.color, COLOR, position, self.film) if self.film else color
        return {"gray": gray, "color": color}


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
