"""What a finished run has to show."""

from functools import partial
from pathlib import Path

from ..checkpoint import best_of
from ..config import Experiment
from ..evaluation import evaluate, save_sheet
from ..files import quoted
from ..inference import load
from .copies import at_hand
from .held_out import held_out, some_photos
from .progress import progress_bar

SHOWN = 64  # images scored at the end of a run


def summarize(experiment: Experiment, run_dir: Path, checkpoint: Path) -> str:
    """Color held-out photos and write a contact sheet; returns the score and the next command."""
    colorizer = load(checkpoint)
    data = at_hand(experiment.data, run_dir)
    photos = held_out(data, SHOWN)
    truth = bool(photos)
    photos = photos or some_photos(data, SHOWN)
    lines = []
    if photos:  # none where all are too small to be looked at
        sheet = run_dir / "sheet.png"
        save_sheet(colorizer, photos, sheet, truth=truth)
        lines.append(f"sheet       {sheet} ({'gray, ours, truth' if truth else 'gray, ours'})")
    if truth:
        scoring = partial(progress_bar, desc="scoring", leave=False)
        rows = evaluate(colorizer, photos, only=("ciede2000",), progress=scoring)["ciede2000"]
        ours, nothing = rows["ours"], rows["do_nothing"]
        if ours and nothing and nothing.value:  # gray photos leave nothing to do
            both = f"{ours.value:.2f}; doing nothing {nothing.value:.2f}"
            lines.append(f"score       CIEDE2000 {both} ({ours.value / nothing.value:.0%})")
    lines.append(f"checkpoint  {checkpoint}")
    if (best := best_of(run_dir)) not in (None, checkpoint):
        lines.append(f"best so far {best} (least error on held-out photos)")
    lines.append(f"next        cyclecolor translate PHOTOS --checkpoint {quoted(checkpoint)}")
    return "\n".join(lines)
