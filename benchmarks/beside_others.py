"""Outputs of any colorizers beside each other: a table of what their users compare them by.

    python benchmarks/beside_others.py TRUTH NAME=FOLDER... [--json FILE]

Each FOLDER holds what one program made of the gray versions of the photos in TRUTH, under the same names;
suffixes may differ. Ours come from `cyclecolor translate GRAYS --output FOLDER`. An output of
another size is resized.

The first two columns are CIEDE2000: of the picture as it is, and with the truth's lightness in place of its
own, so that colors alone are judged. Intervals are 95%, over photos.

docs/results/RESULTS.md has the table, docs/results/beside_others.json its figures; tests/test_numbers.py
compares them.
"""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from record import Origin
from torch import Tensor

from cyclecolor.color import lab_to_rgb, rgb_to_lightness
from cyclecolor.evaluation.inputs import read_inputs, same_size_batches, to_tensor
from cyclecolor.evaluation.pictures import STATISTICS, judge, measure
from cyclecolor.evaluation.scores import score
from cyclecolor.files import write_json

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


def scores_of(truth: Path, folder: Path | None) -> dict[str, Any]:
    """Of one program: value, low and high of each column. Without a folder, of leaving photos gray."""
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
    found = {
        name: score(torch.cat(values), STATISTICS.get(name, STATISTICS["ciede2000"]))
        for name, values in measured.items()
    }
    return {name: of and asdict(of) for name, of in found.items()}


def gray_of(lightness: Tensor) -> Tensor:
    """The neutral gray of CIE L* (N, 1, H, W), as sRGB (N, 3, H, W)."""
    return lab_to_rgb(torch.cat([lightness, torch.zeros_like(lightness).expand(-1, 2, -1, -1)], dim=1))


def main() -> None:
    """Print the table; write its figures, where they are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("truth", type=Path)
    parser.add_argument("programs", nargs="+", type=program, metavar="NAME=FOLDER")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    options = parser.parse_args()
    origin = Origin()
    programs = {"left gray": None, **dict(options.programs)}
    record = {"programs": {name: scores_of(options.truth, folder) for name, folder in programs.items()}}
    record |= origin()
    if options.json:
        write_json(record, options.json)
    print(table(record))


def program(text: str) -> tuple[str, Path]:
    """NAME=FOLDER."""
    name, equals, folder = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text} is not NAME=FOLDER")
    return name, Path(folder)


def table(record: dict[str, Any]) -> str:
    """A row a program."""
    lines = [f"| | {' | '.join(COLUMNS.values())} |", f"|---|{'--:|' * len(COLUMNS)}"]
    for name, scores in record["programs"].items():
        cells = ("{value:.2f} [{low:.2f}, {high:.2f}]".format(**of) if of else "" for of in scores.values())
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
