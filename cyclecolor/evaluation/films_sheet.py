"""One photo on each film that was found."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ..color import SPACES
from ..errors import CycleColorError
from ..files import atomic_write
from ..inference import Colorizer
from ..networks import FilmGenerator, FilmResnet
from .inputs import to_tensor


def films_sheet(translator: Colorizer, photo: np.ndarray, *, height: int = 200) -> Image.Image:
    """A photo (H, W, 3) uint8, then as each film of `G_gray` shows it, the most frequent first.

    Raises
    ------
    CycleColorError
        If the checkpoint's `G_gray` is no film.
    """
    color = translator.space.color(to_tensor([photo])).to(translator.device)
    grays = _on_each(translator.generators.get("G_gray"), color)
    plain = SPACES["lab"].merge(grays, torch.zeros_like(grays).expand(-1, 2, -1, -1)).cpu()
    width = round(height * photo.shape[1] / photo.shape[0])
    row = F.interpolate(torch.cat([to_tensor([photo]), plain]), size=(height, width), mode="area")
    pixels = (torch.cat(list(row), dim=2) * 255).round().byte().permute(1, 2, 0)
    return Image.fromarray(pixels.numpy())


def save_films_sheet(translator: Colorizer, photo: np.ndarray, path: Path) -> None:
    """Write `films_sheet` as PNG."""
    sheet = films_sheet(translator, photo)
    atomic_write(path, lambda file: sheet.save(file, format="PNG"))


@torch.inference_mode()
def _on_each(G_gray: object, color: Tensor) -> Tensor:
    """Grays (K, 1, H, W) of lightness and chroma (1, 3, H, W)."""
    if isinstance(G_gray, FilmResnet):
        return torch.cat([G_gray.on_film(color, film) for _, film in G_gray.films()])
    if isinstance(G_gray, FilmGenerator):
        return G_gray(color)
    raise CycleColorError("this checkpoint has no film to show: its G_gray is no film", exit_code=2)
