"""What is to be translated, and into which files: names of inputs to names of outputs."""

import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from typing import Self

from ..errors import CycleColorError
from ..files import shown
from ..photos import (
    FOREIGN_SUFFIXES,
    PHOTO_SUFFIXES,
    WRITABLE_SUFFIXES,
    find_files,
    is_photo,
    provenance_in,
)

DOUBT_SUFFIX = ".doubt.png"  # behind an output's name: its map of doubt
MOST_TWINS = 1000  # inputs that would land on one output
SAME_FORMAT = {".jpeg": ".jpg", ".jpe": ".jpg", ".jfif": ".jpg", ".tiff": ".tif"}
COLORED = "Colors are inferred, not recorded"  # so begins what our colored photos say of themselves


@dataclass(frozen=True)
class Task:
    """One input: its `name` relative to the source (POSIX), its file, and the file to make of it."""

    name: str
    source: Path
    target: Path


@dataclass(frozen=True)
class Shard:
    """The part `index` (1 to `count`) of a folder that is shared among `count` jobs."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `2/4`.

        Raises
        ------
        CycleColorError
            If it is no part of a whole.
        """
        match = re.fullmatch(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})", text, re.ASCII)
        if not match or int(match[1]) > int(match[2]):
            raise CycleColorError(f"--shard {text}: write it as 1/2 for the first of two parts", exit_code=2)
        return cls(int(match[1]), int(match[2]))

    def holds(self, name: str) -> bool:
        """Whether an input is of this part: by its name alone, so that all jobs agree."""
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8]) % self.count == self.index - 1


@dataclass(frozen=True)
class Plan:
    """The tasks in order, and how many files were passed over: by suffix, service folder, or as our own."""

    tasks: list[Task]
    passed_over: Counter[str]


def plan_photo(source: Path, output: Path) -> Plan:
    """One photo into one file, or into a folder under its own name.

    Raises
    ------
    CycleColorError
        If the output is the photo itself, or its suffix is none that can be written.
    """
    if output.is_dir():
        output = output / output_name(source.name, None)
    if output.suffix.lower() not in WRITABLE_SUFFIXES:
        raise CycleColorError(
            f"{shown(output)}: cannot be written in this format; use one of {' '.join(WRITABLE_SUFFIXES)}",
            exit_code=2,
        )
    if output.exists() and output.samefile(source):
        raise CycleColorError(f"{shown(output)}: is the original; choose another --output", exit_code=2)
    return Plan([Task(source.name, source, output)], Counter())


def plan_folder(
    source: Path, output: Path, suffix: str | None, known: Mapping[str, str], *, colored: bool = True
) -> Plan:
    """A folder, recursively, into a mirrored tree.

    Parameters
    ----------
    suffix
        Of all outputs, with its dot; None to follow the inputs, `.png` where theirs is not written.
    known
        Outputs by input from earlier runs: an input keeps its output, whatever came to the folder since.
    colored
        Take photos that say that we colored them; those from earlier runs are taken anyway.

    Raises
    ------
    CycleColorError
        If nothing in the folder is a photo, or one of the two folders lies within the other.
    """
    inner, outer = source.resolve(), output.resolve()
    if outer.is_relative_to(inner) or inner.is_relative_to(outer):
        raise CycleColorError(
            f"{shown(output)}: one of output and source ({shown(source)}) lies inside the other; "
            "choose another --output",
            exit_code=2,
        )
    names: list[str] = []
    passed_over: Counter[str] = Counter()
    for path in find_files(source, passed_over):
        name = path.relative_to(source).as_posix()
        if not colored and name not in known and (provenance_in(path) or "").startswith(COLORED):
            passed_over["colored by cyclecolor before"] += 1
        elif path.suffix.lower() in PHOTO_SUFFIXES + FOREIGN_SUFFIXES or is_photo(path):
            names.append(name)
        else:
            passed_over[path.suffix.lower() or "no suffix"] += 1
    if not names and colored:
        raise CycleColorError(f"{shown(source)}: no photos in this folder", exit_code=2)
    outputs = mirror(names, suffix, known)
    return Plan([Task(name, source / name, output / outputs[name]) for name in names], passed_over)


def mirror(names: list[str], suffix: str | None, known: Mapping[str, str]) -> dict[str, str]:
    """An output name for each input name, no two alike, also where case and accents do not count.

    What an input was called before it keeps; then those go first that keep their own name.
    """
    outputs: dict[str, str] = {}
    claimed: set[str] = set()

    def claim(name: str, candidates: Iterator[str]) -> None:
        free = (c for c in candidates if _folded(c) not in claimed and not c.endswith(DOUBT_SUFFIX))
        outputs[name] = next(free)
        claimed.add(_folded(outputs[name]))

    for name in names:
        before = known.get(name)
        if before is None or _folded(before) in claimed:
            continue
        # Believed if it can have come from here: a manifest is only a file.
        if before in islice(_candidates(name, suffix), MOST_TWINS):
            claim(name, chain([before], _candidates(name, suffix)))
    rest = [name for name in names if name not in outputs]
    for name in sorted(rest, key=lambda name: output_name(name, suffix) != name):
        claim(name, _candidates(name, suffix))
    return outputs


def output_name(name: str, suffix: str | None) -> str:
    """`a.gif` to `a.png`; with a `suffix`, everything to that, but `.jpeg` counts as `.jpg`."""
    path = PurePosixPath(name)
    own = path.suffix.lower()
    keeps = own in WRITABLE_SUFFIXES if suffix is None else SAME_FORMAT.get(own, own) == suffix
    # Not `with_suffix`: a suffix that is none (`map 1.2`) belongs to the name.
    pictures = (*PHOTO_SUFFIXES, *FOREIGN_SUFFIXES)
    stem = str(path.with_suffix("")) if own in pictures else name
    return name if keeps else stem + (suffix or ".png")


def _candidates(name: str, suffix: str | None) -> Iterator[str]:
    """`a.png`, then `a.gif.png`, then `a~2.png`, `a~3.png`..."""
    first = PurePosixPath(output_name(name, suffix))
    yield str(first)
    if str(first) != name:
        yield name + first.suffix
    number = 2
    while True:
        yield str(first.with_name(f"{first.stem}~{number}{first.suffix}"))
        number += 1


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def refuse_leaving(target: Path, output: Path) -> None:
    """Make the target's folder, unless links lead it out of the output's.

    Raises
    ------
    CycleColorError
        If they do, or the folder cannot be made.
    """
    folder = target.parent
    if not folder.resolve().is_relative_to(output.resolve()):
        raise CycleColorError(
            f"{shown(target)}: a link there leads out of the output folder {shown(output)}; remove the link"
        )
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise CycleColorError(f"{shown(folder)}: this folder cannot be made: {error.strerror}") from None
