"""What a finished run has to show."""

from collections.abc import Callable
from pathlib import Path

from ..config import Experiment
from ..data import SCENES, ScenePile
from ..evaluation import evaluate, save_sheet
from ..inference import load
from ..photos import find_photos, read_rgb8

HELD_OUT = 64  # images scored at the end of a run
TEST_FOLDERS = ("color_test", "testB")


def show_result(
    experiment: Experiment, run_dir: Path, checkpoint: Path, *, say: Callable[[str], None]
) -> None:
    """Colour held-out photos, write a contact sheet, say the score and the next command."""
    colorizer = load(checkpoint)
    photos, truth = _held_out(experiment)
    sheet = run_dir / "sheet.png"
    save_sheet(colorizer, photos, sheet, truth=truth)
    say(f"sheet       {sheet} ({'gray, ours, truth' if truth else 'gray, ours'})")
    if truth:
        rows = evaluate(colorizer, photos, only=("ciede2000",))["ciede2000"]
        ours, nothing = rows["ours"].value, rows["do_nothing"].value
        say(f"score       CIEDE2000 {ours:.2f}; doing nothing {nothing:.2f} ({ours / nothing:.0%})")
    say(f"checkpoint  {checkpoint}")
    say(f"next        cyclecolor translate PHOTOS --checkpoint {checkpoint}")


def _held_out(experiment: Experiment):
    """Photos that were not trained on, and whether their colours are known."""
    data = experiment.data
    if data.root is None and data.color is None:
        pile = ScenePile(SCENES["test"], HELD_OUT, size=data.size)
        return [pile[i] for i in range(HELD_OUT)], True
    folders = [Path(data.root) / name for name in TEST_FOLDERS] if data.root else []
    folder = next((f for f in folders if f.is_dir()), None)
    shown = folder or Path(data.gray or data.color or Path(data.root) / "gray_train")
    paths = find_photos(shown)[:HELD_OUT]
    return [read_rgb8(path, short_side=data.load_size) for path in paths], folder is not None
