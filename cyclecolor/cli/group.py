"""What all commands have in common: errors in one line, messages, `-q` and `-v`."""

import errno
import logging
import os
import sys
from contextlib import suppress
from typing import Any

import click

from ..errors import CycleColorError
from ..files import shown


class Group(click.Group):
    """Turns a `CycleColorError` into one line and its exit code."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(context)
        except CycleColorError as error:
            click.echo(f"cyclecolor: {error}", err=True)
            context.exit(error.exit_code)
        except KeyboardInterrupt:
            context.exit(130)
        except OSError as error:
            if error.errno in (None, errno.EPIPE):  # the last is click's own
                raise
            if error.filename is not None:
                name = shown(str(error.filename))
                message = f"{name}: {error.strerror}; check the path and its permissions"
                click.echo(f"cyclecolor: {message}", err=True)
                context.exit(1)
            _give_up_standard_output()
            click.echo(f"cyclecolor: standard output: {error.strerror}; nothing else is lost", err=True)
            context.exit(1)
        except (MemoryError, RuntimeError) as error:
            if not _out_of_memory(error):
                raise
            click.echo(
                "cyclecolor: not enough memory; close other programs, or lower batch_size or "
                "data.size (train) or --size (translate)",
                err=True,
            )
            context.exit(1)


def _give_up_standard_output() -> None:
    """What waits to be written would fail once more at the end."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Command(click.Command):
    """A command with `--quiet` and `--verbose`."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.context_settings.setdefault("help_option_names", ["-h", "--help"])
        self.params += [
            click.Option(["-q", "--quiet"], is_flag=True, help="Print only results, warnings and errors."),
            click.Option(["-v", "--verbose"], is_flag=True, help="Also print details."),
        ]

    def invoke(self, context: click.Context) -> Any:
        """Run the command, its messages shown as asked for."""
        quiet, verbose = context.params.pop("quiet"), context.params.pop("verbose")
        logger, handler = logging.getLogger("cyclecolor"), _Messages()
        before = logger.level
        logger.setLevel(logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO)
        logger.addHandler(handler)
        try:
            return super().invoke(context)
        finally:
            logger.removeHandler(handler)
            logger.setLevel(before)


class _Messages(logging.Handler):
    """Messages to standard output, warnings to standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a message, above a progress bar if there is one."""
        from tqdm import tqdm

        warning = record.levelno >= logging.WARNING
        text = f"cyclecolor: {record.getMessage()}" if warning else record.getMessage()
        with tqdm.external_write_mode(file=sys.stderr if warning else sys.stdout):
            click.echo(text, err=warning)


def device_option(command: Any) -> Any:
    """`--device` of a command that computes."""
    return click.option(
        "--device",
        metavar="NAME",
        help="Where to compute: cpu, cuda, cuda:1 or mps. [a GPU, if there is one]",
    )(command)


def _out_of_memory(error: Exception) -> bool:
    """Whether memory ran out; torch says so in words only, with a class of its own on GPUs alone."""
    words = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in words or "can't allocate memory" in words
