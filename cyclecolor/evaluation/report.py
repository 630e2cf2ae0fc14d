"""Scores as a table and as JSON."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..errors import CycleColorError
from ..inference import load
from ..networks.content import imagenet_reader
from ..networks.encoder import Encoder
from ..photos import PhotoError, atomic_write, find_photos
from .audit import audit
from .doctor import TINY, diagnose, examine
from .evaluate import Scores, evaluate
from .inputs import SHORT_SIDE, read_inputs, read_large_enough
from .perceptual import load_perceptual
from .scores import Score
from .sheet import save_sheet

SHOWN = 5  # files of each finding that are printed
_HEALTH = {
    "unreadable": "cannot be read",
    "tiny": f"have a short side below {TINY} px",
    "duplicates": "pairs are one picture (mirrored ones too)",
}
FINDINGS = {
    "gray": {
        **_HEALTH,
        "tinted": "are tinted, which does no harm",
        "colored": "are in colour: take them out",
    },
    "color": {**_HEALTH, "gray": "are gray or tinted: take them out"},
}


def evaluate_folder(
    checkpoint: Path,
    color: Path,
    *,
    gray: Path | None = None,
    film: str | None = None,
    pile: Path | None = None,
    json_path: Path | None = None,
    sheet_path: Path | None = None,
    perceptual: bool = False,
    say: Callable[[str], None] = print,
) -> None:
    """Score a checkpoint on a folder of colour photos, and say so."""
    networks = load_perceptual() if perceptual else None  # before any work: it may be missing
    colorizer = load(checkpoint)
    inputs = read_inputs(color, gray, film=film)
    skipped = inputs.skipped
    reals = () if pile is None else _readable(pile, skipped, SHORT_SIDE)
    scores = evaluate(colorizer, inputs.photos, inputs.grays, pile=reals, perceptual=networks)
    for reason in skipped:
        say(f"skipped: {reason}")
    seen = f"scans in {gray}" if gray else f"film {film}" if film else "the photos' own lightness"
    say(
        f"{len(inputs.photos)} photos from {color}, read at a short side of at most {SHORT_SIDE} px; "
        f"input: {seen}; bootstrap 95% intervals over images"
    )
    say(table(scores))
    if perceptual:
        say("fid_biased: compare sets of one size only; kid_x1000: its interval holds 95% of subsets")
    if json_path:
        record = {
            "checkpoint": str(checkpoint),
            "color": str(color),
            "gray": gray and str(gray),
            "film": film,
            "pile": pile and str(pile),
            "short_side": SHORT_SIDE,
            "photos": len(inputs.photos),
            "skipped": skipped,
            "scores": {m: {n: s and asdict(s) for n, s in row.items()} for m, row in scores.items()},
        }
        write_json(record, json_path)
    if sheet_path:
        save_sheet(colorizer, inputs.photos, sheet_path, inputs.grays)
        say(f"sheet: {sheet_path}")


def audit_folder(
    checkpoint: Path,
    color: Path,
    *,
    gray: Path | None = None,
    film: str | None = None,
    json_path: Path | None = None,
    say: Callable[[str], None] = print,
) -> bool:
    """Audit a checkpoint's cycle on a folder of colour photos, say so, and return whether it passes."""
    colorizer = load(checkpoint)
    side = colorizer.experiment.data.load_size
    inputs = read_inputs(color, film=film, short_side=side)
    scans = [] if gray is None else list(_readable(gray, inputs.skipped, side))
    figures = audit(colorizer, inputs.photos, inputs.grays, scans)
    for reason in inputs.skipped:
        say(f"skipped: {reason}")
    other = f"film {film}" if film else "the photos' own lightness"
    say(f"{len(inputs.photos)} photos from {color}; swapped in: {other}; bootstrap 95% intervals over images")
    width = max(map(len, figures))
    for name, figure in figures.items():
        limit = "" if figure.limit is None else f"at most {figure.limit}"
        say(f"{name:<{width}}{cell(figure.score):>22}{limit:>14}  {figure.verdict}")
    passed = all(figure.verdict != "fails" for figure in figures.values())
    say("honest: nothing fails" if passed else "not honest: see what fails")
    if json_path:
        record = {
            "checkpoint": str(checkpoint),
            "color": str(color),
            "gray": gray and str(gray),
            "film": film,
            "photos": len(inputs.photos),
            "skipped": inputs.skipped,
            "passed": passed,
            "figures": {
                name: {"score": f.score and asdict(f.score), "limit": f.limit, "verdict": f.verdict}
                for name, f in figures.items()
            },
        }
        write_json(record, json_path)
    return passed


