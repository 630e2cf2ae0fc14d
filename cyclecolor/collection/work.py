"""What is to be done, said such that a process on another machine can do it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..inference import Hint
from ..storage import Location
from ..translation import Options


@dataclass(frozen=True)
class Item:
    """One input, as it is handed to a worker.

    Attributes
    ----------
    name, output : str
        Relative to the two roots.
    bytes, version
        As in `Entry`.
    taken : bool
        Something is at the place of an output.
    ours : tuple of str
        Checksums by which that can be replaced.
    deaths : int, optional
        How often a worker died with it alone in hand; None if it was in no hand when one died.
    """

    name: str
    output: str
    bytes: int | None
    version: str
    taken: bool = False
    ours: tuple[str, ...] = ()
    deaths: int | None = None


@dataclass(frozen=True)
class Work:
    """All that a worker needs besides its items.

    Attributes
    ----------
    source, output : Path or Address
    scope : str
        Of the notes in the output: those of one shard, or of the whole.
    options : Options
    hints : mapping of str to sequence of Hint
        By name of the input.
    look : dict
        Options of `Colorizer`.
    checkpoint : tuple of str and bytes
        Name and content of the file, so that workers need no folder in common.
    device : str, optional
    """

    source: Location
    output: Location
    scope: str
    options: Options
    hints: Mapping[str, Sequence[Hint]]
    look: Mapping[str, Any]
    checkpoint: tuple[str, bytes]
    device: str | None = None
