"""Commands that finish what is in hand when somebody asks them to stop."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


@contextmanager
def stoppable() -> Iterator[Callable[[], int]]:
    """A function that gives 0, or once somebody asked to stop, the exit code for it (130 for Ctrl-C)."""
    code = 0

    def ask(number: int, frame: object) -> None:
        nonlocal code
        if code:
            os._exit(code)
        code = 128 + number
        click.echo("\nfinishing the photos being worked on; press Ctrl-C again to stop at once", err=True)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: code
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
