"""Which photos of a job have hints, and that there are such photos."""

import difflib
from collections.abc import Collection, Iterable
from pathlib import Path

from ..errors import CycleColorError
from ..files import shown
from ..inference import Hint, read_hints
from ..photos import is_tar
from ..storage import Location


def collect_hints(source: Location, texts: Iterable[str], path: Path | None) -> dict[str, tuple[Hint, ...]]:
    """Hints by name of the photo: those of one photo as `Hint.parse` reads them, and those of a file.

    Raises
    ------
    CycleColorError
        If some are not to be read, or `texts` are given for a folder.
    """
    named = tuple(map(Hint.parse, texts))
    is_photo = isinstance(source, Path) and not source.is_dir() and not is_tar(source.name)
    if named and not is_photo:
        raise CycleColorError("--hint is for one photo; for a folder, write --hints FILE", exit_code=2)
    hints = read_hints(path) if path else {}
    if isinstance(source, Path) and is_photo:
        hints = {source.name: (*hints.get(source.name, ()), *named)}
    return hints


def refuse_unknown(hinted: Iterable[str], names: Collection[str]) -> None:
    """Hints must be of photos that there are.

    Raises
    ------
    CycleColorError
        Naming the first that is not, and the nearest that is.
    """
    for name in sorted(set(hinted) - set(names)):
        near = difflib.get_close_matches(name, names, n=1)
        question = f"; did you mean {shown(near[0])}?" if near else ""
        raise CycleColorError(f"hints of {shown(name)}: no such photo{question}", exit_code=2)
