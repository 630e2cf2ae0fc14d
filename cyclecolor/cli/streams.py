"""A photo from standard input, or to standard output, by way of a temporary file."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import CycleColorError
from ..files import atomic_write, shown

STREAM = Path("-")
SUFFIXES = {"JPEG": ".jpg", "MPO": ".jpg", "TIFF": ".tif", "WEBP": ".webp", "AVIF": ".avif", "BMP": ".bmp"}
INPUT = "- (standard input)"  # what messages call it
_PIECE = 1 << 20  # bytes


@contextmanager
def standard_input() -> Iterator[Path]:
    """A file of what comes, its suffix that of its format.

    Raises
    ------
    CycleColorError
        If nothing can be read, or there is no room for it.
    """
    with _folder() as folder:
        path = folder / "standard input"
        atomic_write(path, lambda file: file.writelines(_pieces()))
        path = path.rename(path.with_suffix(_suffix(path)))
        try:
            yield path
        except CycleColorError as error:
            message = str(error).replace(shown(path), INPUT)
            raise CycleColorError(message, exit_code=error.exit_code) from None


def _pieces() -> Iterator[bytes]:
    try:
        while piece := sys.stdin.buffer.read(_PIECE):
            yield piece
    except (OSError, AttributeError) as error:  # the latter where it is closed
        cause = getattr(error, "strerror", None) or "it is closed"
        raise CycleColorError(f"{INPUT}: cannot be read: {cause}; check what is before the command") from None


@contextmanager
def standard_output(suffix: str) -> Iterator[Path]:
    """A path for a file to be made, which then goes out; nothing does if there is none.

    Raises
    ------
    CycleColorError
        If it would go to a terminal.
    """
    if sys.stdout.isatty():
        raise CycleColorError(
            "--output -: standard output is a terminal; write > FILE behind the command", exit_code=2
        )
    with _folder() as folder:
        path = folder / f"standard output{suffix}"
        yield path
        if path.exists():
            sys.stdout.buffer.write(path.read_bytes())
            sys.stdout.buffer.flush()


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cyclecolor-") as folder:
        yield Path(folder)


def _suffix(path: Path) -> str:
    """Of the format; `.png`, as for all that is not written as it is read, if it is none of `SUFFIXES`."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return SUFFIXES.get(image.format or "", ".png")
    except Exception:  # whoever reads it next says what is wrong
        return ".png"
