"""Commands on checkpoints: `info`, `export` and `import`."""

from pathlib import Path

import click

from ..files import quoted
from .group import Command
from .paths import UserPath


@click.command(cls=Command)
@click.argument("checkpoint", type=UserPath())
def info(checkpoint: Path) -> None:
    """Say what CHECKPOINT is and how to use it."""
    import json

    from ..checkpoint import open_checkpoint
    from ..inference import colorizer_of

    path, loaded = open_checkpoint(checkpoint)
    experiment, colorizer = loaded.experiment, colorizer_of(loaded)
    click.echo(f"{path}: {experiment.method} in {colorizer.space.name}, step {loaded.step:,}")
    click.echo(f"images seen   {loaded.step * experiment.batch_size:,} of each pile")
    click.echo(f"data          {json.dumps(loaded.data)}")
    for name in ("G_color", "G_gray"):
        tensors = loaded.averaged(name).values()
        if tensors:
            click.echo(f"{name:<13} {sum(t.numel() for t in tensors):,} parameters")
    if film := colorizer.film:
        click.echo("film          " + ", ".join(f"{name} {value:.2f}" for name, value in film.items()))
    click.echo(f"experiment    {experiment.model_dump_json(exclude_defaults=True)}")
    click.echo(f"use           cyclecolor translate PHOTOS --checkpoint {quoted(path)}")


@click.command(cls=Command)
@click.argument("checkpoint", type=UserPath())
@click.argument("output", type=UserPath())
@click.option(
    "--saturation", type=click.FloatRange(0, 4), help="Factor of chroma that it will have. [its experiment's]"
)
@click.option(
    "--restraint",
    type=click.FloatRange(0, 2),
    help="How much paler pale colors will be, of which it is less sure. [its experiment's]",
)
def export(checkpoint: Path, output: Path, **look: float | None) -> None:
    """Write CHECKPOINT's generators alone, in half precision, as one small file for release."""
    from ..checkpoint import export_checkpoint, open_checkpoint

    export_checkpoint(open_checkpoint(checkpoint)[1], output, **look)
    click.echo(f"{output}: {output.stat().st_size / 1e6:.1f} MB")


@click.command("import", cls=Command)
@click.argument("source", type=UserPath())
@click.argument("output", type=UserPath())
def import_(source: Path, output: Path) -> None:
    """Rewrite SOURCE, a generator of pytorch-CycleGAN-and-pix2pix (.pth), as safetensors."""
    from ..checkpoint import import_generator

    options = import_generator(source, output)
    click.echo(f"{output}: {options['blocks']} blocks, {options['in']} to {options['out']} channels")
