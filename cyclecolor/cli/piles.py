"""Commands on piles of photos: `prepare` and `doctor`."""

from functools import partial
from pathlib import Path

import click

from ..files import quoted
from .group import Command
from .paths import UserPath
from .progress import progress_bar, waiting


@click.command(cls=Command)
@click.argument("photos", type=UserPath())
@click.option("-o", "--output", type=UserPath(), required=True, help="Folder to make.")
@click.option(
    "--test-share",
    type=click.FloatRange(0, 0.9),
    default=0.05,
    show_default=True,
    help="Share of the photos that is kept back for tests.",
)
@click.option(
    "--gray-share",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Share of the other photos that goes to the gray pile.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Another number splits the photos differently.",
)
@click.option("--film", help="Make the grays look like this built-in film. [plain lightness]")
def prepare(
    photos: Path, output: Path, test_share: float, gray_share: float, seed: int, film: str | None
) -> None:
    """Split a folder of color PHOTOS into a gray pile, a color pile, and photos for tests."""
    from ..data.prepare import prepare as prepare_piles

    result = prepare_piles(
        photos,
        output,
        test_share=test_share,
        gray_share=gray_share,
        seed=seed,
        film=film,
        progress=partial(progress_bar, unit=" photos"),
    )
    for name, count in result.counts.items():
        click.echo(f"{count:6,} {name}")
    click.echo(f"{len(result.set_aside):6,} set aside, listed in {output / 'set_aside.csv'}")
    click.echo(f"next: cyclecolor train experiments/photos.toml --set {quoted(f'data.root={output}')}")


@click.command(cls=Command)
@click.argument("gray", type=UserPath())
@click.argument("color", type=UserPath())
@click.option("--json", "json_path", type=UserPath(), help="Write all findings to this file.")
def doctor(gray: Path, color: Path, json_path: Path | None) -> None:
    """Check the piles GRAY and COLOR before training.

    Finds bad files and pictures that are there twice, and says whether unpaired training is needed.
    """
    from ..evaluation.folders import doctor_folders

    click.echo(doctor_folders(gray, color, json_path=json_path, progress=waiting))
