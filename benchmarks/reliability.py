"""Reliability of predicted chroma: in bins of it, how much of the true color points the same way.

    python benchmarks/reliability.py PHOTOS CHECKPOINT

Where a network is right on average, the truth's component along the predicted hue is as long as what was
predicted. Longer predictions than that are too sure of themselves.
"""

import sys
from pathlib import Path

import torch

from cyclecolor import load
from cyclecolor.color import rgb_to_lab
from cyclecolor.evaluation.inputs import read_inputs, to_tensor

WIDTH, BINS = 10, 7  # of a bin, in chroma; the last is open


def main(photos: Path, checkpoint: str) -> None:
    """Predict, sort into bins, print."""
    colorizer = load(checkpoint)
    sums = torch.zeros(BINS, 4, dtype=torch.float64)
    for photo in read_inputs(photos).photos:
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


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2])
