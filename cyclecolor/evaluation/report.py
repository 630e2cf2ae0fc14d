"""Scores as a table, as JSON and as a contact sheet."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..inference import Colorizer, load
from ..photos import atomic_write, find_photos, read_rgb8
from .evaluate import Score, contact_sheet, evaluate

SHEET_PHOTOS = 10


def evaluate_folder(
    checkpoint: Path,
    color: Path,
    *,
    json_path: Path | None = None,
    sheet_path: Path | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Score a checkpoint on a folder of colour photos and say so."""
    colorizer = load(checkpoint)
    photos = [read_rgb8(path, short_side=512) for path in find_photos(color)]
    scores = evaluate(colorizer, photos)
    say(table(scores))
    if json_path:
        record = {m: {n: asdict(s) for n, s in rows.items()} for m, rows in scores.items()}
        text = json.dumps({"photos": len(photos), "scores": record}, indent=2) + "\n"
        atomic_write(json_path, lambda file: file.write(text.encode()))
    if sheet_path:
        save_sheet(colorizer, photos, sheet_path)
        say(f"sheet: {sheet_path}")


def save_sheet(colorizer: Colorizer, photos: Sequence[np.ndarray], path: Path, *, truth: bool = True) -> None:
    """Write a contact sheet of photos spread evenly over the list, as PNG."""
    picks = np.linspace(0, len(photos) - 1, min(SHEET_PHOTOS, len(photos))).round().astype(int)
    sheet = contact_sheet(colorizer, [photos[i] for i in picks], truth=truth)
    atomic_write(path, lambda file: sheet.save(file, format="PNG"))


def table(scores: dict[str, dict[str, Score]]) -> str:
    """Metrics as rows, what is scored as columns, means with 95% intervals."""
    names = list(next(iter(scores.values())))
    lines = [f"{'':<14}" + "".join(f"{name:>22}" for name in names)]
    for metric, row in scores.items():
        cells = (f"{s.mean:6.2f} [{s.low:5.2f}, {s.high:5.2f}]" for s in row.values())
        lines.append(f"{metric:<14}" + "".join(f"{cell:>22}" for cell in cells))
    ours, truth = scores["colorfulness"]["ours"], scores["colorfulness"]["truth"]
    return "\n".join([*lines, f"{'colorfulness ratio':<24}{ours.mean / truth.mean:12.2f}"])
