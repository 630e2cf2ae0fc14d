"""The engine Ray: an actor for each worker, a network each, on one machine or many.

Plain actors, not Ray Data: with one batch in hand an actor, a death tells which photos it concerns. Ray Data
restarts for ever, or calls a job completed in which photos are missing.
"""

import logging
import os
import time
from collections import deque
from collections.abc import Hashable
from typing import Any

from ..errors import CycleColorError, of_extra
from ..hardware import cores
from ..translation.manifest import Record
from .coloring import colorizer_of
from .dispatch import Event
from .work import Item, Work
from .worker import Worker

PATIENCE = 1.0  # seconds that a look for events may take
EVERY = 10.0  # seconds from one look at the size of the cluster to the next
STORE = 100 << 20  # bytes of Ray's own memory on one machine: photos do not go through it
MOST_FAILURES = 10  # workers in a row that never were ready


class RayActors:
    """A pool of actors.

    Parameters
    ----------
    work : Work
    size : int, optional
        By default one for each GPU of the cluster, or without GPUs for each core: also for those that come
        later.

    Raises
    ------
    CycleColorError
        If Ray is not installed, or no worker comes up.
    """

    def __init__(self, work: Work, size: int | None = None):
        with of_extra("ray"):
            import ray
        self.ray = ray
        _join(ray, size)
        gpus = 0 if work.device == "cpu" else int(ray.cluster_resources().get("GPU", 0))
        self.kind = "GPU" if gpus else "CPU"
        self.grows, self.looked = size is None, time.monotonic()
        self.size = size or self._room()
        self.actor: Any = ray.remote(num_cpus=1, num_gpus=1 if gpus else 0)(RayWorker)
        self.work = ray.put(work)
        self.starting: dict[Any, Any] = {}  # the actor by what it has promised
        self.in_hand: dict[Any, Any] = {}
        self.failures = 0

    def _room(self) -> int:
        return max(1, int(self.ray.cluster_resources().get(self.kind, 1)))

    def _grow(self) -> None:
        """A worker for each core or GPU that has come: machines of a cluster do not come all at once."""
        if not self.grows or time.monotonic() - self.looked < EVERY:
            return
        self.looked = time.monotonic()
        for _ in range(self._room() - self.size):
            self.size += 1
            self.start_worker()

    def start_worker(self) -> None:
        """Ask for an actor; until the cluster has room for it, it is not ready."""
        actor = self.actor.remote(self.work)
        self.starting[actor.ready.remote()] = actor

    def submit(self, worker: Hashable, batch: list[Item]) -> None:
        """To an actor."""
        self.in_hand[worker.color.remote(batch)] = worker  # type: ignore[attr-defined]  # made by Ray

    def events(self) -> list[Event]:
        """Of actors."""
        self._grow()
        promises = [*self.starting, *self.in_hand]
        if not self.ray.wait(promises, num_returns=1, timeout=PATIENCE)[0]:
            return []
        done = deque(self.ray.wait(promises, num_returns=len(promises), timeout=0)[0])
        return [self._event(promise) for promise in done]

    def _event(self, promise: Any) -> Event:
        is_new = promise in self.starting
        actor = (self.starting if is_new else self.in_hand).pop(promise)
        try:
            records = self.ray.get(promise)
        except self.ray.exceptions.RayActorError as error:
            self.failures += is_new
            if self.failures > MOST_FAILURES:
                raise CycleColorError(f"no worker starts: {_last_line(error)}") from None
            return Event(actor, died=True)
        except self.ray.exceptions.RayTaskError as error:
            raise (error.cause if isinstance(error.cause, CycleColorError) else error) from None
        self.failures = 0
        return Event(actor, tuple(records))

    def close(self) -> None:
        """Let all actors go; those that are not ready yet never will be."""
        for actor in (*self.starting.values(), *self.in_hand.values()):
            self.ray.kill(actor)


class RayWorker:
    """What runs in a process of its own."""

    def __init__(self, work: Work):
        import ray

        name = str(ray.get_runtime_context().get_actor_id())
        self.worker = Worker(work, name, colorizer_of(work))

    def ready(self) -> list[Record]:
        """Nothing yet, but it can begin."""
        return []

    def color(self, batch: list[Item]) -> list[Record]:
        """The records of a batch."""
        return self.worker(batch)


def _join(ray: Any, size: int | None) -> None:
    """The cluster that is there (`RAY_ADDRESS`, or one started here), or a small one of our own."""
    if ray.is_initialized():
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers
    quiet = {"logging_level": logging.ERROR, "log_to_driver": False}
    try:
        try:
            ray.init(address="auto", **quiet)
        except ConnectionError:
            if "RAY_ADDRESS" in os.environ:
                raise
            ray.init(num_cpus=size or cores(), object_store_memory=STORE, include_dashboard=False, **quiet)
    except Exception as error:  # of many kinds: its processes did not come up in time, or cannot be reached
        raise CycleColorError(f"Ray does not start: {_last_line(error)}") from error


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
