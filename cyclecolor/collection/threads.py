"""The engine of this process: a thread for each photo in hand."""

from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import torch

from ..translation.manifest import Record
from .dispatch import Event
from .work import Item

Batches = Callable[[list[Item]], list[Record]]


class Threads:
    """A pool of threads, each with a worker of its own. A photo that crashes takes the process along.

    Parameters
    ----------
    size : int
    worker : callable
        From a name to a `Worker`.
    """

    def __init__(self, size: int, worker: Callable[[str], Batches]):
        self.size, self.worker = size, worker
        self.workers: list[Batches] = []
        self.ready: deque[Event] = deque()
        self.in_hand: dict[Future[list[Record]], int] = {}
        self.pool = ThreadPoolExecutor(size, initializer=torch.set_num_threads, initargs=(1,))

    def start_worker(self) -> None:
        """Ready at once."""
        self.ready.append(Event(len(self.workers)))
        self.workers.append(self.worker(str(len(self.workers))))

    def submit(self, worker: Hashable, batch: list[Item]) -> None:
        """To a thread."""
        assert isinstance(worker, int)
        self.in_hand[self.pool.submit(self.workers[worker], batch)] = worker

    def events(self) -> list[Event]:
        """Of threads; what a worker raises goes through: it is no photo's fault."""
        if self.ready:
            found, self.ready = [*self.ready], deque()
            return found
        done = wait(self.in_hand, return_when=FIRST_COMPLETED).done
        return [Event(self.in_hand.pop(future), tuple(future.result())) for future in done]

    def close(self) -> None:
        """Wait for what is in hand."""
        self.pool.shutdown(cancel_futures=True)
