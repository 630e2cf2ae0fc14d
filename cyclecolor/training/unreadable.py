"""Photos that could not be read and loader processes that died: said when it happens, and in the end."""

import logging
from collections.abc import Iterator
from pathlib import Path

from torch import Tensor

from ..data import UNREADABLE, Pile
from ..distributed import is_first
from ..files import write_csv

logger = logging.getLogger("cyclecolor")

FILE = "set_aside.csv"


class Unreadable:
    """What a run had to do without. The photos found when piles were scanned go to `set_aside.csv`."""

    def __init__(self, piles: dict[str, Pile], run_dir: Path):
        self.reasons: set[str] = set()
        self.deaths = 0
        rows = [(name, str(error)) for name, pile in piles.items() for error in getattr(pile, "refused", [])]
        if rows and is_first():
            path = Path(run_dir) / FILE
            write_csv([("pile", "reason"), *rows], path)
            logger.warning("%d photos set aside, listed in %s; the first: %s", len(rows), path, rows[0][1])

    def noting(self, walk: Iterator[dict[str, Tensor]]) -> Iterator[dict[str, Tensor]]:
        """The batches, with the photos noted that others had to stand in for."""
        for batch in walk:
            for reason in sorted(set(batch.pop(UNREADABLE)) - {""} - self.reasons):
                self.reasons.add(reason)
                logger.warning("%s; the next photo takes its place", reason)
            yield batch

    def worker_died(self, reason: str) -> None:
        """Note that a loader process died."""
        self.deaths += 1
        logger.warning("%s; it was started again", reason)

    def summarize(self) -> None:
        """Say again, in the end, what went missing on the way."""
        if self.reasons:
            logger.warning("photos that became unreadable during the training: %d", len(self.reasons))
            for reason in sorted(self.reasons):
                logger.warning("  %s", reason)
        if self.deaths:
            logger.warning("loader processes that died and were started again: %d", self.deaths)
