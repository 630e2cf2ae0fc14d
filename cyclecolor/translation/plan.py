"""What is to be translated, and into which files: names of inputs to names of outputs."""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice, product
from pathlib import Path, PurePosixPath

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
COLORED = "Colors are inferred, not recorded"  # so begins what our colored photos say of themselves
OURS = "colored by cyclecolor before"
SAME_FORMAT = {".jpeg": ".jpg", ".jpe": ".jpg", ".jfif": ".jpg", ".tiff": ".tif"}


@dataclass(frozen=True)
class Task:
    """One input: its `name` relative to the source (POSIX), its file, and the file to make of it.

    Nothing is written outside `root`.
    """

    name: str
    source: Path
    target: Path
    root: Path


def plan_photos(photos: Sequence[Path], targets: Sequence[Path]) -> list[Task]:
    """Photos, each into a file of its own.

    Raises
    ------
    CycleColorError
        If an output is an original, or that of two photos, or its suffix is none that can be written.
    """
    tasks: dict[str, Task] = {}
    for photo, target in zip(photos, targets, strict=True):
        if target.suffix.lower() not in WRITABLE_SUFFIXES:
            raise CycleColorError(
                f"{shown(target)}: cannot be written in this format; "
                f"use one of {' '.join(WRITABLE_SUFFIXES)}",
                exit_code=2,
            )
        task = Task(photo.name, photo, target, target.parent)
        before = tasks.setdefault(folded(str(target)), task)
        if before.source != photo:
            raise CycleColorError(
                f"{shown(target)}: would be made of both {shown(before.source)} and {shown(photo)}; "
                "translate one after the other, or their folder",
                exit_code=2,
            )
    for target, photo in product(targets, photos):
        if target.exists() and target.samefile(photo):
            raise CycleColorError(f"{shown(target)}: is an original; choose another --output", exit_code=2)
    return list(tasks.values())


def inputs_of(source: Path, output: Path, *, colored: bool) -> tuple[list[str], Counter[str]]:
    """The relative names (POSIX) of a folder's photos, in order, and how many other files there are of what.

    Parameters
    ----------
    source, output
        The folder, and where its outputs are to go.
    colored
        Take also photos that say that we colored them.

    Raises
    ------
    CycleColorError
        If nothing in the folder is a photo, or one of the two folders lies within the other.
    """
    # Not `resolve`, which calls links that lead in circles a RuntimeError.
    inner, outer = Path(os.path.realpath(source)), Path(os.path.realpath(output))
    if outer.is_relative_to(inner) or inner.is_relative_to(outer):
        raise CycleColorError(
            f"{shown(output)}: one of output and source ({shown(source)}) lies inside the other; "
            "choose another --output",
            exit_code=2,
        )
    names: list[str] = []
    passed_over: Counter[str] = Counter()
    for path in find_files(source, passed_over):
        if path.suffix.lower() not in PHOTO_SUFFIXES + FOREIGN_SUFFIXES and not is_photo(path):
            passed_over[path.suffix.lower() or "no suffix"] += 1
        elif not colored and (provenance_in(path) or "").startswith(COLORED):
            passed_over[OURS] += 1
        else:
            names.append(path.relative_to(source).as_posix())
    if not names and not passed_over[OURS]:
        raise CycleColorError(f"{shown(source)}: no photos in this folder", exit_code=2)
    return names, passed_over


def plan_folder(
    source: Path, output: Path, suffix: str | None, known: Mapping[str, str], names: list[str]
) -> list[Task]:
    """Photos of a folder into a mirrored tree.

    Parameters
    ----------
    suffix
        Of all outputs, with its dot; None to follow the inputs, `.png` where theirs is not written.
    known
        Outputs by input from earlier runs: an input keeps its output, whatever came to the folder since.
    names
        Of the photos, as by `inputs_of`.
    """
    outputs = mirror(names, suffix, known)
    return [Task(name, source / name, output / outputs[name], output) for name in names]


def mirror(names: list[str], suffix: str | None, known: Mapping[str, str]) -> dict[str, str]:
    """An output name for each input name, no two alike, also where case and accents do not count.

    What an input was called before it keeps; then those go first that keep their own name.
    """
    outputs: dict[str, str] = {}
    claimed: set[str] = set()

    def claim(name: str, choices: Iterator[str]) -> None:
        free = (c for c in choices if folded(c) not in claimed and not c.endswith(DOUBT_SUFFIX))
        outputs[name] = next(free)
        claimed.add(folded(outputs[name]))

    for name in names:
        before = known.get(name)
        if before is None or folded(before) in claimed:
            continue
        # Believed if it can have come from here: a manifest is only a file.
        if before in islice(candidates(name, suffix), MOST_TWINS):
            claim(name, chain([before], candidates(name, suffix)))
    rest = [name for name in names if name not in outputs]
    for name in sorted(rest, key=lambda name: output_name(name, suffix) != name):
        claim(name, candidates(name, suffix))
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


def candidates(name: str, suffix: str | None) -> Iterator[str]:
    """`a.png`, then `a.gif.png`, then `a~2.png`, `a~3.png`..."""
    first = PurePosixPath(output_name(name, suffix))
    yield str(first)
    if str(first) != name:
        yield name + first.suffix
    number = 2
    while True:
        yield str(first.with_name(f"{first.stem}~{number}{first.suffix}"))
        number += 1


def folded(name: str) -> str:
    """The name as it is compared where case and accents do not count."""
    return unicodedata.normalize("NFC", name).casefold()


def refuse_leaving(task: Task) -> None:
    """Make the folder of a task's target, unless links lead it out of the task's root.

    Raises
    ------
    CycleColorError
        If they do, or the folder cannot be made.
    """
    folder = task.target.parent
    if not Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(task.root)):
        raise CycleColorError(
            f"{shown(task.target)}: a link there leads out of the output folder {shown(task.root)}; "
            "remove the link"
        )
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise CycleColorError(f"{shown(folder)}: this folder cannot be made: {error.strerror}") from None
