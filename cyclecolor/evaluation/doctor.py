"""Before training: what two piles of photos hold, and whether they need unpaired training."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..color import lightness_to_y, linear_to_srgb, rgb_to_lab
from ..data.prepare import NEAR_GRAY
from ..errors import CycleColorError
from ..networks.encoder import Encoder
from ..photos import PhotoError, find_photos, read_rgb8
from .content_gap import ContentGap, content_gap, looked_at, thumbnail
from .domain_gap import describe, separability
from .hashes import dhash, same_pictures
from .inputs import to_tensor
from .metrics import chroma_of, color_beyond_tint

SHORT_SIDE = 128  # pixels at which photos are looked at
TINY = 64  # pixels: a shorter side than this teaches little
LEAST = 16  # pixels: a shorter side than this can be neither described nor compared
# Root mean square of color beyond a tint: toned and spotted old prints have less than COLORED, photographs
# in color more than PLAIN; what is between may be either, and is let pass.
PLAIN, COLORED = 2.0, 6.5
FEW = 20  # photos a pile, below which the gap is not measured
NO_GAP, GAP = 0.65, 0.8  # areas under the curve: below, and above


@dataclass
class Pile:
    """The photos of a folder, each with what was measured on it."""

    folder: Path
    unreadable: list[str] = field(default_factory=list)
    too_small: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    short_sides: list[int] = field(default_factory=list)
    chromas: list[float] = field(default_factory=list)
    colors: list[float] = field(default_factory=list)  # beyond a tint
    hashes: list[np.ndarray] = field(default_factory=list)
    mirrored: list[np.ndarray] = field(default_factory=list)
    descriptions: list[np.ndarray] = field(default_factory=list)
    thumbnails: list[np.ndarray] = field(default_factory=list)

    def where(self, condition: Callable[[int], bool]) -> list[str]:
        """Names of the photos whose index meets a condition."""
        return [name for i, name in enumerate(self.names) if condition(i)]

    @property
    def tiny(self) -> list[str]:
        """Photos too small to teach much."""
        return self.where(lambda i: self.short_sides[i] < TINY)

    @property
    def colored(self) -> list[str]:
        """Photos that hold more color than a tint."""
        return self.where(lambda i: self.colors[i] > COLORED)

    @property
    def gray(self) -> list[str]:
        """Photos without color, or with a tint alone."""
        return self.where(lambda i: self.chromas[i] < NEAR_GRAY or self.colors[i] < PLAIN)

    @property
    def tinted(self) -> list[str]:
        """Photos with a tint: sepia, toned, yellowed."""
        return self.where(lambda i: self.chromas[i] >= NEAR_GRAY and self.colors[i] <= COLORED)

    @property
    def duplicates(self) -> list[str]:
        """Pairs that are one picture, `a = b`."""
        return [f"{a} = {b}" for a, b in self.twins(self) if a < b]

    def twins(self, other: "Pile") -> list[tuple[str, str]]:
        """Names of photos here and there that are one picture."""
        hashes = [np.stack(h) for h in (self.hashes, other.hashes, other.mirrored)]
        return [(self.names[i], other.names[j]) for i, j in same_pictures(*hashes)]


@dataclass(frozen=True)
class Gap:
    """How well the piles are told apart (area under the curve, 95% interval), and what follows."""

    auc: float
    low: float
    high: float

    @property
    def advice(self) -> str:
        """One sentence."""
        if self.auc >= GAP:
            return (
                "the scans do not look like the color photos turned to gray: unpaired training (cyclegan) is "
                "needed"
            )
        if self.auc <= NO_GAP:
            return (
                "the scans look like the color photos turned to gray: paired training (regression or "
                "pix2pix) on the color photos is enough"
            )
        return "the scans differ a little from the color photos turned to gray: try paired training first"


def examine(folder: Path, progress: Callable[[list[Path]], Iterable[Path]] = iter) -> Pile:
    """Look at every photo of a folder.

    Raises
    ------
    CycleColorError
        If there is none, or none can be read and is large enough: then nothing can be trained.
    """
    pile = Pile(folder)
    for path in progress(find_photos(folder)):
        try:
            image = read_rgb8(path, short_side=SHORT_SIDE)
        except PhotoError as error:
            pile.unreadable.append(str(error))
            continue
        name = path.relative_to(folder).as_posix() if path != folder else path.name
        if min(image.shape[:2]) < LEAST:
            pile.too_small.append(name)
            continue
        lab = rgb_to_lab(to_tensor([image]))
        # In whole levels, as scans are: rounding alone would tell the piles apart.
        gray = (linear_to_srgb(lightness_to_y(lab[0, 0])) * 255).round().numpy() / np.float32(255)
        pile.names.append(name)
        pile.short_sides.append(min(image.shape[:2]))
        pile.chromas.append(chroma_of(lab).mean().item())
        pile.colors.append(color_beyond_tint(lab).item())
        pile.hashes.append(dhash(gray))
        pile.mirrored.append(dhash(np.ascontiguousarray(gray[:, ::-1])))
        pile.descriptions.append(describe(gray))
        pile.thumbnails.append(thumbnail(gray))
    if not pile.names:
        count = len(pile.unreadable) + len(pile.too_small)
        raise CycleColorError(
            f"{folder}: none of its {count} photos can be used: {len(pile.unreadable)} cannot be read, "
            f"{len(pile.too_small)} have a short side below {LEAST} px"
        )
    return pile


def domain_gap(gray: Pile, color: Pile) -> Gap | None:
    """The gap between gray photos and the lightness of color photos; None for too few of either."""
    if min(len(gray.names), len(color.names)) < FEW:
        return None
    return Gap(*separability(np.stack(color.descriptions), np.stack(gray.descriptions)))


def content(gray: Pile, color: Pile, encoder: Encoder | None) -> tuple[ContentGap, Gap | None] | None:
    """What the piles show, and the gap between photos of equal content: what film did."""
    if encoder is None or min(len(gray.names), len(color.names)) < FEW:
        return None
    ours, theirs = looked_at(len(gray.names)), looked_at(len(color.names))
    root = color.folder if color.folder.is_dir() else color.folder.parent
    found = content_gap(
        encoder,
        [gray.thumbnails[i] for i in ours],
        [color.thumbnails[i] for i in theirs],
        [gray.names[i] for i in ours],
        [root / color.names[i] for i in theirs],
    )
    # Each photo once at most: one that is there twice would be known again.
    kept = np.random.default_rng(0).random(len(theirs)) < found.chances / found.chances.max()
    descriptions = [color.descriptions[i] for i in theirs[kept]]
    if len(descriptions) < FEW:
        return found, None
    return found, Gap(*separability(np.stack(descriptions), np.stack([gray.descriptions[i] for i in ours])))


def diagnose(gray: Pile, color: Pile, encoder: Encoder | None = None) -> dict[str, Any]:
    """All that there is to say of two piles, as JSON has it: counts, lists of files, the gap, advice.

    An `encoder` that has learned to see tells content from film; without one, all of the gap is called film.
    """
    gap, seen = domain_gap(gray, color), content(gray, color, encoder)
    found, film_gap = seen or (None, None)
    advice = (
        (film_gap or gap).advice if gap else f"fewer than {FEW} photos in a pile: too few to measure the gap"
    )
    return {
        "gray": {**_health(gray), "tinted": gray.tinted, "colored": gray.colored},
        "color": {**_health(color), "gray": color.gray},
        "twins": [f"{a} = {b}" for a, b in gray.twins(color)],
        "gap": gap and _as_json(gap),
        "content": found
        and {
            "alike": found.alike,
            "alike_halves": found.alike_halves,
            "words": found.words,
            "lacking": found.lacking,
            "wanted": found.wanted,
            "film_gap": film_gap and _as_json(film_gap),
        },
        "advice": advice,
    }


def _as_json(gap: Gap) -> dict[str, Any]:
    return {"auc": gap.auc, "low": gap.low, "high": gap.high}


def _health(pile: Pile) -> dict[str, Any]:
    return {
        "folder": str(pile.folder),
        "photos": len(pile.names),
        "unreadable": pile.unreadable,
        "too_small": pile.too_small,
        "tiny": pile.tiny,
        "duplicates": pile.duplicates,
    }
