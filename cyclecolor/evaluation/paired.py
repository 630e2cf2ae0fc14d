"""Two checkpoints on the same photos: the difference of their scores, and its interval over photos.

What makes a photo hard is the same for both, so that their difference is known better than either score.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..color import rgb_to_lightness
from ..inference import Colorizer
from .inputs import same_size_batches, to_tensor
from .pictures import STATISTICS, judge, measure
from .scores import BOOTSTRAPS, Score, interval


@torch.inference_mode()
def photo_by_photo(
    colorizer: Colorizer,
    photos: Sequence[np.ndarray],
    grays: Sequence[np.ndarray],
    metrics: Sequence[str],
) -> dict[str, Tensor]:
    """What metrics, keys of `STATISTICS`, take from each photo (N, k), judged at the truth's lightness.

    Photos and the grays that belong to them are (H, W, 3) uint8, as `evaluate` has them.
    """
    found: dict[str, dict[int, Tensor]] = {name: {} for name in metrics}
    for batch in same_size_batches(photos):
        truth, gray = (to_tensor([pile[i] for i in batch]) for pile in (photos, grays))
        lightness = rgb_to_lightness(gray)
        ours = colorizer.colorize_lightness((lightness / 50 - 1).to(colorizer.device)).cpu()
        saved = colorizer.space.quantize(ours, lightness, 255) / 255
        pictures = (judge(p, lightness, truth, same_lightness=False) for p in (saved, truth))
        values = measure(*pictures)
        for name in metrics:
            for i, value in zip(batch, values[name], strict=True):
                found[name][i] = value
    return {name: torch.stack([values[i] for i in range(len(photos))]) for name, values in found.items()}


def paired_difference(first: Tensor, second: Tensor, metric: str) -> Score | None:
    """The statistic of the first (N, k) less that of the second, of the same photos in the same order."""
    statistic = STATISTICS[metric]
    count = len(first)
    picks = torch.randint(count, (BOOTSTRAPS, count), generator=torch.Generator().manual_seed(0))
    weights = torch.zeros(BOOTSTRAPS, count).scatter_add_(1, picks, torch.ones(BOOTSTRAPS, count)) / count
    even = torch.full((1, count), 1 / count)
    value, resampled = (statistic(rows, first) - statistic(rows, second) for rows in (even, weights))
    return interval(value.item(), resampled)
