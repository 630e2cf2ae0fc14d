"""Evaluation, audit and examination of folders: the text to print, and a record as JSON."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CycleColorError
from ..files import write_json
from ..inference import Colorizer
from ..networks.content import imagenet_reader
from ..networks.encoder import Encoder
from ..photos import PhotoError, find_photos
from .audit import CHROMA, GRAYS, audit
from .doctor import LEAST, TINY, diagnose, examine
from .evaluate import evaluate
from .inputs import SHORT_SIDE, Inputs, read_inputs, read_large_enough
from .perceptual import Perceptual
from .plots import ColorPlots, Spectra
from .sheet import save_sheet
from .tables import cell, table

logger = logging.getLogger("cyclecolor")

SHOWN = 5  # files of each finding that are printed
_HEALTH = {
    "unreadable": "cannot be read",
    "too_small": f"have a short side below {LEAST} px: too small to be examined",
    "tiny": f"have a short side below {TINY} px",
    "duplicates": "pairs show the same picture (or its mirror image)",
}
FINDINGS = {
    "gray": {
        **_HEALTH,
        "tinted": "are toned, which does no harm",
        "colored": "are in color: take them out",
    },
    "color": {**_HEALTH, "gray": "are gray or toned: take them out"},
}


def evaluate_folder(
    colorizer: Colorizer,
    color: Path,
    *,
    gray: Path | None = None,
    film: str | None = None,
    pile: Path | None = None,
    json_path: Path | None = None,
    sheet_path: Path | None = None,
    plots: Path | None = None,
    perceptual: Perceptual | None = None,
    progress: Callable[[Any], Iterable[Any]] = iter,
) -> str:
    """Score a checkpoint on a folder of color photos; returns the table."""
    inputs = read_inputs(color, gray, film=film, progress=progress)
    skipped = inputs.skipped
    reals = () if pile is None else _readable(pile, skipped, SHORT_SIDE)
    drawn = ColorPlots()
    scores = evaluate(
        colorizer,
        inputs.photos,
        inputs.grays,
        pile=reals,
        perceptual=perceptual,
        look=drawn.add if plots else None,
        progress=progress,
    )
    seen = f"scans in {gray}" if gray else f"film {film}" if film else "the photos' own lightness"
    lines = [
        *(f"skipped: {reason}" for reason in skipped),
        f"{len(inputs.photos)} photos from {color}, read at a short side of at most {SHORT_SIDE} px; "
        f"input: {seen}; bootstrap 95% intervals over images",
        table(scores),
    ]
    if perceptual:
        lines.append(
            "fid_biased: compare sets of one size only; kid_x1000: its interval holds 95% of subsets"
        )
    if json_path:
        record = _about(colorizer, color, gray, film, inputs) | {
            "pile": pile and str(pile),
            "short_side": SHORT_SIDE,
            "scores": {m: {n: s and asdict(s) for n, s in row.items()} for m, row in scores.items()},
        }
        write_json(record, json_path)
    if sheet_path:
        save_sheet(colorizer, inputs.photos, sheet_path, inputs.grays, film=True)
        lines.append(f"sheet: {sheet_path}")
    if plots:
        drawn.write(plots)
        lines.append(f"plots: {plots}")
    return "\n".join(lines)


def audit_folder(
    colorizer: Colorizer,
    color: Path,
    *,
    gray: Path | None = None,
    film: str | None = None,
    json_path: Path | None = None,
    plots: Path | None = None,
    progress: Callable[[Any], Iterable[Any]] = iter,
) -> tuple[bool, str]:
    """Audit a checkpoint's cycle on a folder of color photos; returns whether it passes, and the table."""
    side = colorizer.experiment.data.load_size
    inputs = read_inputs(color, film=film, short_side=side, progress=progress)
    scans = [] if gray is None else list(_readable(gray, inputs.skipped, side))
    spectra = Spectra()
    look = spectra.add if plots else None
    figures = audit(colorizer, inputs.photos, inputs.grays, scans, progress, look)
    passed = all(figure.verdict != "fails" for figure in figures.values())
    other = f"film {film}" if film else "the photos' own lightness"
    lines = [
        *(f"skipped: {reason}" for reason in inputs.skipped),
        f"{len(inputs.photos)} photos from {color}; swapped in: {other}; bootstrap 95% intervals over images",
    ]
    width = max(map(len, figures))
    for name, figure in figures.items():
        limit = "" if figure.limit is None else f"at most {figure.limit}"
        lines.append(f"{name:<{width}}{cell(figure.score):>22}{limit:>14}  {figure.verdict}")
    lines.append("passed: no sign of hidden color" if passed else "failed: see the figures marked as fails")
    if json_path:
        record = _about(colorizer, color, gray, film, inputs) | {
            "passed": passed,
            "figures": {
                name: {"score": f.score and asdict(f.score), "limit": f.limit, "verdict": f.verdict}
                for name, f in figures.items()
            },
        }
        write_json(record, json_path)
    if plots:
        spectra.write(plots / "chroma_spectrum.svg", "Spectrum of chroma: log10 of power", CHROMA)
        spectra.write(plots / "gray_spectrum.svg", "Spectrum of gray: log10 of power", GRAYS)
        lines.append(f"plots: {plots}")
    return passed, "\n".join(lines)


