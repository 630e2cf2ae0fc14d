"""The photo whose colors those of a job are to follow."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from ..errors import CycleColorError
from ..files import shown
from ..inference import Colorizer, Reference
from ..photos import MAX_PIXELS, read_photo


def read_reference(
    path: Path | None, colorizer: Colorizer, max_pixels: int | None = None
) -> Reference | None:
    """Read a color photo, of several pages the first, and study it; none is none.

    Raises
    ------
    CycleColorError
        If it cannot be read, is gray, or the checkpoint cannot follow it.
    """
    if path is None:
        return None
    photo = read_photo(path, max_pixels=max_pixels or MAX_PIXELS)
    try:
        # On one thread, as photos are colored: sums come out the same on any number of cores.
        with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as alone:
            return alone.submit(colorizer.study, photo).result()
    except CycleColorError as error:
        raise CycleColorError(f"{shown(path)}: {error}", exit_code=error.exit_code) from None
