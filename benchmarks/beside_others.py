"""Outputs of any colorizers beside each other: a table of what their users compare them by.

    python benchmarks/beside_others.py TRUTH NAME=FOLDER...

Each FOLDER holds what one program made of the gray versions of the photos in TRUTH, under the same names;
suffixes may differ. Ours come from `cyclecolor translate GRAYS --output FOLDER`. An output of
another size is resized.

The first two columns are CIEDE2000: of the picture as it is, and with the truth's lightness in place of its
own, so that colors alone are judged. Intervals are 95%, over photos.
"""

import sys
from pathlib import Path

import torch
from torch import Tensor

from cyclecolor.color import lab_to_rgb, rgb_to_lightness
from cyclecolor.evaluation.inputs import read_inputs, same_size_batches, to_tensor
from cyclecolor.evaluation.pictures import STATISTICS, judge, measure
from cyclecolor.evaluation.scores import score

AT_TRUE = "at_true_lightness"
COLUMNS = {
    "ciede2000": "CIEDE2000",
    AT_TRUE: "at the truth's lightness",
    "hue_cosine": "cosine of hue",
    "hue_error": "hue error, degrees",
    "colorfulness": "colorfulness",
    "colorfulness_ratio": "colorfulness ratio",
    "near_gray_share": "near-gray",
}


def row(truth: Path, folder: Path | None) -> list[str]:
    """The cells of one program, or without a folder those of leaving photos gray."""
    inputs = read_inputs(truth, folder)
    measured: dict[str, list[Tensor]] = {name: [] for name in COLUMNS}
    for batch in same_size_batches(inputs.photos):
        true = to_tensor([inputs.photos[i] for i in batch])
        lightness = rgb_to_lightness(true)
        shown = true if inputs.grays is None else to_tensor([inputs.grays[i] for i in batch])
        if folder is None:
            shown = gray_of(lightness)
        reference = judge(true, lightness, true, same_lightness=True)
        own, at_true = (
            measure(judge(shown, lightness, true, same_lightness=same), reference) for same in (True, False)
        )
        for name in COLUMNS:
            measured[name].append(at_true["ciede2000"] if name == AT_TRUE else own[name])
    cells = []
    for name, values in measured.items():
        found = score(torch.cat(values), STATISTICS.get(name, STATISTICS["ciede2000"]))
        cells.append(f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]" if found else "")
    return cells


def gray_of(lightness: Tensor) -> Tensor:
    """The neutral gray of CIE L* (N, 1, H, W), as sRGB (N, 3, H, W)."""
    return lab_to_rgb(torch.cat([lightness, torch.zeros_like(lightness).expand(-1, 2, -1, -1)], dim=1))


def main(truth: Path, programs: dict[str, Path]) -> None:
    """Print the table."""
    print(f"| | {' | '.join(COLUMNS.values())} |\n|---|{'--:|' * len(COLUMNS)}")
    print(f"| left gray | {' | '.join(row(truth, None))} |")
    for name, folder in programs.items():
        print(f"| {name} | {' | '.join(row(truth, folder))} |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 3 or not all("=" in argument for argument in sys.argv[2:]):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), {n: Path(f) for n, f in (a.split("=", 1) for a in sys.argv[2:])})
