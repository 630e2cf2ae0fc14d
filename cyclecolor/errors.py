"""The one exception that a user's mistake may raise."""

from collections.abc import Iterator
from contextlib import contextmanager


class CycleColorError(Exception):
    """Something the user can put right.

    The message is one line: what is wrong, which file or key, and what to do. The command line prints
    it and exits with `exit_code`: 2 for a wrong call (path, key, option), 1 for work that failed.
    """

    def __init__(self, message: str, *, exit_code: int = 1):
        super().__init__(message)
        self.exit_code = exit_code


@contextmanager
def of_extra(extra: str) -> Iterator[None]:
    """Around imports of packages that only some commands need.

    Raises
    ------
    CycleColorError
        If one is not installed, with the extra that brings it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        message = f"{error.name} is not installed: pip install 'cyclecolor[{extra}]'"
        raise CycleColorError(message, exit_code=2) from None
