"""Data sets whose every sample is a function of (seed, position): there is no loader state to save."""

import logging
import signal
import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..errors import CycleColorError
from ..film import EVER_NEW, render
from ..hardware import STOP_SIGNALS
from ..photos import PhotoError
from .augment import Augment, Tones
from .piles import Pile
from .seeds import Stream, mixed_seed

UNREADABLE = "unreadable"  # in a sample: why another photo stands in for one, or ""
STAND_INS = 100  # photos in a row that may have become unreadable
DEATHS = 3  # of loader processes in a row, without a batch in between

logger = logging.getLogger("cyclecolor")

Sample = dict[str, Tensor | str]  # `gray` and `color`, (3, H, W) uint8; and `UNREADABLE`


class UnpairedDataset(Dataset[Sample]):
    """Position k of an endless walk through a gray pile and, independently, a color pile.

    Each pile is walked in a fresh random order an epoch; the shorter one starts over sooner. For a photo
    that became unreadable since the pile was scanned stands in the one at the next position.
    """

    def __init__(self, gray: Pile, color: Pile, *, augment: Augment, seed: int):
        self.gray, self.color, self.augment, self.seed = gray, color, augment, seed

    def __getitem__(self, position: int) -> dict[str, Tensor | str]:
        gray, no_gray = self._draw(self.gray, Stream.GRAY, position)
        color, no_color = self._draw(self.color, Stream.COLOR, position)
        return {"gray": gray, "color": color, UNREADABLE: no_gray or no_color}

    def _draw(self, pile: Pile, stream: Stream, position: int, film: str | None = None) -> tuple[Tensor, str]:
        index, image, unreadable = self._photo(pile, stream, position)
        if film:
            image = render(image, film, self._seed(Stream.FILM, position if film in EVER_NEW else index))
        image = self.augment(image, self._seed(stream, position))
        return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1), unreadable

    def _photo(self, pile: Pile, stream: Stream, position: int) -> tuple[int, np.ndarray, str]:
        unreadable = ""
        for stand_in in range(position, position + STAND_INS):
            epoch, place = divmod(stand_in, len(pile))
            index = int(_order(self.seed, stream, epoch, len(pile))[place])
            try:
                return index, pile[index], unreadable
            except PhotoError as error:
                unreadable = unreadable or str(error)
        raise CycleColorError(f"{unreadable}; the {STAND_INS - 1} photos after it cannot be read either")

    def _seed(self, stream: Stream, number: int) -> int:
        return mixed_seed(self.seed, stream, number) % (1 << 32)  # all that albumentations takes


class PairedDataset(UnpairedDataset):
    """Color photos, each its own gray: `gray` and `color` are one image, or its film and itself.

    A `film` is a key of `cyclecolor.film.FILMS` or `BOXES` and shows a share of the photos; `tones` vary the
    gray, whichever it is.
    """

    def __init__(
        self,
        color: Pile,
        *,
        augment: Augment,
        seed: int,
        film: str | None = None,
        film_share: float = 1.0,
        tones: Tones | None = None,
    ):
        super().__init__(color, color, augment=augment, seed=seed)
        self.film, self.film_share, self.tones = film, film_share, tones

    def __getitem__(self, position: int) -> dict[str, Tensor | str]:
        color, unreadable = self._draw(self.color, Stream.COLOR, position)
        on_film = self.film and self._seed(Stream.ON_FILM, position) < self.film_share * (1 << 32)
        gray = self._draw(self.color, Stream.COLOR, position, self.film)[0] if on_film else color
        if self.tones:
            image = gray.permute(1, 2, 0).contiguous().numpy()
            image = self.tones(image, self._seed(Stream.TONES, position))
            gray = torch.from_numpy(image).permute(2, 0, 1)
        return {"gray": gray, "color": color, UNREADABLE: unreadable}


@lru_cache(maxsize=8)
def _order(seed: int, stream: Stream, epoch: int, count: int) -> np.ndarray:
    return np.random.default_rng((seed, stream, epoch)).permutation(count)


def batches(
    dataset: Dataset[Sample],
    *,
    start: int,
    stop: int,
    batch_size: int,
    workers: int,
    rank: int = 0,
    world_size: int = 1,
    worker_died: Callable[[str], None] = logger.warning,
) -> Iterator[dict[str, Tensor]]:
    """Batches start, ..., stop - 1; batch k is the same wherever one starts and whatever dies.

    Of each batch comes part `rank` of `world_size` equal ones. Loader processes that die (out of memory,
    for example) are reported to `worker_died` and started anew.

    Raises
    ------
    CycleColorError
        If they die over and over, or `batch_size` does not divide by `world_size`.
    """
    if batch_size % world_size:
        raise CycleColorError(
            f"batch_size = {batch_size} cannot be divided among {world_size} processes", exit_code=2
        )
    deaths, each = 0, batch_size // world_size
    while start < stop:
        firsts = range(start * batch_size + rank * each, stop * batch_size, batch_size)
        loader = _loader(dataset, (range(first, first + each) for first in firsts), workers)
        try:
            while start < stop:
                yield next(loader)
                start, deaths = start + 1, 0
        except CycleColorError as error:  # a loader process puts its traceback before the words
            words = str(error).rpartition("CycleColorError: ")[2].strip()
            raise CycleColorError(words, exit_code=error.exit_code) from None
        except RuntimeError as error:
            if "exited unexpectedly" not in str(error):
                raise
            deaths += 1
            if deaths == DEATHS:
                raise CycleColorError(
                    f"loader processes died {DEATHS} times in a row ({error}); "
                    "if memory is short, lower data.workers"
                ) from None
            worker_died(f"a loader process died at batch {start:,}")
        finally:
            if workers:  # a traceback may hold the loader, whose processes would hold up the end of this one
                loader._shutdown_workers()


def _loader(
    dataset: Dataset[Sample], positions: Iterator[range], workers: int
) -> Any:  # an iterator of batches, which PyTorch gives no public name
    # Its own generator: the loader takes nothing from the one that training uses.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This DataLoader will create")  # more workers than cores: asked for
        loader = DataLoader(
            dataset,
            batch_sampler=positions,  # type: ignore[arg-type]  # a range serves as well as a list
            num_workers=workers,
            worker_init_fn=_start_worker,
            generator=torch.Generator(),
        )
        batches = iter(loader)
    if workers and hasattr(signal, "SIGCHLD"):
        # PyTorch would raise on a worker's death wherever training stands; `next` notices it too.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    return batches


def _start_worker(_worker: int) -> None:
    """Leave signals to the trainer, who gets them too: batches must come until all is saved.

    Loader processes are the parallelism; OpenCV's own threads would fight them.
    """
    cv2.setNumThreads(0)
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
