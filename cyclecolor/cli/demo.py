"""`cyclecolor demo`."""

from pathlib import Path

import click

from .group import Command
from .paths import UserPath


@click.command(cls=Command)
@click.option(
    "-c",
    "--checkpoint",
    "checkpoints",
    multiple=True,
    type=UserPath(),
    help="A checkpoint file, a run folder, or the name of a released one; may be repeated. [default]",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=7860,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on. With any other than the default, other computers can use the page, without a "
    "password.",
)
def demo(checkpoints: tuple[Path, ...], port: int, host: str) -> None:
    """Serve a page for your browser, on which to color photos and give hints by clicks."""
    from ..demo.serve import serve

    serve(checkpoints, host=host, port=port, say=click.echo)
