"""From one folder of color photos, the unpaired piles of an experiment."""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..color import SPACES, quantize_rgb, rgb_to_lab
from ..errors import CycleColorError
from ..files import write_csv
from ..film import film_of, render
from ..photos import (
    Photo,
    PhotoError,
    find_photos,
    read_photo,
    read_rgb8,
    write_photo,
)
from ..photos.decoding import flattened

NEAR_GRAY = 4.0  # mean chroma in Lab below which a photo teaches no color
THUMBNAIL = 64  # pixels, enough to tell gray from color
PARTIAL = ".partial"  # all is made in this folder first: what was cut short is no pile


@dataclass(frozen=True)
class Prepared:
    """How many photos went where, and what was set aside with its reason."""

    counts: dict[str, int]
    set_aside: list[tuple[Path, str]]


def prepare(
    photos: Path,
    output: Path,
    *,
    test_share: float = 0.05,
    gray_share: float = 0.5,
    seed: int = 0,
    film: str | None = None,
    progress: Callable[[list[Path]], Iterable[Path]] = iter,
) -> Prepared:
    """Split color photos into `gray_train/`, `color_train/`, `gray_test/` and `color_test/`.

    No gray of the training piles has its color twin in them. The test piles hold twins of equal name, so
    that results can be scored. Color photos are copied; grays are their lightness as PNG, or, with a
    `film`, a key of `cyclecolor.film.FILMS` or `BOXES`, what that film shows of them. What is near gray or
    unreadable is listed in `set_aside.csv`.

    `test_share` is of all photos, `gray_share` of the rest: a film of few numbers needs no more than some
    hundred grays, and `G_color` learns from photos in color.

    Raises
    ------
    CycleColorError
        If the output exists already, there is no such film, or fewer than four color photos are left.
    """
    if film is not None:
        film_of(film, 0)  # to say at once if there is none
    if output.exists() and any(path.name != PARTIAL for path in output.iterdir()):
        raise CycleColorError(f"{output}: exists and is not empty; choose another --output", exit_code=2)
    kept, set_aside = _sort(find_photos(photos), progress)
    if len(kept) < 4:
        raise CycleColorError(f"{photos}: only {len(kept)} color photos; at least 4 are needed")
    shuffled = [kept[i] for i in np.random.default_rng(seed).permutation(len(kept))]
    tests = min(max(1, round(test_share * len(kept))), len(kept) - 2)
    test, train = shuffled[:tests], shuffled[tests:]
    grays = min(max(1, int(gray_share * len(train))), len(train) - 1)
    piles = {
        "gray_train": train[:grays],
        "color_train": train[grays:],
        "gray_test": test,
        "color_test": test,
    }
    making = output / PARTIAL
    shutil.rmtree(making, ignore_errors=True)
    for name, paths in piles.items():
        for number, path in enumerate(paths):
            target = making / name / path.relative_to(photos)
            target.parent.mkdir(parents=True, exist_ok=True)
            if name.startswith("gray"):
                photo = film_photo(path, film, number) if film else lightness_photo(read_photo(path))
                write_photo(photo, _as_png(target))
            else:
                shutil.copyfile(path, target)
    write_csv([("file", "reason"), *set_aside], making / "set_aside.csv")
    for made in sorted(making.iterdir()):
        made.rename(output / made.name)
    making.rmdir()
    return Prepared({name: len(paths) for name, paths in piles.items()}, set_aside)


def lightness_photo(photo: Photo) -> Photo:
    """The gray photo of equal lightness, one channel, same depth; what has alpha is laid on white, 8 bits."""
    if photo.alpha is not None:
        photo = Photo(flattened(photo), metadata=photo.metadata)
    levels = int(np.iinfo(photo.pixels.dtype).max)
    samples = torch.from_numpy(photo.pixels.astype(np.float32) / levels).permute(2, 0, 1)[None]
    lab = rgb_to_lab(samples.expand(-1, 3, -1, -1))
    # Of a neutral color, green is the gray level itself.
    gray = _neutral(lab[:, :1], levels)
    return Photo(gray.numpy().astype(photo.pixels.dtype)[..., None], metadata=photo.metadata)


def film_photo(path: Path, film: str, seed: int) -> Photo:
    """What a film of `FILMS` or `BOXES` shows of a color photo, one channel of 8 bits."""
    return Photo(np.ascontiguousarray(render(read_rgb8(path), film, seed)[..., :1]))


def _neutral(lightness: torch.Tensor, levels: int) -> torch.Tensor:
    gray = SPACES["lab"].merge(lightness / 50 - 1, torch.zeros_like(lightness).expand(-1, 2, -1, -1))
    return quantize_rgb(gray, lightness, levels)[0, 1]


def _sort(
    paths: list[Path], progress: Callable[[list[Path]], Iterable[Path]]
) -> tuple[list[Path], list[tuple[Path, str]]]:
    kept, set_aside = [], []
    for path in progress(paths):
        try:
            chroma = mean_chroma(read_rgb8(path, short_side=THUMBNAIL))
        except PhotoError as error:
            set_aside.append((path, error.reason))
            continue
        if chroma < NEAR_GRAY:
            set_aside.append((path, f"near gray (mean chroma {chroma:.1f})"))
        else:
            kept.append(path)
    return kept, set_aside


def mean_chroma(image: np.ndarray) -> float:
    """Mean chroma in Lab of (H, W, 3) uint8 sRGB."""
    rgb = torch.from_numpy(image.astype(np.float32) / 255).permute(2, 0, 1)[None]
    return rgb_to_lab(rgb)[:, 1:].norm(dim=1).mean().item()


def _as_png(target: Path) -> Path:
    """The name with `.png`; with its old suffix kept if another photo has that name."""
    renamed = target.with_suffix(".png")
    return target.with_name(target.name + ".png") if renamed.exists() else renamed
