"""The film gap: how much of it is closed without pairs.

    python benchmarks/film_gap.py PHOTOS TEST OUTPUT [--film NAME]... [--seed N]... [--set KEY=VALUE]...
        [--start CHECKPOINT] [--json docs/results/film_gap.json]

PHOTOS (color) are laid out as unpaired piles of each film, or box of films; five experiments, film_*.toml,
are trained on them from each seed and scored on that film's rendering of TEST (other color photos), and on
that of each film in the box. All is kept in OUTPUT: the same command again goes on where it was, and prints
tables.

With --start, all five set out from that checkpoint, whose networks --set must describe, and it is scored as
it is: is an archive worth training on, once colors are known?

Equal in the five: photos in color, network, seed, steps. Closed = (floor - unpaired) / (floor - oracle).
docs/results/RESULTS.md has the tables; tests/test_numbers.py compares them.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from record import Origin, told
from safetensors.torch import load_file, save_file
from torch import Tensor

from cyclecolor.evaluation.inputs import read_inputs
from cyclecolor.evaluation.paired import paired_difference, photo_by_photo
from cyclecolor.evaluation.pictures import STATISTICS
from cyclecolor.evaluation.scores import score
from cyclecolor.files import write_json
from cyclecolor.film import BOXES
from cyclecolor.inference import load

EXPERIMENTS = Path(__file__).parent.parent / "experiments"
RUNS = ("floor", "augmented", "one_film", "unpaired", "oracle")
METRICS = {
    "ciede2000": "CIEDE2000",
    "hue_error": "hue error, degrees",
    "ab_rmse": "ab RMSE",
    "colorfulness_ratio": "colorfulness ratio",
}
PAIRED = ("ciede2000", "hue_error")  # metrics of which differences are told

Measured = dict[str, Tensor]  # metric to what it takes from each photo (N, k)
Scores = dict[str, dict[str, Any]]  # run to metric to a score: value, low, high


def run(*arguments: str | Path) -> None:
    """Run a command of cyclecolor, and say so."""
    print("cyclecolor", *arguments, flush=True)
    subprocess.run([sys.executable, "-m", "cyclecolor", *map(str, arguments)], check=True)


def train(name: str, film: str, seed: int, output: Path, settings: list[str]) -> Path:
    """Train one of the five, or go on; return its folder. What knows no film is trained once for all."""
    knows_film = name in ("one_film", "unpaired", "oracle")
    run_dir = output / f"{film if knows_film else 'any'}-{name}-{seed}"
    settings = [f"seed={seed}", f"data.root={output / 'piles' / film}", *settings]
    if name == "oracle":
        settings.append(f"data.film={film}")
    if not (run_dir / "done").exists():
        overrides = [word for setting in settings for word in ("--set", setting)]
        run("train", EXPERIMENTS / f"film_{name}.toml", "--run-dir", run_dir, *overrides)
        (run_dir / "done").touch()
    return run_dir


def measured_on(film: str, test: Path) -> Callable[[Path, Path], Measured]:
    """What measures a checkpoint on a film's rendering of the test photos, and keeps that in a folder."""
    inputs = read_inputs(test, film=film)

    def measured(checkpoint: Path, folder: Path) -> Measured:
        path = folder / f"measured_{film}.safetensors"
        if not path.exists():
            save_file(photo_by_photo(load(checkpoint), inputs.photos, inputs.grays, tuple(METRICS)), path)
        return load_file(path)

    return measured


def scores_of(runs: dict[str, Measured]) -> Scores:
    """Of the runs of a seed."""
    return {
        name: {metric: asdict(score(measured[metric], STATISTICS[metric])) for metric in METRICS}
        for name, measured in runs.items()
    }


def less_than_others(measured: dict[int, dict[str, Measured]]) -> Scores:
    """What unpaired has less than the others, photo by photo, all seeds of a photo together."""
    found: Scores = {}
    for name in (other for other in next(iter(measured.values())) if other != "unpaired"):
        for metric in PAIRED:
            ours, theirs = (
                torch.stack([runs[run][metric] for runs in measured.values()]).mean(dim=0)
                for run in ("unpaired", name)
            )
            found.setdefault(name, {})[metric] = asdict(paired_difference(ours, theirs, metric))
    return found


def table(record: dict[str, Any]) -> str:
    """Where the figures come from, and the tables of each film."""
    whole = {film: of for film, of in record["films"].items() if not is_part(film)}
    parts = {film: of for film, of in record["films"].items() if is_part(film)}
    summary = [table_of_parts(parts)] if parts else []
    return "\n\n".join([f"{told(record)}.", *(tables(*film) for film in whole.items()), *summary])


def is_part(film: str) -> bool:
    """Whether a film stands for its share of a box."""
    return ", of " in film


