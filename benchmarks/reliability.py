"""Reliability of predicted chroma, and of doubt: what each says of the error that is made.

    python benchmarks/reliability.py PHOTOS CHECKPOINT [docs/results/doubt.json]

Where a network is right on average, the truth's component along the predicted hue is as long as what was
predicted. Longer predictions than that are too sure of themselves.

`translate --doubt` lists photos by doubt. The second table has fifths of the photos in that order, with their
mean distance to the truth in a* and b*, and the rank correlation of both over photos (Spearman, 1904). That
one is written as JSON too; docs/results/RESULTS.md has it, and tests/test_numbers.py compares the two.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from record import commit

from cyclecolor import Colorizer, load
from cyclecolor.color import rgb_to_lab
from cyclecolor.evaluation.inputs import read_inputs, to_tensor
from cyclecolor.files import write_json
from cyclecolor.photos import Photo

WIDTH, BINS = 10, 7  # of a bin, in chroma; the last is open
FIFTHS = 5


def main(photos: Path, checkpoint: str, json: Path | None = None) -> None:
    """Predict, sort, print."""
    colorizer, shown = load(checkpoint), read_inputs(photos).photos
    print_chroma(colorizer, shown)
    print()
    about = {"commit": commit(), "checkpoint": Path(checkpoint).stem, "folder": photos.name}
    record = about | {"photos": len(shown)} | by_doubt(colorizer, shown)
    if json:
        write_json(record, json)
    print(table(record))


def print_chroma(colorizer: Colorizer, photos: list[np.ndarray]) -> None:
    """The table of predicted chroma."""
    sums = torch.zeros(BINS, 4, dtype=torch.float64)
    for photo in photos:
        lab = rgb_to_lab(to_tensor([photo]))
        predicted, truth = colorizer.space.units(colorizer.chroma(lab[:, :1] / 50 - 1)), lab[:, 1:]
        chroma = predicted.norm(dim=1)
        along = (predicted * truth).sum(dim=1) / chroma.clamp(min=1e-3)
        values = torch.stack([torch.ones_like(chroma), chroma, along, truth.norm(dim=1)], dim=-1)
        bins = (chroma / WIDTH).long().clamp(max=BINS - 1)
        # Each photo counts alike.
        sums.index_add_(0, bins.flatten(), values.flatten(0, 2).double() / chroma.numel())
    print("| predicted chroma | share | mean | of the truth, along it | the truth's |\n|---|--:|--:|--:|--:|")
    for i, (count, *rest) in enumerate(sums.tolist()):
        if count:
            end = f"to {WIDTH * (i + 1)}" if i < BINS - 1 else "on"
            means = " | ".join(f"{value / count:.1f}" for value in rest)
            print(f"| {WIDTH * i} {end} | {count / sums[:, 0].sum():.1%} | {means} |")


def by_doubt(colorizer: Colorizer, photos: list[np.ndarray]) -> dict[str, Any]:
    """Doubt and error of each fifth of the photos by doubt, and how their ranks go together."""
    doubts, errors = [], []
    for photo in photos:
        lab = rgb_to_lab(to_tensor([photo]))
        chroma = colorizer.space.units(colorizer.chroma(lab[:, :1] / 50 - 1))
        errors.append((chroma - lab[:, 1:]).norm(dim=1).mean().item())
        gray = (colorizer.space.merge(lab[:, :1] / 50 - 1, 0 * lab[:, 1:])[0, :1] * 255).round()
        doubts.append(float(colorizer.doubt(Photo(gray.movedim(0, -1).byte().numpy())).mean()))
    order = np.argsort(doubts, kind="stable")
    fifths = [
        [float(np.mean(np.take(values, fifth))) for values in (doubts, errors)]
        for fifth in np.array_split(order, FIFTHS)
        if len(fifth)
    ]
    ranks = [np.argsort(np.argsort(values, kind="stable")) for values in (doubts, errors)]
    return {"fifths": fifths, "rank_correlation": float(np.corrcoef(*ranks)[0, 1])}


def table(record: dict[str, Any]) -> str:
    """The table of doubt."""
    lines = ["| photos by doubt | doubt | distance to the truth in a* and b* |", "|---|--:|--:|"]
    for number, (doubt, error) in enumerate(record["fifths"], 1):
        lines.append(f"| fifth {number} | {doubt:.1f} | {error:.1f} |")
    return "\n".join([*lines, f"| rank correlation | | {record['rank_correlation']:.2f} |"])


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2], *map(Path, sys.argv[3:]))
