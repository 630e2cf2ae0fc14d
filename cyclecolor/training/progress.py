"""Progress bars: on a terminal, of the first process, unless the program is to be quiet."""

import logging
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

from ..distributed import is_first

logger = logging.getLogger("cyclecolor")


def progress_bar(items: Iterable[Any] | None = None, **options: Any) -> tqdm:
    """A bar over `items`, or one to be updated by hand; options are those of tqdm."""
    shown = is_first() and logger.isEnabledFor(logging.INFO)
    return tqdm(items, mininterval=1.0, disable=None if shown else True, **options)
