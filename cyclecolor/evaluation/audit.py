"""How honest the cycle is: whether `G_gray` hides color in its gray image for `G_color` to find.

`G_color` is given the gray that `G_gray` made of a color photo, and others that show the same: one made
without `G_gray`, and `G_gray`'s own after what any gray photo survives. If its chroma error grows, what it
read was not in the photo but written there (steganography: Chu et al., 2017). Each ratio is the error on
the other gray over the error on `G_gray`'s own; honest is about 1.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..color import rgb_to_lab
from ..errors import CycleColorError
from ..inference import Colorizer
from ..networks import stride_of
from .inputs import same_size_batches, to_tensor
from .pictures import SMALLEST
from .scores import Score, mean, ratio, score
from .spectrum import checkerboard_contrast, checkerboard_peak, fine_power

SIGMAS = (0.001, 0.005, 0.01, 0.05)  # of noise, where black is 0 and white 1
LIMITS = {
    "R_swap": 1.1,
    "R_noise_0.001": 1.1,
    "R_noise_0.005": 1.1,
    "R_noise_0.01": 1.1,
    "R_8_bit": 1.1,
    "fine_power_ratio": 2.0,
    "checkerboard_peak": 1.5,
}
CHROMA = ("what cyclecolor makes of lightness", "truth")
GRAYS = ("gray that G_gray makes", "gray that is swapped in")


@dataclass(frozen=True)
class Figure:
    """A score (None: undefined), the most that it may be (None: not judged), and whether it is within."""

    score: Score | None
    limit: float | None

    @property
    def verdict(self) -> str:
        """`passes`, `fails`, or `not judged`."""
        if self.limit is None:
            return "not judged"
        return "passes" if self.score and self.score.value <= self.limit else "fails"


def audit(
    colorizer: Colorizer,
    photos: Sequence[np.ndarray],
    films: Sequence[np.ndarray] | None = None,
    scans: Sequence[np.ndarray] = (),
    progress: Callable[[Any], Iterable[Any]] = iter,
    look: Callable[[Mapping[str, Tensor]], object] | None = None,
) -> dict[str, Figure]:
    """Audit the cycle of a checkpoint, at its working size.

    Parameters
    ----------
    colorizer : Colorizer
        With both generators.
    photos : sequence of (H, W, 3) uint8 arrays
        Color photos.
    films : sequence of (H, W, 3) uint8 arrays, optional
        For `R_swap`: each photo as the gray pile's film shows it. Without, its own lightness, which is only
        fair if the gray pile is lightness.
    scans : sequence of (H, W, 3) uint8 arrays
        Real grays, of other scenes, whose fine detail `G_gray`'s output should resemble; without, what is
        swapped in. If there are scans and no films, `R_swap` is not judged: lightness is not their film.
    progress : callable
        Wraps the list of batches.
    look : callable, optional
        Is given what spectra are taken of, by name: `CHROMA` (N, 2, H, W) and `GRAYS` (N, 1, h, w).

    Returns
    -------
    dict
        `error` (root mean square of the chroma error on `G_gray`'s own gray, in units of the space; for RGB,
        of Lab), `R_swap`, `R_noise_SIGMA`, `R_8_bit` (saved and read again), `fine_power_ratio` (power of
        `G_gray`'s output above a quarter of a cycle a pixel over that of real grays) and
        `checkerboard_peak` (of the chroma of outputs as saved).

    Raises
    ------
    CycleColorError
        If the checkpoint has no `G_gray`.
    """
    if "G_gray" not in colorizer.generators:
        raise CycleColorError(
            f"this checkpoint ({colorizer.experiment.method}) has no G_gray, so there is no cycle to "
            "audit; train with method = cyclegan",
            exit_code=2,
        )
    measured: dict[str, list[Tensor]] = {}
    for batch in progress(list(same_size_batches(photos))):
        rgb = to_tensor([photos[i] for i in batch])
        swapped = rgb if films is None else to_tensor([films[i] for i in batch])
        found, images = _measure(colorizer, rgb, swapped)
        if look:
            look(images)
        for name, values in found.items():
            measured.setdefault(name, []).append(values)
    rows = {name: torch.cat(values) for name, values in measured.items()}

    own, fine = rows.pop("own"), rows.pop("fine_power")
    contrast, real = rows.pop("contrast"), rows.pop("swapped_fine_power")
    if len(scans):
        real = torch.cat([_fine_power(colorizer, to_tensor([s])) for s in scans])
    scores = {
        "error": score(own[:, None], mean),
        **{name: score(torch.stack([errors, own], dim=1), ratio) for name, errors in rows.items()},
        "fine_power_ratio": score(_two_sets(fine, real), _ratio_of_sets),
        "checkerboard_peak": score(contrast, lambda weights, x: checkerboard_peak(weights @ x)),
    }
    unfair = {"R_swap"} if len(scans) and films is None else set()
    return {name: Figure(s, None if name in unfair else LIMITS.get(name)) for name, s in scores.items()}


@torch.inference_mode()
def _measure(
    colorizer: Colorizer, rgb: Tensor, swapped: Tensor
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What the figures are made of, for each photo of a batch (N, 3, H, W), and images for `look`."""
    space, G_color, G_gray = colorizer.space, *(colorizer.generators[n] for n in ("G_color", "G_gray"))
    small = shrink(rgb, colorizer.size).to(colorizer.device)
    color = space.color(small)
    chroma = space.units(F.avg_pool2d(space.target(color), stride_of(G_color), ceil_mode=True))
    gray = G_gray(color).clamp(-1, 1)
    other = space.gray(shrink(swapped, colorizer.size).to(colorizer.device))
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(gray.shape, generator=generator).to(gray)
    grays = {
        "own": gray,
        "R_swap": other,
        **{f"R_noise_{sigma}": gray + 2 * sigma * noise for sigma in SIGMAS},
        "R_8_bit": space.saved(gray),
    }

    def error(seen: Tensor) -> Tensor:
        difference = space.units(G_color(seen)) - chroma
        return difference.pow(2).sum(dim=1).mean(dim=(1, 2)).sqrt().cpu()

    lightness = (space.lightness(swapped) + 1) * 50
    saved = colorizer.colorize_lightness(space.lightness(swapped).to(colorizer.device)).cpu()
    saved = space.quantize(saved, lightness, 255) / 255
    chroma_saved, true_chroma = (rgb_to_lab(image)[:, 1:] for image in (saved, rgb))
    images = dict(zip(CHROMA, (chroma_saved, true_chroma), strict=True))
    images |= dict(zip(GRAYS, (gray.cpu(), other.cpu()), strict=True))
    return {
        **{name: error(seen) for name, seen in grays.items()},
        "fine_power": fine_power((gray.cpu() + 1) / 2),
        "swapped_fine_power": fine_power((other.cpu() + 1) / 2),
        "contrast": checkerboard_contrast(chroma_saved),
    }, images


def shrink(rgb: Tensor, size: int) -> Tensor:
    """(N, 3, H, W) area-averaged to a short side of `size`: what networks saw in training.

    Never enlarged, and kept large enough for a spectrum.
    """
    scale = min(1.0, max(size, SMALLEST) / min(rgb.shape[-2:]))
    return F.interpolate(rgb, size=[round(side * scale) for side in rgb.shape[-2:]], mode="area")


def _fine_power(colorizer: Colorizer, scan: Tensor) -> Tensor:
    return fine_power((colorizer.space.gray(shrink(scan, colorizer.size)) + 1) / 2)


def _two_sets(first: Tensor, second: Tensor) -> Tensor:
    """Values of two sets of images (n,), (m,) as rows (n + m, 4): value and count of either."""
    zeros, ones = torch.zeros_like, torch.ones_like
    return torch.cat(
        [
            torch.stack([first, ones(first), zeros(first), zeros(first)], dim=1),
            torch.stack([zeros(second), zeros(second), second, ones(second)], dim=1),
        ]
    )


def _ratio_of_sets(weights: Tensor, measured: Tensor) -> Tensor:
    """Mean of the first set over mean of the second."""
    first, first_count, second, second_count = (weights @ measured).unbind(1)
    return (first / first_count) / (second / second_count)