def doctor_folders(
    gray: Path,
    color: Path,
    *,
    json_path: Path | None = None,
    progress: Callable = iter,
    say: Callable[[str], None] = print,
) -> None:
    """Examine the two piles of a training run, and say so."""
    found = diagnose(examine(gray, progress), examine(color, progress), _encoder(say))
    for pile in ("gray", "color"):
        say(f"{pile} pile: {found[pile]['photos']:,} photos in {found[pile]['folder']}")
        for name, meaning in FINDINGS[pile].items():
            _say_list(found[pile][name], meaning, say)
    _say_list(
        found["twins"], "pictures in both piles, gray = color: unpaired training should not see both", say
    )
    if found["gap"]:
        auc, low, high = found["gap"].values()
        say(
            "gap: of a scan and the lightness of a colour photo, a small classifier knows which is which "
            f"{auc:.1%} of the time [{low:.1%}, {high:.1%}]; 50% is chance"
        )
    if found["content"]:
        _say_content(found["content"], say)
    say(found["advice"])
    if json_path:
        write_json(found, json_path)


def _encoder(say: Callable[[str], None]) -> Encoder | None:
    """What tells content from film, if its weights are installed."""
    try:
        return imagenet_reader()
    except CycleColorError as error:
        say(f"what the piles show is not compared: {str(error).removeprefix('pretrained = true: ')}")
        return None


def _say_content(content: dict, say: Callable[[str], None]) -> None:
    """How alike the piles are in what they show, and what is left of the gap where they are."""
    say(
        f"content: {content['alike']:.0%} alike, where halves of the color pile, one of them on film, are "
        f"{content['alike_halves']:.0%}: {content['words']}"
    )
    _say_list(content["lacking"], "scans show what no color photo does; the photo that comes nearest:", say)
    _say_list(content["wanted"], "color photos come nearest to most scans", say)
    if content["film_gap"]:
        auc, low, high = content["film_gap"].values()
        say(f"film: among photos that show like things, the gap is {auc:.1%} [{low:.1%}, {high:.1%}]")


def _say_list(items: list[str], meaning: str, say: Callable[[str], None]) -> None:
    """How many of what, and the first few; nothing where there are none."""
    if items:
        say(f"{len(items):7,} {meaning}")
        for item in items[:SHOWN]:
            say(f"        {item}")
        if len(items) > SHOWN:
            say(f"        ... {len(items) - SHOWN:,} more; --json lists all")


def table(scores: Scores) -> str:
    """Metrics as rows, what is scored as columns, values with their 95% intervals."""
    columns = list(dict.fromkeys(column for row in scores.values() for column in row))
    width = max(map(len, scores))
    lines = [" " * width + "".join(f"{column:>24}" for column in columns)]
    for name, row in scores.items():
        cells = "".join(f"{cell(row.get(column)):>24}" for column in columns)
        lines.append(f"{name:<{width}}{cells}")
    return "\n".join(lines)


def cell(score: Score | None) -> str:
    """A value and its interval, or a dash."""
    if score is None:
        return "-"
    digits = 2 if abs(score.value) >= 1 else 3
    if score.low is None:
        return f"{score.value:.{digits}f}"
    return f"{score.value:.{digits}f} [{score.low:.{digits}f}, {score.high:.{digits}f}]"


def write_json(record: dict, path: Path) -> None:
    """Write a record atomically."""
    text = json.dumps(record, indent=2, allow_nan=False) + "\n"
    atomic_write(path, lambda file: file.write(text.encode("utf-8", "surrogateescape")))


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
