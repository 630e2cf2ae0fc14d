"""A film matched to the gray pile before training, so that `G_color` learns from the right gray at once.

Over two piles of like scenes, whatever can be measured of a photo is distributed alike but for what the film
did to one of them. A film of few numbers can therefore be found without pairs and without a discriminator:
they are moved until the distributions of such measures agree.
"""

import math
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..distributed import all_mean
from ..film import blur
from ..networks import FilmGenerator
from ..networks.film_generator import GAIN, STARTS

FADED = -3.13  # raw, where `faded` is a tenth
RATE = 5e-3  # of Adam, ten times that of training: there is little noise
BETAS = (0.5, 0.9)
LAYOUT = 8  # a crop's light and dark are seen at some 8 x 8
TONES = 16  # and its tones at so many quantiles
PATCH, SCALES, GRID = 5, 3, 10  # patches of 5 x 5 at full, half and quarter size, on grids of some 10 x 10
DIRECTIONS = 32
DETAIL = 5.0  # detail is some fifth of tones in size


def match_film(
    film: FilmGenerator, batches: Iterable[tuple[Tensor, Tensor]], *, steps: int, seed: int
) -> None:
    """Move a film's numbers until its grays are distributed as those of the gray pile.

    It sets out from a film that has faded by a tenth at both ends: from one that has not, a weak curve is
    found in the place of fading.

    The sum of sliced Wasserstein distances (Rabin et al., 2011) of all `measures` is brought down by Adam,
    each step in other directions. Equal seeds and batches give equal films, in however many processes.

    Parameters
    ----------
    film : FilmGenerator
        In training mode: spreads are matched too.
    batches : iterable
        `steps` times crops of the gray pile (N, 1, H, W) in [-1, 1], and lightness and chroma (N, 3, H, W)
        of crops of the color pile: as many as can be, as few samples blur the distributions.
    """
    with torch.no_grad():
        for end in ("black", "white"):
            film.mean[list(STARTS).index(end)] = FADED / GAIN
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(film.parameters(), lr=RATE, betas=BETAS)
    for step, (real_gray, photo) in enumerate(batches):
        optimizer.param_groups[0]["lr"] = RATE * min(1, 2 * (1 - step / steps))
        fake_gray = film(photo, lambda shape, device: torch.randn(shape, generator=generator).to(device))
        slices = int(torch.randint(1 << 31, (), generator=generator))
        loss = distance(fake_gray, real_gray, slices)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for parameter in film.parameters():  # machines may round differently
        parameter.data.copy_(all_mean(parameter.data))


def distance(gray: Tensor, other: Tensor, seed: int) -> Tensor:
    """Sum of the Wasserstein distances of all measures of two sets of as many crops (N, 1, H, W)."""
    pairs = zip(measures(gray, seed), measures(other, seed), strict=True)
    total = sum(wasserstein(*pair) for pair in pairs)
    assert isinstance(total, Tensor)
    return total


def measures(gray: Tensor, seed: int) -> list[Tensor]:
    """What is compared of gray crops (N, 1, H, W): samples (M, D) of each measure, in directions of `seed`.

    Where light and dark lie in a crop (skies are bright, to blue-sensitive film the more), which tones it
    has, how strong its finest detail is, and what its patches look like at three scales.
    """
    generator = torch.Generator().manual_seed(seed)
    layout = F.avg_pool2d(gray, max(1, min(gray.shape[-2:]) // LAYOUT)).flatten(1)
    stride = max(1, gray.shape[-1] // 32)
    tones = gray[..., ::stride, ::stride].flatten(1).sort(dim=1).values
    places = torch.linspace(0.01, 0.99, TONES).mul(tones.shape[1] - 1).long()
    detail = gray - blur(gray, 1.0)
    return [
        layout @ _directions(layout.shape[1], generator).to(gray),
        tones[:, places.to(gray.device)] @ _directions(TONES, generator).to(gray),
        DETAIL * torch.stack([detail.abs().mean(dim=(1, 2, 3)), detail.std(dim=(1, 2, 3))], dim=1),
        *_patches(gray, generator),
    ]


def wasserstein(samples: Tensor, others: Tensor) -> Tensor:
    """Mean Wasserstein-1 distance of the columns of two (M, D): those of sorted samples."""
    return (samples.sort(dim=0).values - others.sort(dim=0).values).abs().mean()


def _patches(gray: Tensor, generator: torch.Generator) -> list[Tensor]:
    """Patches of (N, 1, H, W) in random directions, at each scale that has room for them: (N h w, 32)."""
    samples = []
    for _ in range(SCALES):
        if min(gray.shape[-2:]) < PATCH:
            break
        directions = _directions(PATCH**2, generator)
        # Three in four see structure alone, the others brightness too.
        directions -= directions.mean(dim=0) * (torch.arange(DIRECTIONS) % 4 > 0)
        kernels = F.normalize(directions, dim=0).T.view(DIRECTIONS, 1, PATCH, PATCH)
        values = F.conv2d(gray, kernels.to(gray), stride=max(1, math.ceil(gray.shape[-1] / GRID)))
        samples.append(values.movedim(1, -1).flatten(0, 2))
        gray = F.avg_pool2d(gray, 2)
    return samples


def _directions(dimensions: int, generator: torch.Generator) -> Tensor:
    """Random unit vectors, the columns of (dimensions, 32)."""
    return F.normalize(torch.randn(dimensions, DIRECTIONS, generator=generator), dim=0)
