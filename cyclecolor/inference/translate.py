"""Folders of photos: every file translated, skipped, or refused with its reason."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import CycleColorError
from ..photos import WRITABLE_SUFFIXES, Photo, find_photos, read_photo, write_photo


@dataclass(frozen=True)
class Outcome:
    """What became of one input: `status` is translated, skipped or refused, with a reason."""

    source: Path
    target: Path
    status: str
    reason: str = ""


def translate(
    source: Path,
    output: Path,
    convert: Callable[[Photo], Photo],
    *,
    overwrite: bool = False,
    progress: Callable[[list[Path]], Iterable[Path]] = iter,
) -> Iterator[Outcome]:
    """Translate a photo, or a folder recursively, into a mirrored tree; originals are only read.

    Parameters
    ----------
    source, output : Path
        A folder and the folder that mirrors it, or a photo and the file that is made of it.
    convert : callable
        `Colorizer.colorize` or `Colorizer.to_gray`.
    overwrite : bool
        Replace outputs that exist; otherwise they are skipped.

    Raises
    ------
    CycleColorError
        If there is nothing to translate, or the output lies within the source.
    """
    paths = find_photos(source)
    if source.is_dir() and output.resolve().is_relative_to(source.resolve()):
        raise CycleColorError(f"{output}: lies within {source}; choose another --output", exit_code=2)
    targets = mirror(source, output, paths)
    for path in progress(paths):
        yield _translate_one(path, targets[path], convert, overwrite)


def mirror(source: Path, output: Path, paths: list[Path]) -> dict[Path, Path]:
    """The output file of each input: same name and place, `.png` where its format is not written.

    Where two inputs would land on one output (a.gif, a.png), the later one keeps its full name.
    """
    if source.is_file():
        return {source: output}
    targets: dict[Path, Path] = {}
    # Inputs that keep their own name claim it first.
    claimed = {path.relative_to(source) for path in paths if path.suffix.lower() in WRITABLE_SUFFIXES}
    for path in paths:
        name = path.relative_to(source)
        if name not in claimed:
            renamed = name.with_suffix(".png")
            name = name.with_name(name.name + ".png") if renamed in claimed else renamed
            claimed.add(name)
        targets[path] = output / name
    return targets


def _translate_one(source: Path, target: Path, convert: Callable, overwrite: bool) -> Outcome:
    if target.exists() and not overwrite:
        return Outcome(source, target, "skipped", "exists already")
    try:
        photo = convert(read_photo(source))
        target.parent.mkdir(parents=True, exist_ok=True)
        write_photo(photo, target)
    except CycleColorError as error:
        return Outcome(source, target, "refused", str(error))
    except OSError as error:
        return Outcome(source, target, "refused", f"{target}: cannot be written ({error.strerror})")
    except (MemoryError, RuntimeError) as error:
        return Outcome(source, target, "refused", f"{source}: {_one_line(error)}")
    return Outcome(source, target, "translated")


def _one_line(error: Exception) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return f"too little memory for a photo of this size ({text})" if "memory" in text.lower() else text
