"""`cyclecolor train`."""

import sys
from pathlib import Path

import click

from .group import Command, device_option
from .paths import UserPath


@click.command(cls=Command)
@click.argument("experiment", type=UserPath())
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change one setting of the experiment; may be repeated.",
)
@click.option(
    "--run-dir",
    type=UserPath(),
    help="Run folder: where checkpoints and log are kept. [runs/NAME]",
)
@click.option("--fresh", is_flag=True, help="Start over. The old run is moved aside, not deleted.")
@click.option(
    "--allow-changed-data",
    is_flag=True,
    help="Continue though photos were added, changed or taken away.",
)
@device_option
def train(
    experiment: Path,
    overrides: tuple[str, ...],
    run_dir: Path | None,
    fresh: bool,
    allow_changed_data: bool,
    device: str | None,
) -> None:
    """Train EXPERIMENT, a TOML file.

    Ctrl-C saves and stops; the same command continues.
    """
    import cv2

    from ..config import load_experiment
    from ..distributed import is_first, process_group
    from ..hardware import keep_memory, pick_device
    from ..training import Interrupted, summarize
    from ..training import train as train_run

    settings = load_experiment(experiment, overrides)
    run_dir = run_dir or Path("runs") / settings.name
    keep_memory()
    cv2.setNumThreads(0)  # loader processes are the parallelism; OpenCV's own threads fight them
    chosen = pick_device(device)
    with process_group(chosen):
        if fresh and is_first():
            _move_aside(run_dir)
        try:
            checkpoint = train_run(settings, run_dir, device=chosen, allow_changed_data=allow_changed_data)
        except Interrupted as interrupted:
            if is_first():
                click.echo(f"stopped and saved in {run_dir}; the same command continues from here")
            sys.exit(interrupted.exit_code)
        if is_first():
            click.echo(summarize(settings, run_dir, checkpoint))


def _move_aside(run_dir: Path) -> None:
    """Move an old run out of the way, unless a training is at work there."""
    from ..training import RunLock

    if not run_dir.exists():
        return
    RunLock(run_dir).release()
    number = 1
    while (aside := run_dir.with_name(f"{run_dir.name}.old-{number}")).exists():
        number += 1
    run_dir.rename(aside)
    click.echo(f"the old run is now {aside}")
