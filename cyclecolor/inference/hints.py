"""`Hint`: the color that a person gives to a place of a photo, and files of them."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from PIL import ImageColor

from ..errors import CycleColorError
from ..files import shown
from ..photos import PhotoError

MAX_FILE = 64 << 20  # bytes of a file of hints; a hint takes about 20
PATTERN = re.compile(r"\s*(\d{1,9})\s*,\s*(\d{1,9})\s*=\s*(?:([^:#]*):)?\s*(\S+)\s*", re.ASCII)
HEX = re.compile(r"#(?:[0-9a-f]{3}|[0-9a-f]{6})", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Hint:
    """A color at a place. Its hue and chroma count; lightness stays that of the photo.

    Attributes
    ----------
    x, y : int
        Pixels from the left and from the top of the upright photo, from 0 on.
    color : str
        `#a03020`, `#a32`, or a color's name in CSS (`red`, `darkolivegreen`).
    name : str
        What is there (`sky`), for people to read.

    Raises
    ------
    CycleColorError
        If the color is none.
    """

    x: int
    y: int
    color: str
    name: str = ""

    def __post_init__(self) -> None:
        if not (HEX.fullmatch(self.color) or self.color.lower() in ImageColor.colormap):
            raise CycleColorError(
                f"hint {self}: no such color; write #rrggbb, or a name of CSS such as red", exit_code=2
            )

    def __str__(self) -> str:
        return f"{self.x},{self.y}={self.name}{':' if self.name else ''}{self.color}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `120,340=#a03020`, or with a name, `300,80=sky:#6fa8dc`.

        Raises
        ------
        CycleColorError
            If it is not written so.
        """
        match = PATTERN.fullmatch(text)
        if not match:
            raise CycleColorError(
                f"hint {text[:60]!r}: write X,Y=COLOR, such as 120,340=#a03020 or 300,80=sky:#6fa8dc",
                exit_code=2,
            )
        return cls(int(match[1]), int(match[2]), match[4], (match[3] or "").strip())

    @property
    def rgb(self) -> tuple[int, int, int]:
        """8-bit sRGB."""
        return ImageColor.getrgb(self.color)[:3]


def refuse_outside(hints: Iterable[Hint], height: int, width: int) -> None:
    """Every hint must lie on the photo.

    Raises
    ------
    PhotoError
        Naming the first that does not.
    """
    for hint in hints:
        if not (0 <= hint.x < width and 0 <= hint.y < height):
            message = f"hint {hint}: outside the upright photo, which has {width} x {height} pixels"
            raise PhotoError(message, reason="hint-outside")


class _TwiceError(Exception):
    """A name that stands in a JSON object twice."""


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, of which Python's reader would keep the last value of each name alone."""
    for name, count in Counter(name for name, _ in pairs).items():
        if count > 1:
            raise _TwiceError(name)
    return dict(pairs)


def read_hints(path: Path) -> dict[str, tuple[Hint, ...]]:
    """Hints of many photos: a JSON object from a photo's name to a list of what `Hint.parse` reads.

    `{"beach.jpg": ["300,80=sky:#6fa8dc", "120,340=#a03020"], "sub/b.png": []}`; names are relative to
    the folder, with `/`.

    Raises
    ------
    CycleColorError
        If there is no such file, or it holds anything else.
    """
    try:
        if path.stat().st_size > MAX_FILE:
            raise CycleColorError(f"{path}: too large for a file of hints", exit_code=2)
        table = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_each_once)
    except OSError as error:
        raise CycleColorError(f"{path}: cannot be read: {error.strerror}", exit_code=2) from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}: {error.msg}"
        raise CycleColorError(f"{path}: not valid JSON: {where}", exit_code=2) from None
    except _TwiceError as error:
        message = f"{path}: {shown(str(error))} stands there twice; write all hints of a photo into one list"
        raise CycleColorError(message, exit_code=2) from None
    except (ValueError, RecursionError):
        raise CycleColorError(f"{path}: not valid JSON in UTF-8", exit_code=2) from None
    whole = isinstance(table, dict) and all(isinstance(texts, list) for texts in table.values())
    if not whole or not all(isinstance(text, str) for texts in table.values() for text in texts):
        message = f'{path}: write {{"photo.jpg": ["120,340=#a03020"]}}, a list of hints for each photo'
        raise CycleColorError(message, exit_code=2)
    try:
        return {name: tuple(map(Hint.parse, texts)) for name, texts in table.items()}
    except CycleColorError as error:
        raise CycleColorError(f"{path}: {error}", exit_code=2) from None
