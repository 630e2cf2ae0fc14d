"""Scores of a checkpoint on photos of known color, each beside what doing nothing scores."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..color import SPACES, quantize_rgb, rgb_to_lab, rgb_to_lightness
from ..inference import Colorizer
from .inputs import same_size_batches, to_tensor
from .perceptual import BETWEEN_SETS, FEATURES, Perceptual
from .pictures import OF_LIGHTNESS, SET_DISTANCES, STATISTICS, Picture, judge, measure
from .scores import Score, halves, score

AT_TRUE_LIGHTNESS = "_at_true_lightness"
BASELINES = ("do_nothing", "mean_color")

Scores = dict[str, dict[str, Score | None]]


def evaluate(
    colorizer: Colorizer,
    photos: Sequence[np.ndarray],
    grays: Sequence[np.ndarray] | None = None,
    *,
    pile: Iterable[np.ndarray] = (),
    only: Sequence[str] = tuple(STATISTICS),
    perceptual: Perceptual | None = None,
    look: Callable[[Mapping[str, Picture]], object] | None = None,
    progress: Callable[[Any], Iterable[Any]] = iter,
) -> Scores:
    """Score the colors of outputs, in 8 bits as they would be saved.

    Parameters
    ----------
    colorizer : Colorizer
    photos : sequence of (H, W, 3) uint8 arrays
        The truth, in sRGB; sides of at least 32.
    grays : sequence of (H, W, 3) uint8 arrays, optional
        The input of each photo, of equal size; only its lightness is used. Without, the truth's own
        lightness is the input. With, colors are judged at the truth's lightness, and the metrics in which
        lightness takes part are called `..._at_true_lightness`.
    pile : iterable of (H, W, 3) uint8 arrays
        Color photos to which the set's colors are compared.
    only : sequence of str
        The metrics to return: keys of `STATISTICS`.
    perceptual : Perceptual, optional
        Measures LPIPS, FID and KID too.
    look : callable, optional
        Is given the pictures of each batch, by column: those of the scores.
    progress : callable
        Wraps the list of batches.

    Returns
    -------
    dict
        Metric to the scores of `ours`, `do_nothing` (gray), `mean_color` (the mean chroma of the truth on
        every pixel: nobody who colors knows it), `truth` itself, and `floor` (one half of the truth
        against the other); None where a score is undefined. `ciede2000_gain` has the baselines alone: by how
        much ours is nearer to the truth, whose interval is that of paired differences.
    """
    mean_ab = torch.stack([rgb_to_lab(to_tensor([p]))[:, 1:].mean(dim=(0, 2, 3)) for p in photos]).mean(0)
    pile_means = _pile_means(pile)
    kept = [name for name in only if name in STATISTICS]
    measured: dict[str, dict[str, list[Tensor]]] = {name: {} for name in (*kept, FEATURES)}
    for batch in progress(list(same_size_batches(photos))):
        truth = to_tensor([photos[i] for i in batch])
        gray = None if grays is None else to_tensor([grays[i] for i in batch])
        pictures = _pictures(colorizer, truth, gray, mean_ab)
        if look:
            look(pictures)
        for name, values in _measure_batch(pictures, pile_means, perceptual).items():
            for column, value in values.items():
                if name in measured:
                    measured[name].setdefault(column, []).append(value)
    features = {column: torch.cat(values) for column, values in measured.pop(FEATURES).items()}
    scores = {
        name: {
            column: (halves if column == "floor" else score)(torch.cat(values), STATISTICS[name])
            for column, values in columns.items()
        }
        for name, columns in measured.items()
        if columns
    }
    if features:
        for name, distance in BETWEEN_SETS.items():
            scores[name] = {column: distance(f, features["truth"]) for column, f in features.items()}
    at_truth = OF_LIGHTNESS if grays is not None else set()
    return {name + AT_TRUE_LIGHTNESS * (name in at_truth): row for name, row in scores.items()}


def _pictures(
    colorizer: Colorizer, truth: Tensor, gray: Tensor | None, mean_ab: Tensor
) -> dict[str, Picture]:
    """Ours, the baselines and the truth (N, 3, H, W), as they are judged."""
    lightness = rgb_to_lightness(truth if gray is None else gray)
    saved = {**outputs(colorizer, lightness, mean_ab), "truth": truth}
    return {name: judge(rgb, lightness, truth, same_lightness=gray is None) for name, rgb in saved.items()}


def _measure_batch(
    pictures: Mapping[str, Picture], pile_means: dict[str, Tensor], perceptual: Perceptual | None
) -> dict[str, dict[str, Tensor]]:
    """Metric to column to what was measured on each image (N, k)."""
    true_picture = pictures["truth"]
    measured: dict[str, dict[str, Tensor]] = {}
    for column, picture in pictures.items():
        values = measure(picture, true_picture)
        for name, mean in pile_means.items():
            values[f"{name}_to_pile"] = picture.described[name] - mean
        if perceptual is not None:
            values |= perceptual.measure(picture.rgb, true_picture.rgb)
        for name, value in values.items():
            measured.setdefault(name, {})[column] = value
    differences = measured["ciede2000"]
    measured["ciede2000_gain"] = {name: differences[name] - differences["ours"] for name in BASELINES}
    for name in true_picture.described:
        measured[name]["floor"] = true_picture.described[name]
    return measured


def outputs(colorizer: Colorizer, lightness: Tensor, mean_ab: Tensor) -> dict[str, Tensor]:
    """From CIE L* (N, 1, H, W): ours and the baselines in 8-bit levels, as sRGB (N, 3, H, W) in [0, 1]."""
    scaled = lightness / 50 - 1
    chroma = mean_ab.view(1, 2, 1, 1).expand(len(lightness), -1, *lightness.shape[2:])
    gray = SPACES["lab"].merge(scaled, torch.zeros_like(chroma))
    ours = colorizer.colorize_lightness(scaled.to(colorizer.device)).cpu()
    baselines = {
        "do_nothing": gray,
        "mean_color": SPACES["lab"].fit_gamut(torch.cat([lightness, chroma], dim=1)),
    }
    return {
        "ours": colorizer.space.quantize(ours, lightness, 255) / 255,
        **{name: quantize_rgb(rgb, lightness, 255) / 255 for name, rgb in baselines.items()},
    }


def _pile_means(pile: Iterable[np.ndarray]) -> dict[str, Tensor]:
    """For each distance between sets, the mean over a pile of what it compares."""
    totals: dict[str, Tensor] = {}
    count = 0
    for photo in pile:
        lab = rgb_to_lab(to_tensor([photo]))
        for name, describe in SET_DISTANCES.items():
            totals[name] = totals.get(name, 0) + describe(lab)[0]
        count += 1
    return {name: total / count for name, total in totals.items()}
