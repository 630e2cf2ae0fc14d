"""`cyclecolor report`."""

from pathlib import Path

import click

from .group import Command
from .paths import UserPath
from .progress import progress_bar


@click.command(cls=Command)
@click.argument("run_dirs", metavar="RUN_DIR...", nargs=-1, required=True, type=UserPath())
@click.option(
    "-o",
    "--output",
    type=UserPath(),
    default=Path("report.html"),
    show_default=True,
    help="Where to write the page.",
)
def report(run_dirs: tuple[Path, ...], output: Path) -> None:
    """Write one page about runs, side by side.

    It has losses, the scores that `evaluate --json RUN_DIR/scores.json` and `audit --json RUN_DIR/audit.json`
    left there, samples of the checkpoints that are kept, and the settings that are not the defaults.
    """
    from ..training.run_report import write_run_report

    write_run_report(run_dirs, output, progress=progress_bar)
    click.echo(f"report: {output}")
