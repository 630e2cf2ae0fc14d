"""What the page does, without the page: a photo in, the file that `translate` would write out."""

import tempfile
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from PIL import Image

from ..errors import CycleColorError
from ..files import shown
from ..inference import Colorizer, Hint, Reference, load
from ..photos import read_rgb8
from ..translation import Job, Options, output_name, provenance_of, read_reference

MAX_PIXELS = 50_000_000  # of a photo: translate takes more
MAX_PHOTOS = 100  # at a time
MAX_SECONDS = 600  # of an archive; others wait meanwhile. A single photo is limited by its pixels.
PREVIEW = 1600  # pixels, the long side of what the slider shows


@dataclass(frozen=True)
class Look:
    """What the controls say. `size` and `saturation` are the checkpoint's own where they are None.

    `reference` is the path of a photo whose colors are to be followed.
    """

    checkpoint: str
    size: int | None = None
    saturation: float | None = None
    denoise: bool = False
    direction: str = "to-color"
    reference: str | None = None


@lru_cache(maxsize=4)
def colorizer_for(checkpoint: Path, size: int | None, saturation: float | None, denoise: bool) -> Colorizer:
    """A checkpoint with these settings, kept for the next photo."""
    return load(checkpoint, size=size, saturation=saturation, denoise=denoise)


@lru_cache(maxsize=4)
def studied(reference: Path | None, colorizer: Colorizer) -> Reference | None:
    """A reference as this colorizer sees it, kept for the next photo."""
    try:
        return read_reference(reference, colorizer, MAX_PIXELS)
    except CycleColorError as error:
        raise CycleColorError(_without_folder(error, reference or Path())) from None


def translate_photo(
    source: Path, folder: Path, look: Look, checkpoint: Path, hints: Sequence[Hint] = ()
) -> Path:
    """Translate one photo into a folder, with the guards, metadata and bytes of `cyclecolor translate`.

    Raises
    ------
    CycleColorError
        With the reason for which it was refused, which names the file but not where it lies.
    """
    colorizer = colorizer_for(checkpoint, look.size, look.saturation, look.denoise)
    reference = Path(look.reference) if look.reference else None
    options = Options(
        direction=look.direction,
        reference=studied(reference, colorizer),
        provenance=provenance_of(colorizer, look.direction, reference),
        max_pixels=MAX_PIXELS,
        workers=1,
    )
    name = Path(output_name(source.name, None))
    target = folder / f"{name.stem}_{look.direction.removeprefix('to-')}{name.suffix}"
    (outcome,) = Job(source, target, colorizer, options, {source.name: hints}).run()
    if outcome.status != "translated":
        raise CycleColorError(_without_folder(outcome.reason, source))
    return target


def translate_all(
    sources: Sequence[Path],
    folder: Path,
    look: Look,
    checkpoint: Path,
    hints: Mapping[Path, Sequence[Hint]] = MappingProxyType({}),
) -> tuple[Path, list[str]]:
    """Translate photos into an archive (not compressed: photos are); it, and what there is to complain of.

    Once `MAX_SECONDS` have passed, no further photo is begun.

    Raises
    ------
    CycleColorError
        If they are more than `MAX_PHOTOS`.
    """
    if len(sources) > MAX_PHOTOS:
        raise CycleColorError(f"{len(sources)} photos are too many for the page; use cyclecolor translate")
    archive, complaints, taken, begun = folder / "photos.zip", [], set(), time.monotonic()
    with zipfile.ZipFile(archive, "x") as file:
        for number, source in enumerate(sources, 1):
            with tempfile.TemporaryDirectory(dir=folder) as own:
                try:
                    made = translate_photo(source, Path(own), look, checkpoint, hints.get(source, ()))
                    name = made.name if made.name not in taken else f"{number}_{made.name}"
                    taken.add(name)
                    file.write(made, name)
                except CycleColorError as error:
                    complaints.append(str(error))
            left = len(sources) - number
            if left and time.monotonic() - begun > MAX_SECONDS:
                complaints.append(
                    f"stopped after {MAX_SECONDS // 60} minutes: the last {left} of {len(sources)} photos "
                    "are not in the archive; give fewer, or use cyclecolor translate"
                )
                break
    return archive, complaints


def _without_folder(reason: object, path: Path) -> str:
    """A reason that names a file but not where it lies."""
    return str(reason).replace(shown(path.parent) + "/", "")


def previews(before: Path, after: Path, folder: Path) -> tuple[Path, Path]:
    """Both pictures as PNG that a browser can show, of equal size, no longer than `PREVIEW`."""
    made = Image.fromarray(read_rgb8(after, max_pixels=MAX_PIXELS))
    made.thumbnail((PREVIEW, PREVIEW))
    original = Image.fromarray(read_rgb8(before, max_pixels=MAX_PIXELS)).resize(made.size)
    paths = folder / "before.png", folder / "after.png"
    for image, path in zip((original, made), paths, strict=True):
        image.save(path, compress_level=1)
    return paths
