"""The piles of a run: whether they are those that it began with, and what is odd about them."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..checkpoint import Checkpoint
from ..config import Data
from ..data import FolderPile, Pile
from ..errors import CycleColorError

logger = logging.getLogger("cyclecolor")


def say_what_is_odd(piles: Mapping[str, Pile], data: Data) -> None:
    """Warn of piles that train, but not as their owner may think."""
    folders = {name: pile for name, pile in piles.items() if isinstance(pile, FolderPile)}
    prints = [{**pile.fingerprint(), "folder": ""} for pile in folders.values()]
    if len(prints) == 2 and prints[0] == prints[1]:
        logger.warning(
            "both piles hold the same photos: unpaired training should not see a picture in gray and in color"
        )
    if folders and data.load_size < data.size:
        logger.warning(
            "data.load_size = %s is below data.size = %s: crops are enlarged; set it to twice data.size",
            data.load_size,
            data.size,
        )
    for name, pile in folders.items():
        if small := sum(side < min(data.size, data.load_size) for side in pile.short_sides):
            logger.warning(
                "the %s pile: %s of %s photos have a short side below data.size = %s and are enlarged; "
                "take them out, or lower data.size",
                name, small, len(pile), data.size,
            )  # fmt: skip


def check_same_piles(
    piles: Mapping[str, Pile], checkpoint: Checkpoint, run_dir: Path, *, accepted: bool
) -> None:
    """Refuse to go on with other photos than a run began with, unless that is `accepted`; then say so.

    Raises
    ------
    CycleColorError
        Naming the piles and how they changed.
    """
    changes = [_change(name, pile.fingerprint(), checkpoint.data.get(name)) for name, pile in piles.items()]
    changes = [change for change in changes if change]
    if not changes:
        return
    if not accepted:
        raise CycleColorError(
            f"{run_dir}: {' and '.join(changes)} since step {checkpoint.step:,}; put the photos back, "
            "choose another --run-dir, or continue with --allow-changed-data",
            exit_code=2,
        )
    logger.warning("%s since step %s; training continues", " and ".join(changes), f"{checkpoint.step:,}")


def _change(name: str, now: dict[str, Any], then: dict[str, Any] | None) -> str:
    """In words; empty if the photos are the same, whatever their folder is called."""
    if then is None or {**now, "folder": ""} == {**then, "folder": ""}:
        return ""
    if "photos" in now and "photos" in then and now["photos"] != then["photos"]:
        return f"the {name} pile changed from {then['photos']:,} to {now['photos']:,} photos"
    return f"the {name} pile changed"
