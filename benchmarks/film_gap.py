"""The film gap: how much of it is closed without pairs.

    python benchmarks/film_gap.py PHOTOS TEST OUTPUT [--film NAME]... [--seed N]... [--set KEY=VALUE]...

PHOTOS (color) are laid out as unpaired piles of each film; four experiments, film_*.toml, are trained on
them from each seed and scored on that film's rendering of TEST (other color photos). All is kept in OUTPUT:
the same command again goes on where it was, and prints a table.

Equal in the four: photos in color, network, seed, steps. Closed = (floor - unpaired) / (floor - oracle).
"""

import json
import subprocess
import sys
from pathlib import Path

import click
import numpy as np

EXPERIMENTS = Path(__file__).parent.parent / "experiments"
RUNS = ("floor", "augmented", "unpaired", "oracle")
METRICS = {
    "ciede2000_at_true_lightness": "CIEDE2000",
    "hue_error": "hue error, degrees",
    "ab_rmse": "ab RMSE",
    "colorfulness_ratio_at_true_lightness": "colorfulness ratio",
}


def run(*arguments: str | Path) -> None:
    """Run a command of cyclecolor, and say so."""
    print("cyclecolor", *arguments, flush=True)
    subprocess.run([sys.executable, "-m", "cyclecolor", *map(str, arguments)], check=True)


def train(name: str, film: str, seed: int, output: Path, settings: list[str]) -> Path:
    """Train one of the four, or go on; return its folder. What knows no film is trained once for all."""
    knows_film = name in ("unpaired", "oracle")
    run_dir = output / f"{film if knows_film else 'any'}-{name}-{seed}"
    settings = [f"seed={seed}", f"data.root={output / 'piles' / film}", *settings]
    if name == "oracle":
        settings.append(f"data.film={film}")
    if not (run_dir / "done").exists():
        overrides = [word for setting in settings for word in ("--set", setting)]
        run("train", EXPERIMENTS / f"film_{name}.toml", "--run-dir", run_dir, *overrides)
        (run_dir / "done").touch()
    return run_dir


def scores(run_dir: Path, film: str, test: Path) -> dict:
    """Scores of a run on a film's rendering of the test photos, metric to score."""
    path = run_dir / f"scores_{film}.json"
    if not path.exists():
        run("evaluate", run_dir, "--color", test, "--film", film, "--json", path)
    return {metric: row["ours"] for metric, row in json.loads(path.read_text())["scores"].items()}


def table(film: str, measured: dict[int, dict[str, dict]]) -> str:
    """Markdown: a row a metric and seed, with intervals over photos, and the mean over seeds."""
    lines = [f"| {film} | seed | {' | '.join(RUNS)} | closed |", "|---|--:" + "|--:" * 5 + "|"]
    for metric, title in METRICS.items():
        for seed, runs in measured.items():
            cells = [interval(**runs[name][metric]) for name in RUNS]
            lines.append(row(title, seed, cells, closed(*(runs[name][metric]["value"] for name in RUNS))))
        means = [np.mean([runs[name][metric]["value"] for runs in measured.values()]) for name in RUNS]
        lines.append(row(title, "mean", [f"{mean:.2f}" for mean in means], closed(*means)))
    return "\n".join(lines)


def interval(value: float, low: float, high: float) -> str:
    """A score and its interval."""
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"


def closed(floor: float, augmented: float, unpaired: float, oracle: float) -> float:
    """Share of floor to oracle that training without pairs closes."""
    return (floor - unpaired) / (floor - oracle)


def row(title: str, seed: object, cells: list[str], share: float) -> str:
    """A row of the table; a ratio is no error to be closed."""
    share = "" if "ratio" in title else f"{share:.0%}"
    return f"| {title} | {seed} | {' | '.join(cells)} | {share} |"


@click.command()
@click.argument("photos", type=click.Path(path_type=Path))
@click.argument("test", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--film", "films", multiple=True, default=("faded_print", "blue_plate"))
@click.option("--seed", "seeds", multiple=True, type=int, default=(0, 1, 2))
@click.option("--set", "settings", multiple=True)
def main(photos, test, output, films, seeds, settings):
    """Lay out, train, score; print a table after each seed."""
    for film in films:
        if not (output / "piles" / film).exists():
            run("prepare", photos, "--output", output / "piles" / film, "--film", film)
    measured = {film: {} for film in films}
    for seed in seeds:
        for film in films:
            measured[film][seed] = {
                name: scores(train(name, film, seed, output, list(settings)), film, test) for name in RUNS
            }
            print(table(film, measured[film]), flush=True)


if __name__ == "__main__":
    main()