def _about(
    colorizer: Colorizer, color: Path, gray: Path | None, film: str | None, inputs: Inputs
) -> dict[str, Any]:
    """What was measured, for a record."""
    return {
        "checkpoint": colorizer.name,
        "color": str(color),
        "gray": gray and str(gray),
        "film": film,
        "photos": len(inputs.photos),
        "skipped": inputs.skipped,
    }


def doctor_folders(
    gray: Path,
    color: Path,
    *,
    json_path: Path | None = None,
    progress: Callable[[list[Path]], Iterable[Path]] = iter,
) -> str:
    """Examine the two piles of a training run; returns the findings."""
    found = diagnose(examine(gray, progress), examine(color, progress), _encoder())
    lines = []
    for pile in ("gray", "color"):
        lines.append(f"{pile} pile: {found[pile]['photos']:,} photos in {found[pile]['folder']}")
        for name, meaning in FINDINGS[pile].items():
            lines += _listed(found[pile][name], meaning)
    twins = "pictures are in both piles (gray = color): take them out of one"
    lines += _listed(found["twins"], twins)
    if found["gap"]:
        auc, low, high = found["gap"].values()
        lines.append(
            "gap: a small classifier tells a scan from a color photo turned to gray "
            f"{auc:.1%} of the time [{low:.1%}, {high:.1%}]; guessing gives 50%"
        )
    if found["content"]:
        lines += _content_lines(found["content"])
    lines.append(found["advice"])
    if json_path:
        write_json(found, json_path)
    return "\n".join(lines)


def _encoder() -> Encoder | None:
    """What tells content from film, if its weights are installed."""
    try:
        return imagenet_reader()
    except CycleColorError as error:
        reason = str(error).removeprefix("pretrained = true: ")
        logger.info("what the piles show is not compared: %s", reason)
        return None


def _content_lines(content: dict[str, Any]) -> Iterator[str]:
    """How alike the piles are in what they show, and what is left of the gap where they are."""
    yield (
        f"content: {content['alike']:.0%} alike, where halves of the color pile, one of them on film, are "
        f"{content['alike_halves']:.0%}: {content['words']}"
    )
    lacking = "scans show what no color photo does; the photo that comes nearest:"
    yield from _listed(content["lacking"], lacking)
    yield from _listed(content["wanted"], "color photos come nearest to most scans")
    if content["film_gap"]:
        auc, low, high = content["film_gap"].values()
        yield f"film: among photos that show like things, the gap is {auc:.1%} [{low:.1%}, {high:.1%}]"


def _listed(items: list[str], meaning: str) -> Iterator[str]:
    """How many of what, and the first few; nothing where there are none."""
    if items:
        yield f"{len(items):7,} {meaning}"
        yield from (f"        {item}" for item in items[:SHOWN])
        if len(items) > SHOWN:
            yield f"        ... {len(items) - SHOWN:,} more; --json lists all"


def _readable(folder: Path, skipped: list[str], short_side: int) -> Iterator[np.ndarray]:
    """The photos of a folder that can be used; the others are added to `skipped`."""
    any_read = False
    for path in find_photos(folder):
        try:
            yield read_large_enough(path, short_side)
        except PhotoError as error:
            skipped.append(str(error))
        else:
            any_read = True
    if not any_read:
        raise CycleColorError(f"{folder}: none of its photos can be used")
