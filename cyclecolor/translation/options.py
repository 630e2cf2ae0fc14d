"""How a job is done, and what its outputs say of it."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from ..hardware import cores
from ..inference import Colorizer, Hint, Reference
from ..photos import MAX_PIXELS
from .plan import COLORED
from .shard import Shard


@dataclass(frozen=True)
class Options:
    """How a job is done. All but `overwrite`, `max_pixels`, `workers` and `shard` decide on the outputs.

    Attributes
    ----------
    direction : str
        `to-color` or `to-gray`.
    suffix : str, optional
        Of all outputs, with its dot; by default the inputs' own.
    quality, subsampling : int, str
        As in `write_pages`.
    doubt : bool
        Also write a map of doubt beside each output, and list the photos by it.
    reference : Reference, optional
        The photo whose colors outputs are to follow.
    provenance : str, optional
        The sentence that outputs carry in their XMP.
    max_pixels : int
        As in `read_pages`.
    lossless_luma : bool
        Carry the luma of gray JPEGs over as it is coded.
    overwrite : bool
        Make everything anew, also over files that are not ours.
    workers : int
        Photos in hand at a time, a core each; results do not depend on it.
    shard : Shard, optional
        Do this part of a folder alone.
    """

    direction: str = "to-color"
    suffix: str | None = None
    quality: int = 95
    subsampling: str = "4:4:4"
    doubt: bool = False
    reference: Reference | None = None
    provenance: str | None = None
    max_pixels: int = MAX_PIXELS
    lossless_luma: bool = False
    overwrite: bool = False
    workers: int = field(default_factory=cores)
    shard: Shard | None = None

    def digest(self, colorizer: Colorizer, hints: Sequence[Hint] = ()) -> str:
        """Of all that decides on an output, besides its input."""
        of_the_job = ("direction", "suffix", "quality", "subsampling", "doubt", "provenance")
        settings = {**{name: getattr(self, name) for name in of_the_job}, **colorizer.settings}
        settings |= {"lossless_luma": True} if self.lossless_luma else {}
        settings |= {"reference": self.reference.digest} if self.reference else {}
        settings |= {"hints": [(hint.x, hint.y, hint.rgb) for hint in hints]} if hints else {}
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def provenance_of(colorizer: Colorizer, direction: str, reference: Path | None = None) -> str:
    """The sentence that tells a reader of the metadata what was inferred, and by what.

    `reference` is the photo whose colors were followed.
    """
    made = {"to-color": COLORED, "to-gray": "Gray is made from color"}[direction]
    by = f"cyclecolor {version('cyclecolor')}, checkpoint {colorizer.name or 'unnamed'}"
    return f"{made}: {by}" + (f"; after the colors of {reference.name}" if reference else "")
