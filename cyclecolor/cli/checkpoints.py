"""Commands on checkpoints: `info`, `export` and `import`."""

from dataclasses import replace
from pathlib import Path

import click

from ..files import quoted
from .group import Command
from .paths import UserPath


@click.command(cls=Command)
@click.argument("checkpoint", type=UserPath())
def info(checkpoint: Path) -> None:
    """Show what CHECKPOINT is, what it was trained on, and how to use it."""
    import json

    from ..checkpoint import open_checkpoint
    from ..evaluation.films import films_of, ranges, shares
    from ..inference import colorizer_of

    path, loaded = open_checkpoint(checkpoint)
    experiment, colorizer = loaded.experiment, colorizer_of(loaded)
    click.echo(f"{path}: {experiment.method} in {colorizer.space.name}, step {loaded.step:,}")
    images = loaded.step * experiment.accumulate * experiment.batch_size
    click.echo(f"images seen   {images:,} of each pile")
    click.echo(f"data          {json.dumps(loaded.data)}")
    for name in ("G_color", "G_gray"):
        tensors = loaded.averaged(name).values()
        if tensors:
            click.echo(f"{name:<13} {sum(t.numel() for t in tensors):,} parameters")
    if colorizer.film:
        numbers = ", ".join(f"{name} {value:.2f}" for name, value in colorizer.film.items())
        click.echo(f"film          {numbers}")
        films = films_of(colorizer)
        found = ", ".join(f"{kind} {share:.0%}" for kind, share in shares(films).items())
        click.echo(f"films         {found} (of {len(films)} drawn)")
        found = ", ".join(f"{name} {low:.2f} to {high:.2f}" for name, (low, high) in ranges(films).items())
        click.echo(f"four of five  {found}")
    click.echo(f"experiment    {experiment.model_dump_json(exclude_defaults=True)}")
    click.echo(f"use           cyclecolor translate PHOTOS --checkpoint {quoted(path)}")


@click.command(cls=Command)
@click.argument("checkpoint", type=UserPath())
@click.argument("output", type=UserPath())
@click.option(
    "--size",
    "working_size",
    type=click.IntRange(16),
    help="Working size: short side of the copy that the network will see. [as its experiment says]",
)
@click.option(
    "--saturation",
    type=click.FloatRange(0, 4),
    help="How strong its colors will be by default. [as its experiment says]",
)
@click.option(
    "--emphasis",
    type=click.FloatRange(0, 2),
    help="How much stronger strong colors become; pale ones stay. [as its experiment says]",
)
@click.option(
    "--balance",
    type=click.FloatRange(0, 1),
    help="Share of a photo's mean color that is taken away. [as its experiment says]",
)
@click.option(
    "--statistics",
    type=UserPath(),
    help="Take the batch norms' statistics anew on this folder of photos, for example the gray pile.",
)
@click.option(
    "--average",
    type=click.IntRange(min=1),
    metavar="N",
    help="Take the mean of the newest N checkpoints of the run's folder CHECKPOINT.",
)
@click.option(
    "--generator",
    type=click.Choice(["G_color", "G_gray"]),
    default="G_color",
    show_default=True,
    help="Which generator an .onnx file holds.",
)
def export(
    checkpoint: Path,
    output: Path,
    statistics: Path | None,
    average: int | None,
    generator: str,
    **look: float | None,
) -> None:
    """Write CHECKPOINT as one small file for release: its generators, in half precision.

    If OUTPUT ends in .onnx: one generator, for other programs, checked against the original.
    """
    from ..checkpoint import average_checkpoint, export_checkpoint, open_checkpoint

    path, loaded = open_checkpoint(checkpoint)
    onnx = output.suffix.lower() == ".onnx"
    if generator != "G_color" and not onnx:
        raise click.UsageError("--generator is for an .onnx file; others hold both generators")
    if average:
        loaded = average_checkpoint(checkpoint, average)
    if statistics:
        from ..training.statistics import renew_statistics

        loaded = renew_statistics(loaded, statistics)
    if onnx:
        from ..inference import colorizer_of
        from ..inference.onnx_export import export_onnx

        look = {name: value for name, value in look.items() if value is not None}
        loaded = replace(loaded, experiment=loaded.experiment.model_copy(update=look))
        worst = export_onnx(colorizer_of(loaded, name=path.name), generator, output)
        click.echo(f"{generator}: differs by at most {worst:.1e} from the checkpoint's, of a range of 2")
    else:
        export_checkpoint(loaded, output, **look)
    click.echo(f"{output}: {output.stat().st_size / 1e6:.1f} MB")


@click.command("import", cls=Command)
@click.argument("source", type=UserPath())
@click.argument("output", type=UserPath())
def import_(source: Path, output: Path) -> None:
    """Convert SOURCE, a generator (.pth) of pytorch-CycleGAN-and-pix2pix, to a checkpoint."""
    from ..checkpoint import import_generator

    options = import_generator(source, output)
    click.echo(f"{output}: {options['blocks']} blocks, {options['in']} to {options['out']} channels")
