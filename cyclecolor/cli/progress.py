"""Progress bars of commands: on a terminal, unless the program is to be quiet."""

import logging
import sys
from collections.abc import Iterable
from typing import Any


def progress_bar(items: Iterable[Any] | None = None, **options: Any) -> Any:
    """A bar over `items`, or one to be updated by hand; options are those of tqdm."""
    from tqdm import tqdm

    quiet = sys.stderr is None or not logging.getLogger("cyclecolor").isEnabledFor(logging.INFO)
    return tqdm(items, disable=True if quiet else None, **options)


def waiting(items: Iterable[Any]) -> Any:
    """A bar over `items` that is gone once they are done."""
    return progress_bar(items, leave=False)
