"""Scores of a checkpoint on photos of known colour, each beside what doing nothing scores."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..color import SPACES, quantize_rgb, rgb_to_lab, rgb_to_lightness
from ..inference import Colorizer
from .metrics import ab_rmse, ciede2000, colorfulness

BOOTSTRAPS = 1000


@dataclass(frozen=True)
class Score:
    """Mean over images with its bootstrap 95% interval."""

    mean: float
    low: float
    high: float


def evaluate(colorizer: Colorizer, photos: Sequence[np.ndarray]) -> dict[str, dict[str, Score]]:
    """Score colours made from the truth's own lightness.

    Parameters
    ----------
    colorizer : Colorizer
    photos : sequence of (H, W, 3) uint8 arrays
        The truth, in sRGB.

    Returns
    -------
    dict
        Metric (`ciede2000`, `ab_rmse`, `colorfulness`) to the scores of `ours`, `do_nothing` (gray),
        `mean_color` (the mean chroma of these photos on every pixel) and `truth` itself.
    """
    mean = torch.stack([rgb_to_lab(_tensor(p))[:, 1:].mean(dim=(0, 2, 3)) for p in photos]).mean(0)
    values: dict[str, dict[str, list[float]]] = {}
    for photo in photos:
        truth = _tensor(photo)
        outputs = {**_outputs(colorizer, truth, mean), "truth": truth}
        for name, output in outputs.items():
            for metric, value in _compare(output, truth).items():
                values.setdefault(metric, {}).setdefault(name, []).append(value)
    return {
        metric: {name: _score(np.array(series)) for name, series in rows.items()}
        for metric, rows in values.items()
    }


def contact_sheet(
    colorizer: Colorizer, photos: Iterable[np.ndarray], *, truth: bool = True, height: int = 150
) -> Image.Image:
    """A row for each kind (gray, ours, and truth if it is known), a column for each photo."""
    columns = []
    for photo in photos:
        rgb = _tensor(photo)
        lightness = colorizer.space.lightness(rgb)
        gray = colorizer.space.merge(lightness, torch.zeros_like(rgb[:, 1:]))
        ours = colorizer.colorize_lightness(lightness.to(colorizer.device)).cpu()
        column = torch.cat([gray, ours, rgb] if truth else [gray, ours])
        columns.append(torch.nn.functional.interpolate(column, size=(height, height), mode="area"))
    rows = torch.cat(columns, dim=3)
    pixels = (torch.cat(list(rows), dim=1) * 255).round().byte().permute(1, 2, 0)
    return Image.fromarray(pixels.numpy())


def _outputs(colorizer: Colorizer, truth: Tensor, mean: Tensor) -> dict[str, Tensor]:
    space = colorizer.space
    lightness = space.lightness(truth)
    nothing = torch.zeros_like(truth[:, 1:])
    chroma = mean.view(1, 2, 1, 1).expand_as(nothing)
    lab = torch.cat([rgb_to_lightness(truth), chroma], dim=1)
    outputs = {
        "ours": colorizer.colorize_lightness(lightness.to(colorizer.device)).cpu(),
        "do_nothing": space.merge(lightness, nothing),
        "mean_color": SPACES["lab"].fit_gamut(lab),
    }
    # Judged is what would be saved: 8 bits.
    return {n: quantize_rgb(o, rgb_to_lightness(truth), 255) / 255 for n, o in outputs.items()}


def _compare(output: Tensor, truth: Tensor) -> dict[str, float]:
    lab, true_lab = rgb_to_lab(output), rgb_to_lab(truth)
    return {
        "ciede2000": ciede2000(lab, true_lab).mean().item(),
        "ab_rmse": ab_rmse(lab, true_lab).item(),
        "colorfulness": colorfulness(output).item(),
    }


def _score(values: np.ndarray) -> Score:
    picks = np.random.default_rng(0).integers(len(values), size=(BOOTSTRAPS, len(values)))
    low, high = np.percentile(values[picks].mean(axis=1), (2.5, 97.5))
    return Score(float(values.mean()), float(low), float(high))


def _tensor(photo: np.ndarray) -> Tensor:
    return torch.from_numpy(photo.astype(np.float32) / 255).permute(2, 0, 1)[None]
