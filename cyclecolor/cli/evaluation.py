"""Commands that score a checkpoint: `evaluate` and `audit`."""

import sys
from pathlib import Path

import click

from .group import Command, device_option
from .paths import UserPath
from .progress import waiting


@click.command(cls=Command)
@click.argument("checkpoint", type=UserPath())
@click.option("--color", type=UserPath(), required=True, help="Folder of color photos.")
@click.option("--gray", type=UserPath(), help="Scans of equal names. [the photos' own lightness]")
@click.option("--film", help="Score grays that this built-in film makes of the photos.")
@click.option("--pile", type=UserPath(), help="Color photos to compare the colors to.")
@click.option("--json", "json_path", type=UserPath(), help="Write the scores here.")
@click.option("--sheet", "sheet_path", type=UserPath(), help="Write a contact sheet (PNG) here.")
@click.option(
    "--perceptual", is_flag=True, help="Score LPIPS, FID and KID too; their weights must be on this machine."
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
    perceptual: bool,
    device: str | None,
) -> None:
    """Score CHECKPOINT on photos of known color, beside doing nothing."""
    from ..evaluation.folders import evaluate_folder
    from ..hardware import pick_device
    from ..inference import load

    text = evaluate_folder(
        load(checkpoint, device=pick_device(device)),
        color,
        gray=gray,
        film=film,
        pile=pile,
        json_path=json_path,
        sheet_path=sheet_path,
        perceptual=perceptual,
        progress=waiting,
    )
    click.echo(text)


@click.command(cls=Command)
@click.argument("checkpoint", type=UserPath())
@click.option("--color", type=UserPath(), required=True, help="Folder of color photos.")
@click.option("--gray", type=UserPath(), help="Real scans, to compare fine detail to.")
@click.option("--film", help="The built-in film that the gray pile was made with. [lightness]")
@click.option("--json", "json_path", type=UserPath(), help="Write the figures here.")
@device_option
def audit(
    checkpoint: Path,
    color: Path,
    gray: Path | None,
    film: str | None,
    json_path: Path | None,
    device: str | None,
) -> None:
    """Test whether CHECKPOINT's cycle is honest, or hides color in gray images; 1 if it fails."""
    from ..evaluation.folders import audit_folder
    from ..hardware import pick_device
    from ..inference import load

    colorizer = load(checkpoint, device=pick_device(device))
    passed, text = audit_folder(colorizer, color, gray=gray, film=film, json_path=json_path, progress=waiting)
    click.echo(text)
    sys.exit(0 if passed else 1)
