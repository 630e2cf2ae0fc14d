"""Several checkpoints side by side: a table, and a contact sheet with a row for each.

    python benchmarks/compare.py TRUTH SHEET CHECKPOINT...

TRUTH is a folder of color photos. The sheet (gray, each checkpoint in the order given, truth) shows ten of
them, spread evenly over the names. Checkpoints are files, or folders of runs.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from cyclecolor.evaluation import Score, contact_sheet, evaluate
from cyclecolor.evaluation.inputs import read_inputs
from cyclecolor.inference import load

COLUMNS = {
    "ciede2000": "CIEDE2000",
    "ab_rmse": "ab RMSE",
    "hue_error": "hue error",
    "colorfulness_ratio": "colorfulness ratio",
}
SHOWN, HEIGHT = 10, 150


def line(name: str, scores: list[Score | None]) -> str:
    """A row of the table."""
    cells = (f"{s.value:.2f} [{s.low:.2f}, {s.high:.2f}]" if s else "" for s in scores)
    return f"| {name} | {' | '.join(cells)} |"


def main(truth: Path, sheet: Path, checkpoints: list[Path]) -> None:
    """Score, print, draw."""
    photos = read_inputs(truth).photos
    shown = [photos[i] for i in np.linspace(0, len(photos) - 1, SHOWN).round().astype(int)]
    print(f"| {len(photos)} photos | {' | '.join(COLUMNS.values())} |\n|---|{'--:|' * len(COLUMNS)}")
    rows: list[np.ndarray] = []
    for path in checkpoints:
        colorizer = load(path)
        scores = evaluate(colorizer, photos, only=tuple(COLUMNS))
        if not rows:
            for name in ("do_nothing", "mean_color"):
                print(line(name.replace("_", " "), [scores[metric][name] for metric in COLUMNS]))
        print(line(path.stem, [scores[metric]["ours"] for metric in COLUMNS]), flush=True)
        gray, ours, true = np.split(np.array(contact_sheet(colorizer, shown, height=HEIGHT)), 3)
        rows = [gray, *rows[1:-1], ours, true]
    Image.fromarray(np.concatenate(rows)).save(sheet, quality=92)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]), [Path(name) for name in sys.argv[3:]])
