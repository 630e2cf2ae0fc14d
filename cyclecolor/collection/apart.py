"""A photo with which a worker has died, in a process of its own.

A worker, a machine or a command that is killed from outside takes along what it has in hand, and that says
nothing about the photo. Here a worker looks on: if this process dies and its worker lives, the photo did it.
"""

import multiprocessing
import signal
from contextlib import suppress
from multiprocessing.connection import Connection

from ..translation.manifest import Record
from ..translation.plan import Task
from .coloring import Coloring, colorizer_of
from .tars import Places
from .verdicts import quarantined, refused
from .work import Item, Work

SPAWN = multiprocessing.get_context("spawn")  # a fork would take locks of other threads along, and a GPU
GONE = (EOFError, OSError)  # what a pipe says when nobody is at its other end


def color_apart(work: Work, item: Item, task: Task, places: Places) -> list[Record]:
    """What `Coloring` says of an input that is at hand, or that it is quarantined."""
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=serve, args=(theirs, work), daemon=True)
    problem = "it ended at once"
    try:
        with ours:
            with theirs:
                process.start()
            problem = ours.recv()
            if not problem:
                ours.send((item, task, places))
                return ours.recv()
    except GONE:
        pass
    finally:
        if process.pid:
            process.join()
    if problem:
        return [
            refused("failed", f"{places[0]}: no process of its own comes up for it ({problem}); try again")
        ]
    return [quarantined(item, (item.deaths or 0) + 1, f"a process of its own {_end(process.exitcode)}")]


def serve(pipe: Connection, work: Work) -> None:
    """Say that nothing is in the way, color one input, say what became of it. It ends with its worker."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # they are meant for the command, which lets it finish
    with suppress(*GONE):
        try:
            coloring = Coloring(work, colorizer_of(work))
        except Exception as error:  # no room on a GPU, say
            pipe.send(" ".join(f"{type(error).__name__}: {error}".split()))
        else:
            pipe.send("")
            pipe.send(coloring(*pipe.recv()))


def _end(code: int | None) -> str:
    return f"died of {signal.Signals(-code).name}" if code and code < 0 else f"ended with exit code {code}"
