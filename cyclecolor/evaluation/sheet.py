"""Contact sheets."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ..color import SPACES
from ..files import atomic_write
from ..inference import Colorizer
from ..networks import FilmGenerator
from .films import seeded
from .inputs import to_tensor

SHEET_PHOTOS = 10


def contact_sheet(
    colorizer: Colorizer,
    photos: Sequence[np.ndarray],
    grays: Sequence[np.ndarray] | None = None,
    *,
    truth: bool = True,
    film: bool = False,
    height: int = 150,
) -> Image.Image:
    """A row for each kind (gray, ours, and truth if it is known), a column for each photo.

    What is colored is `grays`, or the photos' own lightness. With `film`, if `G_gray` is one, two more rows:
    each photo on the film that suits it, and the first photo on as many films as there are columns, drawn
    as in training.
    """
    columns = []
    for photo, gray in zip(photos, photos if grays is None else grays, strict=True):
        lightness = colorizer.space.lightness(to_tensor([gray]))
        plain = SPACES["lab"].merge(lightness, torch.zeros_like(lightness).expand(-1, 2, -1, -1))
        ours = colorizer.colorize_lightness(lightness.to(colorizer.device)).cpu()
        column = [plain, ours, to_tensor([photo])] if truth else [plain, ours]
        if film and colorizer.film:
            column.append(on_film(colorizer, to_tensor([photo])))
        columns.append(F.interpolate(torch.cat(column), size=(height, height), mode="area"))
    if film and colorizer.film:
        shown = on_films(colorizer, to_tensor([photos[0]]), len(photos))
        shown = F.interpolate(shown, size=(height, height), mode="area")
        columns = [torch.cat([column, one[None]]) for column, one in zip(columns, shown, strict=True)]
    rows = torch.cat(columns, dim=3)
    pixels = (torch.cat(list(rows), dim=1) * 255).round().byte().permute(1, 2, 0)
    return Image.fromarray(pixels.numpy())


def save_sheet(
    colorizer: Colorizer,
    photos: Sequence[np.ndarray],
    path: Path,
    grays: Sequence[np.ndarray] | None = None,
    *,
    truth: bool = True,
    film: bool = False,
) -> None:
    """Write a contact sheet of ten photos spread evenly over the list, as PNG."""
    picks = np.linspace(0, len(photos) - 1, min(SHEET_PHOTOS, len(photos))).round().astype(int)
    sheet = contact_sheet(
        colorizer, [photos[i] for i in picks], grays and [grays[i] for i in picks], truth=truth, film=film
    )
    atomic_write(path, lambda file: sheet.save(file, format="PNG"))


@torch.inference_mode()
def on_film(colorizer: Colorizer, rgb: Tensor) -> Tensor:
    """Photos (N, 3, H, W) in sRGB, [0, 1], as the film of `G_gray` shows them, likewise."""
    return _neutral(colorizer.generators["G_gray"](colorizer.space.color(rgb).to(colorizer.device)))


@torch.inference_mode()
def on_films(colorizer: Colorizer, rgb: Tensor, count: int) -> Tensor:
    """One photo (1, 3, H, W) in sRGB, [0, 1], on films that `G_gray` draws for it: (count, 3, H, W)."""
    G_gray = colorizer.generators["G_gray"]
    assert isinstance(G_gray, FilmGenerator)
    color = colorizer.space.color(rgb).to(colorizer.device).expand(count, -1, -1, -1)
    noise = seeded(color.device)
    return _neutral(G_gray.shown(color, G_gray.drawn(color, noise), noise))


def _neutral(gray: Tensor) -> Tensor:
    gray = gray.cpu()
    return SPACES["lab"].merge(gray, torch.zeros_like(gray).expand(-1, 2, -1, -1))
