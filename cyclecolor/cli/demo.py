"""`cyclecolor demo`."""

from pathlib import Path

import click

from .group import Command


@click.command(cls=Command)
@click.option(
    "-c",
    "--checkpoint",
    "checkpoints",
    multiple=True,
    type=click.Path(path_type=Path),
    help="File, run folder or name; again for more to choose from. [default]",
)
@click.option("--port", type=click.IntRange(0, 65535), default=7860, show_default=True, help="0 for any.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Where to listen; the page answers to this name and to localhost. Other machines can reach any "
    "other address, and there are no passwords.",
)
def demo(checkpoints: tuple[Path, ...], port: int, host: str) -> None:
    """Serve a page that colors photos and takes hints by clicks, for a browser on this machine."""
    from ..demo.serve import serve

    serve(checkpoints, host=host, port=port, say=click.echo)
