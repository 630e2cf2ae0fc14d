"""Commands that score a checkpoint: `evaluate` and `audit`."""

import sys
from pathlib import Path
from typing import Any

import click

from .group import Command, device_option
from .paths import UserPath
from .progress import waiting

plots_option = click.option(
    "--plots", type=UserPath(), help="Draw hues, errors and spectra into this folder, as SVG files."
)


def known_colors(command: Any) -> Any:
    """CHECKPOINT and `--color` of a command that compares with colors that are known."""
    color = click.option(
        "--color", type=UserPath(), required=True, help="Folder of color photos that were not trained on."
    )
    return click.argument("checkpoint", type=UserPath())(color(command))


@click.command(cls=Command)
@known_colors
@click.option(
    "--gray",
    type=UserPath(),
    help="Folder of scans of the same photos, under the same names. [plain lightness]",
)
@click.option("--film", help="Turn the photos to gray as this built-in film would. [plain lightness]")
@click.option(
    "--pile",
    type=UserPath(),
    help="Folder of color photos whose mix of colors the result is compared with.",
)
@click.option("--json", "json_path", type=UserPath(), help="Write the scores to this file.")
@click.option(
    "--sheet",
    "sheet_path",
    type=UserPath(),
    help="Write a contact sheet (gray, ours, truth, truth on film) to this PNG file.",
)
@plots_option
@click.option(
    "--perceptual",
    is_flag=True,
    help="Also score LPIPS, FID and KID. Their weights must be on this computer.",
)
@device_option
def evaluate(
    checkpoint: Path,
    color: Path,
    gray: Path | None,
    film: str | None,
    pile: Path | None,
    json_path: Path | None,
    sheet_path: Path | None,
    plots: Path | None,
    perceptual: bool,
    device: str | None,
) -> None:
    """Score CHECKPOINT on photos whose colors are known, next to leaving them gray."""
    from ..evaluation.folders import evaluate_folder
    from ..evaluation.perceptual import load_perceptual
    from ..hardware import pick_device
    from ..inference import load

    networks = load_perceptual() if perceptual else None  # before any work: it may be missing
    text = evaluate_folder(
        load(checkpoint, device=pick_device(device)),
        color,
        gray=gray,
        film=film,
        pile=pile,
        json_path=json_path,
        sheet_path=sheet_path,
        plots=plots,
        perceptual=networks,
        progress=waiting,
    )
    click.echo(text)


@click.command(cls=Command)
@known_colors
@click.option("--gray", type=UserPath(), help="Folder of real scans, whose fine detail is the measure.")
@click.option("--film", help="The built-in film that the gray pile looks like. [plain lightness]")
@click.option("--json", "json_path", type=UserPath(), help="Write the figures to this file.")
@plots_option
@device_option
def audit(
    checkpoint: Path,
    color: Path,
    gray: Path | None,
    film: str | None,
    json_path: Path | None,
    plots: Path | None,
    device: str | None,
) -> None:
    """Test whether CHECKPOINT hides color in the gray images it makes.

    The exit code is 1 if it does.
    """
    from ..evaluation.folders import audit_folder
    from ..hardware import pick_device
    from ..inference import load

    colorizer = load(checkpoint, device=pick_device(device))
    passed, text = audit_folder(
        colorizer, color, gray=gray, film=film, json_path=json_path, plots=plots, progress=waiting
    )
    click.echo(text)
    sys.exit(0 if passed else 1)
