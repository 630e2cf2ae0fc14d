"""Photos that could not be read and loader processes that died: said when it happens, and in the end."""

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path

from torch import Tensor

from ..data import UNREADABLE, Pile
from ..photos import atomic_write
from . import processes

FILE = "set_aside.csv"


class SetAside:
    """What a run had to do without. The photos found when piles were scanned go to `set_aside.csv`."""

    def __init__(self, piles: dict[str, Pile], run_dir: Path, say: Callable[[str], None]):
        self.say, self.unreadable, self.deaths = say, set(), 0
        rows = [(name, str(error)) for name, pile in piles.items() for error in getattr(pile, "refused", [])]
        if rows and processes.first():
            table = io.StringIO()
            csv.writer(table, lineterminator="\n").writerows([("pile", "reason"), *rows])
            path = Path(run_dir) / FILE
            atomic_write(path, lambda file: file.write(table.getvalue().encode("utf-8", "surrogateescape")))
            say(f"{len(rows)} photos set aside, listed in {path}; the first: {rows[0][1]}")

    def noting(self, walk: Iterator[dict[str, Tensor]]) -> Iterator[dict[str, Tensor]]:
        """The batches, with the photos noted that others had to stand in for."""
        for batch in walk:
            for reason in sorted(set(batch.pop(UNREADABLE)) - {""} - self.unreadable):
                self.unreadable.add(reason)
                self.say(f"{reason}; the next photo stands in for it")
            yield batch

    def worker_died(self, reason: str) -> None:
        """Note that a loader process died."""
        self.deaths += 1
        self.say(f"{reason}; started anew")

    def summarize(self) -> None:
        """Say again, in the end, what went missing on the way."""
        if self.unreadable:
            self.say(f"became unreadable on the way: {len(self.unreadable)} photos")
            for reason in sorted(self.unreadable):
                self.say(f"  {reason}")
        if self.deaths:
            self.say(f"loader processes that died and were started anew: {self.deaths}")
