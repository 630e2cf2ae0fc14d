"""Does `--denoise` help? Scores of the released checkpoint on photos with more and more grain.

    python benchmarks/denoise.py landscapes_test [--json docs/results/denoise.json]

White noise is added to the photos' own lightness (seed 0), every fourth photo is scored: CIEDE2000 at the
truth's lightness, and hue error in degrees.

docs/results/TRANSLATE.md has the table; tests/test_numbers.py compares it with the JSON.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from record import Origin, told

from cyclecolor.evaluation.evaluate import evaluate
from cyclecolor.evaluation.inputs import read_inputs
from cyclecolor.files import write_json
from cyclecolor.inference import load

GRAIN = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3)  # standard deviation; white is 1
SCORES = ("ciede2000", "hue_error")


def grainy(photo: np.ndarray, grain: float, rng: np.random.Generator) -> np.ndarray:
    """Gray (H, W, 3) uint8 with noise on it."""
    gray = photo @ np.array([0.2126, 0.7152, 0.0722])
    noisy = np.rint(gray + 255 * grain * rng.standard_normal(gray.shape))
    return np.clip(noisy, 0, 255).astype(np.uint8)[..., None].repeat(3, axis=2)


def table(record: dict[str, Any]) -> str:
    """A row for each strength of grain."""
    about = f"{told(record)}. Checkpoint `default`, {record['photos']} photos of `{record['folder']}`."
    lines = [about, "", "| grain | plain | denoised |", "|--:|--:|--:|"]
    for grain, ways in record["grain"].items():
        lines.append(f"| {grain} | {' | '.join('{:.2f}, {:.1f}'.format(*way) for way in ways)} |")
    return "\n".join(lines)


def main() -> None:
    """Print a table; write its figures, where they are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--json", type=Path, help="a file for the figures")
    options = parser.parse_args()
    origin, photos = Origin(), read_inputs(options.photos, None).photos[::4]
    found = {}
    for grain in GRAIN:
        rng = np.random.default_rng(0)
        grays = [grainy(photo, grain, rng) for photo in photos]
        scores = [evaluate(load(denoise=way), photos, grays, only=SCORES) for way in (False, True)]
        found[str(grain)] = [[row["ours"].value for row in of_way.values()] for of_way in scores]
    record = {"folder": options.photos.name, "photos": len(photos), "grain": found} | origin()
    if options.json:
        write_json(record, options.json)
    print(table(record))


if __name__ == "__main__":
    main()
