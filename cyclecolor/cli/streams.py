"""A photo from standard input, or to standard output, by way of a temporary file."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import CycleColorError

STREAM = Path("-")
SUFFIXES = {"JPEG": ".jpg", "MPO": ".jpg", "TIFF": ".tif", "WEBP": ".webp", "AVIF": ".avif", "BMP": ".bmp"}


@contextmanager
def standard_input() -> Iterator[Path]:
    """A file of what comes, its suffix that of its format."""
    with _folder() as folder:
        path = folder / "standard input"
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        yield path.rename(path.with_suffix(_suffix(path)))


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
