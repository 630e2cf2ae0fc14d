"""Several checkpoints side by side: a table, and a contact sheet with a row for each.

    python benchmarks/compare.py TRUTH SHEET CHECKPOINT... [--gray GRAYS | --film FILM] [--json FILE]

TRUTH is a folder of color photos. What is colored is their own lightness, scans of the same names in GRAYS,
or what a built-in film makes of them; on scans and film, colors are judged at the truth's lightness. The
sheet (gray, each checkpoint in the order given, truth) shows ten photos, spread evenly over the names.
Checkpoints are files, or folders of runs, whose steps and minutes are in the table: minutes from the oldest
checkpoint to the newest, as if all steps had gone at their pace.

docs/results/RESULTS.md has such tables, docs/results/compared/ their figures; tests/test_numbers.py compares
them.
"""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from record import Origin, told

from cyclecolor.evaluation import contact_sheet, evaluate
from cyclecolor.evaluation.evaluate import AT_TRUE_LIGHTNESS
from cyclecolor.evaluation.inputs import read_inputs
from cyclecolor.files import write_json
from cyclecolor.inference import load
from cyclecolor.training.run_record import RunRecord

COLUMNS = {
    "ciede2000": "CIEDE2000",
    "ciede2000_gain": "gain over gray, paired",
    "hue_error": "hue error, degrees",
    "colorfulness_ratio": "colorfulness ratio",
    "cast_ratio": "cast ratio",
    "lightness_error_max": "lightness error, worst, 8-bit levels",
    "checkerboard_peak": "checkerboard peak",
}
ALONE = ("lightness_error_max", "checkerboard_peak")  # extremes, whose bootstrap intervals lie beside them
BESIDE = {"do_nothing": "left gray", "mean_color": "mean color"}
SHOWN, HEIGHT = 10, 150


def main() -> None:
    """Score, draw, print; write the figures, where they are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("truth", type=Path)
    parser.add_argument("sheet", type=Path)
    parser.add_argument("checkpoints", type=Path, nargs="+")
    seen = parser.add_mutually_exclusive_group()
    seen.add_argument("--gray", type=Path, help="scans of the photos")
    seen.add_argument("--film", help="a built-in film, or box of films")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    options = parser.parse_args()
    origin = Origin()
    inputs = read_inputs(options.truth, options.gray, film=options.film)
    photos, grays = inputs.photos, inputs.grays
    places = np.linspace(0, len(photos) - 1, SHOWN).round().astype(int)
    shown = [photos[i] for i in places], grays and [grays[i] for i in places]
    rows: dict[str, dict[str, Any]] = {}
    pictures: list[np.ndarray] = []
    for path in options.checkpoints:
        colorizer = load(path)
        scores = evaluate(colorizer, photos, grays, only=tuple(COLUMNS))
        for column, name in (BESIDE if not rows else {}).items():
            rows[name] = {"scores": of_column(scores, column)}
        rows[path.stem] = training_of(path) | {"scores": of_column(scores, "ours")}
        gray, ours, true = np.split(np.array(contact_sheet(colorizer, *shown, height=HEIGHT)), 3)
        pictures = [gray, *pictures[1:-1], ours, true]
    Image.fromarray(np.concatenate(pictures)).save(options.sheet, quality=92)
    record = {"photos": len(photos), "rows": rows} | origin()
    if options.json:
        write_json(record, options.json)
    print(table(record))


def of_column(scores: dict[str, Any], column: str) -> dict[str, Any]:
    """Of each metric, value, low and high; None where it is undefined. Gains are ours alone."""
    found = {}
    for metric, of in scores.items():
        name = metric.removesuffix(AT_TRUE_LIGHTNESS)
        score = of[column] if name != "ciede2000_gain" else of["do_nothing"] if column == "ours" else None
        found[name] = score and asdict(score)
    return found


def training_of(path: Path) -> dict[str, float | None]:
    """Steps and minutes of a run; nothing of a file."""
    if not path.is_dir():
        return {}
    (run,) = RunRecord.of(path)
    pace = run.images_per_second
    images = run.step * run.experiment.batch_size * run.experiment.accumulate
    return {"steps": run.step, "minutes": pace and images / pace / 60}


def table(record: dict[str, Any]) -> str:
    """Where the figures come from, and a row a checkpoint."""
    of_runs = [name for name in ("steps", "minutes") if any(name in row for row in record["rows"].values())]
    titles = [f"{record['photos']} photos", *of_runs, *COLUMNS.values()]
    lines = [f"{told(record)}.", "", f"| {' | '.join(titles)} |", f"|---{'|--:' * (len(titles) - 1)}|"]
    for name, row in record["rows"].items():
        cells = [name, *(f"{row[of]:,.0f}" if row.get(of) else "" for of in of_runs)]
        cells += [cell(metric, row["scores"][metric]) for metric in COLUMNS]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def cell(metric: str, score: dict[str, float] | None) -> str:
    """A score and its interval, if it has one."""
    if not score:
        return ""
    return f"{score['value']:.2f}" + (
        "" if metric in ALONE else f" [{score['low']:.2f}, {score['high']:.2f}]"
    )


if __name__ == "__main__":
    main()
