"""An engine of processes that fork and can be killed: what Ray does, in a second instead of a minute."""

import multiprocessing
import os
import signal
from collections import deque
from multiprocessing.connection import wait

import crashing

from cyclecolor.collection import Event, Worker

FORK = multiprocessing.get_context("fork")


class Forks:
    """A pool; whichever worker is given one of the batches in `kills`, by number, is killed with it."""

    def __init__(self, work, colorizer, size=2, kills=()):
        self.work, self.colorizer, self.size, self.kills = work, colorizer, size, set(kills)
        self.given = self.started = 0
        self.new = deque()
        self.ends = {}  # the process by its end of the pipe

    def start_worker(self):
        ours, theirs = FORK.Pipe()
        self.started += 1
        process = FORK.Process(target=self._work, args=(str(self.started), theirs, [*self.ends, ours]))
        process.start()
        theirs.close()
        self.ends[ours] = process
        self.new.append(Event(ours))

    def _work(self, name, pipe, others):
        for other in others:
            other.close()  # or it would not see its driver die
        crashing.plug()
        worker = Worker(self.work, f"{name}-{os.getpid()}", self.colorizer)
        while True:
            try:
                pipe.send(worker(pipe.recv()))
            except (EOFError, BrokenPipeError):
                os._exit(0)

    def submit(self, worker, batch):
        worker.send(batch)
        self.given += 1
        if self.given in self.kills:
            os.kill(self.ends[worker].pid, signal.SIGKILL)

    def events(self):
        if self.new:
            found, self.new = [*self.new], deque()
            return found
        return [self._event(end) for end in wait([*self.ends], timeout=1)]

    def _event(self, end):
        try:
            return Event(end, tuple(end.recv()))
        except (EOFError, ConnectionResetError):
            self.ends.pop(end).join()
            return Event(end, died=True)

    def close(self):
        for process in self.ends.values():
            process.kill()
            process.join()
