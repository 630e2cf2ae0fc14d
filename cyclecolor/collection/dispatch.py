"""Batches to workers, and what follows from their deaths.

A batch is marked before any of it is decoded (`Notes.mark`). If its worker dies, nobody knows which photo
did it, or whether somebody else did: each is tried again in a batch of its own, so that no neighbor is
blamed. A photo with which a worker dies so is colored apart (`apart.py`), where its worker can tell. Only if
workers go on dying with it, as when it takes a whole machine along, are their deaths its own.
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from ..photos import is_tar
from ..translation.manifest import Record
from .verdicts import quarantined
from .work import Item

BATCH = 16  # photos: a request for each mark, and what is tried again after a death
LAST_DEATH = 5  # of workers, with one photo alone in hand: those killed from outside are among them


@dataclass(frozen=True)
class Event:
    """What happened to a worker: it is ready (for the first time, or with records), or it has died."""

    worker: Hashable
    records: tuple[Record, ...] = ()
    died: bool = False


class WorkerPool(Protocol):
    """The workers of an engine."""

    size: int

    def start_worker(self) -> None:
        """Begin to start a worker; an event says when it is ready."""

    def submit(self, worker: Hashable, batch: list[Item]) -> None:
        """Let a worker that is ready do a batch."""

    def events(self) -> list[Event]:
        """What has happened; waits for it, though not for ever."""

    def close(self) -> None:
        """Let all workers go."""


class Dispatch:
    """Hands out items until there are none, and gives back their records.

    Parameters
    ----------
    pool : WorkerPool
    items : iterator of Item
    count : int
        Of the items, at most.
    """

    def __init__(self, pool: WorkerPool, items: Iterator[Item], count: int):
        self.pool, self.items, self.left = pool, items, count
        self.suspects: deque[Item] = deque()
        self.in_hand: dict[Hashable, list[Item]] = {}
        self.idle: deque[Hashable] = deque()
        self.verdicts: list[Record] = []

    def run(self, stop: Callable[[], int]) -> Iterator[Record]:
        """Records as they come. Once `stop()`, batches in hand are finished, none begun."""
        for _ in range(self.pool.size):
            self.pool.start_worker()
        batch = self._next_batch()
        while self.in_hand or (batch and not stop()):
            while self.idle and batch and not stop():
                worker = self.idle.popleft()
                self.in_hand[worker] = batch
                self.pool.submit(worker, batch)
                batch = self._next_batch()
            for event in self.pool.events():
                yield from self._died(event) if event.died else self._ready(event)
            batch = batch or self._next_batch()
        yield from self.verdicts

    def _next_batch(self) -> list[Item]:
        """One suspect; or several items, fewer towards the end, so that workers end together."""
        if self.suspects:
            return [self.suspects.popleft()]
        most = max(1, min(BATCH, self.left // (4 * self.pool.size)))
        batch: list[Item] = []
        for item in self.items:
            self.left -= 1
            if item.deaths is None:
                batch.append(item)
            elif item.deaths >= LAST_DEATH:  # the last of them with the driver
                self.verdicts.append(_given_up(item, item.deaths))
            else:
                self.suspects.append(item)
            if len(batch) == most or (batch and is_tar(batch[-1].name)):
                break
        return batch or ([self.suspects.popleft()] if self.suspects else [])

    def _ready(self, event: Event) -> Iterator[Record]:
        self.in_hand.pop(event.worker, None)
        self.idle.append(event.worker)
        yield from event.records

    def _died(self, event: Event) -> Iterator[Record]:
        self.pool.start_worker()
        batch = self.in_hand.pop(event.worker, [])
        if event.worker in self.idle:
            self.idle.remove(event.worker)
        alone = len(batch) == 1
        for item in batch:
            deaths = (item.deaths or 0) + alone
            if deaths >= LAST_DEATH:
                yield _given_up(item, deaths)
            else:
                self.suspects.append(replace(item, deaths=deaths))
                if alone:
                    yield {"input": item.name, "status": "started", "deaths": deaths}


def _given_up(item: Item, deaths: int) -> Record:
    return quarantined(item, deaths, f"{deaths} workers died")
