"""What is scored: color photos, and the gray input that belongs to each."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from ..errors import CycleColorError
from ..film import film_of, render
from ..photos import PhotoError, find_photos, read_rgb8
from .pictures import SMALLEST

SHORT_SIDE = 512  # pixels at which photos are read; larger ones are shrunk
BATCH_PIXELS = 2**18  # that are worked on at a time
ASPECT_TOLERANCE = 0.02  # how far a scan's aspect may be off its truth's


@dataclass
class Inputs:
    """Color photos, their grays (None: the photos' own lightness), and what could not be used and why."""

    names: list[str]
    photos: list[np.ndarray]
    grays: list[np.ndarray] | None
    skipped: list[str]


def read_inputs(
    color: Path,
    gray: Path | None = None,
    *,
    film: str | None = None,
    short_side: int = SHORT_SIDE,
    progress: Callable[[list[tuple[str, Path]]], Iterable[tuple[str, Path]]] = iter,
) -> Inputs:
    """Read color photos and what the network is to see of each: the one place that decides it.

    Parameters
    ----------
    color : Path
        Folder of color photos.
    gray : Path, optional
        Folder of scans of the same relative names, whatever their suffixes. A scan of another size is
        resized to its truth's.
    film : str, optional
        One of `FILMS` or `BOXES`, which renders the gray of each photo, seeded by the photo's place in the
        list. With neither `gray` nor `film`, the network sees the photo's own lightness.
    short_side : int
        At most so many pixels.
    progress : callable
        Wraps the list of photos.

    Raises
    ------
    CycleColorError
        If a folder is missing or empty, a photo has no partner, none can be used, or there is no such film.
    """
    if gray is not None and film is not None:
        raise CycleColorError("--gray and --film exclude each other; use one", exit_code=2)
    if film is not None:
        film_of(film, 0)  # to say at once if there is none
    truths = _by_stem(color)
    scans = truths if gray is None else _by_stem(gray)
    missing = [name for name in truths if name not in scans]
    if missing:
        shown = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise CycleColorError(
            f"{gray}: no scan for {len(missing)} of the {len(truths)} photos in {color} ({shown}); give "
            "both the same name, the suffix aside",
            exit_code=2,
        )
    grays: list[np.ndarray] = []
    inputs = Inputs([], [], None if gray is None and film is None else grays, [])
    for seed, (name, path) in enumerate(progress(list(truths.items()))):
        try:
            photo = read_large_enough(path, short_side)
            if gray is not None:
                scan = read_rgb8(scans[name], short_side=short_side)
                grays.append(_fitted(scan, photo, scans[name]))
            elif film is not None:
                grays.append(render(photo, film, seed))
        except PhotoError as error:
            inputs.skipped.append(str(error))
            continue
        inputs.names.append(name)
        inputs.photos.append(photo)
    if not inputs.photos:
        raise CycleColorError(f"{color}: none of its {len(truths)} photos can be used ({inputs.skipped[0]})")
    return inputs


def read_large_enough(path: Path, short_side: int) -> np.ndarray:
    """A photo as (H, W, 3) uint8 that every metric can be measured on.

    Raises
    ------
    PhotoError
        If it cannot be read, or is too small.
    """
    photo = read_rgb8(path, short_side=short_side)
    if min(photo.shape[:2]) < SMALLEST:
        raise PhotoError(
            f"{path}: smaller than {SMALLEST} pixels; too small to be measured", reason="unsupported"
        )
    return photo


def _fitted(scan: np.ndarray, photo: np.ndarray, path: Path) -> np.ndarray:
    (height, width), (scan_height, scan_width) = photo.shape[:2], scan.shape[:2]
    if abs(scan_width * height / (scan_height * width) - 1) > ASPECT_TOLERANCE:
        raise PhotoError(
            f"{path}: {scan_width} x {scan_height} is of another shape than its truth, {width} x {height}",
            reason="unsupported",
        )
    if scan.shape == photo.shape:
        return scan
    shrinks = scan_height >= height and scan_width >= width
    return cv2.resize(scan, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _by_stem(folder: Path) -> dict[str, Path]:
    """Relative name without suffix to path. Of two files that differ in the suffix, the first one."""
    paths: dict[str, Path] = {}
    for path in find_photos(folder):
        relative = path.relative_to(folder) if path != folder else Path(path.name)
        paths.setdefault(relative.with_suffix("").as_posix(), path)
    return paths


def same_size_batches(photos: Sequence[np.ndarray]) -> Iterator[list[int]]:
    """Indices of photos of equal size, as many as are worked on at a time."""
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for i, photo in enumerate(photos):
        by_shape.setdefault(photo.shape, []).append(i)
    for (height, width, _), indices in by_shape.items():
        count = max(1, BATCH_PIXELS // (height * width))
        yield from (indices[i : i + count] for i in range(0, len(indices), count))


def to_tensor(photos: Sequence[np.ndarray]) -> Tensor:
    """Photos of equal size (H, W, 3) uint8 as one (N, 3, H, W) in [0, 1]."""
    return torch.from_numpy(np.stack(photos).astype(np.float32) / 255).permute(0, 3, 1, 2)