def table_of_parts(parts: dict[str, Any]) -> str:
    """A row for each film in a box: how much is closed on it, and the differences; means over seeds."""
    others = [(name, metric) for name in ("augmented", "one_film") for metric in PAIRED]
    titles = [f"{METRICS[metric]}, closed" for metric in PAIRED]
    titles += [f"{METRICS[metric]}, minus {name}" for name, metric in others]
    lines = [f"| unpaired, on | {' | '.join(titles)} |", "|---" + "|--:" * len(titles) + "|"]
    for film, of in parts.items():
        cells = [f"{closed(means(of['seeds'], metric)):.0%}" for metric in PAIRED]
        cells += [cell(of["less"][name][metric]) for name, metric in others]
        lines.append(f"| {film} | {' | '.join(cells)} |")
    return "\n".join(lines)


def tables(film: str, of: dict[str, Any]) -> str:
    """Two tables of a film: a row a metric and seed, with the mean over seeds; and the differences."""
    names = list(next(iter(of["seeds"].values())))
    lines = [
        f"| {film} | seed | {' | '.join(names)} | closed |",
        "|---|--:" + "|--:" * (len(names) + 1) + "|",
    ]
    for metric in METRICS:
        lines += rows_of(metric, of["seeds"])
    lines += ["", "| unpaired minus | " + " | ".join(METRICS[m] for m in PAIRED) + " |"]
    lines.append("|---" + "|--:" * len(PAIRED) + "|")
    for name, less in of["less"].items():
        lines.append(f"| {name} | {' | '.join(cell(less[metric]) for metric in PAIRED)} |")
    return "\n".join(lines)


def rows_of(metric: str, seeds: dict[str, Scores]) -> Iterator[str]:
    """The rows of a metric, of each seed and of their mean."""
    for seed, scores in seeds.items():
        values = {name: of_run[metric]["value"] for name, of_run in scores.items()}
        yield row(METRICS[metric], seed, [cell(of_run[metric]) for of_run in scores.values()], closed(values))
    mean = means(seeds, metric)
    yield row(METRICS[metric], "mean", [f"{value:.2f}" for value in mean.values()], closed(mean))


def means(seeds: dict[str, Scores], metric: str) -> dict[str, float]:
    """Of each run, the mean of a metric over seeds."""
    names = next(iter(seeds.values()))
    return {
        name: float(np.mean([scores[name][metric]["value"] for scores in seeds.values()])) for name in names
    }


def cell(found: dict[str, Any]) -> str:
    """A score and its interval."""
    return "{value:.2f} [{low:.2f}, {high:.2f}]".format(**found)


def closed(errors: dict[str, float]) -> float:
    """Share of floor to oracle that training without pairs closes."""
    return (errors["floor"] - errors["unpaired"]) / (errors["floor"] - errors["oracle"])


def row(title: str, seed: object, cells: list[str], share: float) -> str:
    """A row of the table; a ratio is no error to be closed."""
    share = "" if "ratio" in title else f"{share:.0%}"
    return f"| {title} | {seed} | {' | '.join(cells)} | {share} |"


@click.command()
@click.argument("photos", type=click.Path(path_type=Path))
@click.argument("test", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--film", "films", multiple=True, default=("mixed_box", "faded_print", "blue_plate"))
@click.option("--seed", "seeds", multiple=True, type=int, default=(0, 1, 2))
@click.option("--set", "settings", multiple=True)
@click.option("--start", type=click.Path(path_type=Path))
@click.option("--json", "path", type=click.Path(path_type=Path), help="A file for the figures.")
def main(photos, test, output, films, seeds, settings, start, path):
    """Lay out, train, score; print the tables of a film after each seed."""
    origin = Origin()
    for film in films:
        if not (output / "piles" / film).exists():
            run("prepare", photos, "--output", output / "piles" / film, "--film", film)
    scored = {(film, shown): {} for film in films for shown in (film, *BOXES.get(film, ()))}
    measure = {shown: measured_on(shown, test) for _, shown in scored}
    as_it_is = output / "start"
    if start:
        as_it_is.mkdir(exist_ok=True)
        settings = (f"init={start}", *settings)
    found: dict[str, Any] = {}
    for seed in seeds:
        for (film, shown), measured in scored.items():
            run_dirs = {name: train(name, film, seed, output, list(settings)) for name in RUNS}
            measured[seed] = {"start": measure[shown](start, as_it_is)} if start else {}
            measured[seed] |= {name: measure[shown](run_dir, run_dir) for name, run_dir in run_dirs.items()}
            title = shown if shown == film else f"{shown}, of {film}"
            of_seeds = {str(seed): scores_of(runs) for seed, runs in measured.items()}
            found[title] = {"seeds": of_seeds, "less": less_than_others(measured)}
            print(tables(title, found[title]), end="\n\n", flush=True)
    if path:
        write_json({"films": found} | origin(), path)


if __name__ == "__main__":
    main()
