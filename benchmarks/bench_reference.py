"""What a reference brings: photos colored after another photo, and how near to the truth that comes.

    python benchmarks/bench_reference.py PHOTOS [--checkpoint default] [--count 300] [--json FILE]

References are the photo itself, mirrored; for its right half, the left one; the next photo of the list, which
shows something else; and where a `manifest.csv` beside the photos names their `kind`, the next one of its
kind in the folder. CIEDE2000 and hue error (degrees, where the truth has a hue), on copies of short side 192.

docs/results/HINTS.md has the table, docs/results/references.json its figures; tests/test_numbers.py compares
them.
"""

import csv
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from bench_hints import about, asked, cell, error, gray_of, small_photo, to_lab, with_spread

from cyclecolor.evaluation.metrics import hue_agreement
from cyclecolor.files import write_json
from cyclecolor.inference import ChromaColorizer
from cyclecolor.photos import Photo


def main() -> None:
    """Print a table; write its figures, where they are asked for."""
    options, paths, colorizer = asked(__doc__.splitlines()[0])
    found = measure([small_photo(path) for path in paths], colorizer, [next_of_kind(path) for path in paths])
    errors = {
        what: [with_spread(list(of_one)) for of_one in zip(*pairs, strict=True)]
        for what, pairs in found.items()
    }
    record = about(options, paths) | {"errors": errors}
    if options.json:
        write_json(record, options.json)
    print(table(record))


def table(record: dict[str, Any]) -> str:
    """A row a reference."""
    rows = [
        f"| {what} | {cell(error)} | {cell(hue, digits=1)} |"
        for what, (error, hue) in record["errors"].items()
    ]
    return "\n".join(["| colored after | CIEDE2000 | hue error, degrees |", "|---|--:|--:|", *rows])


def next_of_kind(path: Path) -> np.ndarray | None:
    """Another photo (H, W, 3) of the kind that the manifest of the folder says; None where there is none."""
    manifest = path.with_name("manifest.csv")
    if not manifest.is_file():
        return None
    with manifest.open(newline="") as file:
        kinds = {row["name"]: row["kind"] for row in csv.DictReader(file)}
    alike = sorted(name for name, kind in kinds.items() if kind == kinds.get(path.name))
    if path.name not in alike or len(alike) < 2:
        return None
    return small_photo(path.with_name(alike[(alike.index(path.name) + 1) % len(alike)]))


def measure(
    photos: list[np.ndarray], colorizer: ChromaColorizer, alike: list[np.ndarray | None]
) -> dict[str, list[tuple[float, float]]]:
    """CIEDE2000 and hue error of each photo (H, W, 3), by reference; `alike`: one of the kind of each."""
    rows = defaultdict(list)
    for number, rgb in enumerate(photos):
        middle = rgb.shape[1] // 2
        other = photos[(number + 1) % len(photos)]
        rows["nothing"].append(errors_of(colorizer, rgb))
        rows["the photo itself in color, mirrored"].append(errors_of(colorizer, rgb, rgb[:, ::-1]))
        rows["another photo, of something else"].append(errors_of(colorizer, rgb, other))
        if alike[number] is not None:
            rows["another photo of its kind"].append(errors_of(colorizer, rgb, alike[number]))
        rows["right half, after nothing"].append(errors_of(colorizer, rgb[:, middle:]))
        rows["right half, after the left half in color"].append(
            errors_of(colorizer, rgb[:, middle:], rgb[:, :middle])
        )
    return rows


def errors_of(
    colorizer: ChromaColorizer, rgb: np.ndarray, reference: np.ndarray | None = None
) -> tuple[float, float]:
    """Of a photo (H, W, 3), turned to gray and colored after another one."""
    rgb = np.ascontiguousarray(rgb)
    studied = None if reference is None else colorizer.study(Photo(np.ascontiguousarray(reference)))
    made = to_lab(colorizer.colorize(gray_of(rgb, colorizer), reference=studied).pixels)
    angles, _, count = hue_agreement(made, to_lab(rgb))[0].tolist()
    return error(made, to_lab(rgb)), angles / count if count else float("nan")


if __name__ == "__main__":
    main()
