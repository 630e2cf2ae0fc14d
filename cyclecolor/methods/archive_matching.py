"""The films of an archive found before training, so that `G_color` learns from the right grays at once.

Over two piles of like scenes, whatever can be measured of a photo is distributed alike but for what film did
to one of them. So, without pairs and without a discriminator, first the shares are found that films of all
kinds must have for their grays to be distributed as the scans are (`energy.py`); then the numbers of those
that are there are moved until they agree better, and last the ResNet that moves them with the scene.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..distributed import all_mean
from ..film import Noise
from ..networks import FilmResnet
from ..networks.film_generator import GAIN, LUMINANCE, STARTS, by_name, develop
from ..networks.film_resnet import ALIKE, FILMS, SEEN, chart_grays
from .crop_measures import Normalized
from .energy import attraction, best_shares, energy, repulsion

# What films may be there: every emulsion, of every age, printed soft and hard. Emulsions see blue, then green
# too, then red too (Mees and James, 1966, chapters 11 and 12), and what lies between; last comes lightness
# itself, which gray scans of color photos are.
EMULSIONS = (
    (0.02, 0.10, 0.88),
    (0.03, 0.25, 0.72),
    (0.04, 0.46, 0.50),
    (0.15, 0.43, 0.42),
    (0.30, 0.38, 0.32),
    LUMINANCE,
)
AGES = ((0.02, 0.02), (0.08, 0.10), (0.25, 0.20))  # how far black is lifted, and white lowered
CONTRASTS, SHIFTS = (0.85, 1.25), (0.0, 0.5)
LOOKED_AT = 96  # photos that each of these films is tried on
HELD_TO = 1024  # scans, and color photos, to which they are held
SPREAD = 0.35  # raw: of numbers within a film, to begin with
MOVED_AT_A_TIME = 96  # grays of a step in which numbers are moved
RATE, F_RATE = 5e-3, 1e-3  # of Adam
BETAS = (0.5, 0.9)
# Keeps sensitivities, raw, to the emulsions that they began as: shares tell these better. At 0.0005, blue
# plates, found as blue at first, went to green, which in most photos is between red and blue.
LEASH = 0.02
F_LEASH = 0.005  # keeps f small where the scans do not care
F_FROM = 0.6  # share of the steps after which f moves too

Progress = Callable[[Any], Iterable[Any]]


@dataclass
class Archive:
    """Two piles, as matching sees them.

    Attributes
    ----------
    scans : Tensor
        Gray crops (M, 1, S, S) in [-1, 1].
    photos : Tensor
        Crops in color (P, 3, S, S), as linear sRGB.
    seen : Tensor
        What the ResNet sees of them (P, 3, 32, 32).
    chances : Tensor
        (P,), how likely each is to be drawn, but for a factor.
    """

    scans: Tensor
    photos: Tensor
    seen: Tensor
    chances: Tensor

    @classmethod
    @torch.no_grad()
    def of(
        cls,
        scans: Tensor,
        color: Tensor,
        to_linear: Callable[[Tensor], Tensor],
        chances: Tensor | None = None,
    ) -> "Archive":
        """From gray (M, 1, S, S), and lightness and chroma (P, 3, S, S); by default all are as likely."""
        photos = torch.cat([to_linear(part) for part in color.split(256)])
        seen = F.interpolate(color, size=(SEEN, SEEN), mode="area")
        return cls(scans, photos, seen, torch.ones(len(color)) if chances is None else chances)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Indices of photos (count,), by their chances."""
        return torch.multinomial(self.chances, count, replacement=True, generator=generator)


def match_archive(
    film: FilmResnet, archive: Archive, *, steps: int, seed: int, progress: Progress = iter
) -> None:
    """Find the films of the scans: their shares, their numbers, and how these move with the scene.

    Equal seeds and piles give equal films, in however many processes.

    Parameters
    ----------
    film : FilmResnet
        In training mode.
    archive : Archive
    steps : int
        By which numbers are moved, after the shares were found.
    progress : callable
        Walks the steps, and may show how far it is.
    """
    generator = torch.Generator().manual_seed(seed)
    compared = Normalized(archive.scans[:HELD_TO])
    raw, shares = likely_films(compared, archive, generator, progress)
    with torch.no_grad():
        film.means.copy_(raw / GAIN)
        film.spreads.fill_(math.log(math.expm1(SPREAD)) / GAIN)
        film.shares.copy_(shares)
    _move(film, compared, archive, steps, generator, progress)
    with torch.no_grad():
        film.shares.copy_(_shares_of(film, compared, archive, generator))
    for tensor in (*film.parameters(), *film.buffers()):  # machines may round differently
        if tensor.is_floating_point():
            tensor.data.copy_(all_mean(tensor.data))


@torch.no_grad()
def likely_films(
    compared: Normalized, archive: Archive, generator: torch.Generator, progress: Progress = iter
) -> tuple[Tensor, Tensor]:
    """Raw numbers (FILMS, 12) and shares (FILMS,) of what the scans are made of, among films of all kinds."""
    device, noise = archive.photos.device, _noise(generator)
    kinds, photos = all_kinds().to(device), archive.photos[archive.draw(LOOKED_AT, generator)]
    measured: list[list[Tensor]] = []
    for raw in progress(kinds):
        drawn = raw + SPREAD * noise((len(photos), len(raw)), device)
        measured.append(compared(develop(photos, by_name(drawn), noise)))
    sets = [torch.stack(measure) for measure in zip(*measured, strict=True)]
    return merged(kinds, best_shares(*_distances(sets, compared.scans)))


def said_films(film: FilmResnet) -> str:
    """The films that were found, a line each."""
    lines = [f"films like the gray pile's: {len(film.films())}"]
    for found, numbers in film.describe():
        said = ", ".join(f"{name} {value:.2f}" for name, value in numbers.items())
        lines.append(f"  {found:4.0%}  {said}")
    return "\n".join(lines)


def all_kinds() -> Tensor:
    """Raw numbers (K, 12) of films of all kinds."""
    kinds = []
    for weights, (black, white), contrast, shift in product(EMULSIONS, AGES, CONTRASTS, SHIFTS):
        changes = dict(zip(("red", "green", "blue"), _log_ratios(weights), strict=True))
        changes |= {"black": _raw_fading(black), "white": _raw_fading(white)}
        changes |= {"contrast": 2 * math.log(contrast), "shift": 2 * shift, "softness": -1.0, "grain": -2.0}
        kinds.append(torch.tensor([changes.get(name, start) for name, start in STARTS.items()]))
    return torch.stack(kinds)


def merged(kinds: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
    """Films (K, 12) and shares (K,) as FILMS of them: those alike on a chart of colors are joined."""
    charts, left = chart_grays(kinds), shares.clone()
    raw, found = kinds[shares.argsort(descending=True)[:FILMS]].clone(), shares.new_zeros(FILMS)
    for i in range(FILMS):
        alike = (charts - charts[left.argmax()]).abs().mean(dim=1) < ALIKE
        weights = left * alike
        found[i] = weights.sum()
        if found[i] > 0:
            raw[i] = weights @ kinds / found[i]
        left = left - weights
    return raw, found / found.sum()


def _move(
    film: FilmResnet,
    compared: Normalized,
    archive: Archive,
    steps: int,
    generator: torch.Generator,
    progress: Progress,
) -> None:
    """Move means and spreads, then f too, down the energy distance; shares stay."""
    there = (film.shares > 0.01).nonzero()[:, 0]
    emulsions = (GAIN * film.means[:, :3]).detach()
    own = {id(film.means), id(film.spreads)}
    f = [p for p in film.parameters() if id(p) not in own]
    groups = [{"params": [film.means, film.spreads], "lr": RATE}, {"params": f, "lr": F_RATE}]
    optimizer = torch.optim.Adam(groups, betas=BETAS)
    for step in progress(range(steps)):
        scale = min(1, 2 * (1 - step / steps))
        for group, rate in zip(optimizer.param_groups, (RATE, F_RATE), strict=True):
            group["lr"] = rate * scale
        for parameter in f:
            parameter.requires_grad_(step >= F_FROM * steps)
        sets, moved = _grays(film, there, MOVED_AT_A_TIME // len(there), compared, archive, generator)
        shares = film.shares[there] / film.shares[there].sum()
        loss = energy(*_distances(sets, compared.scans), shares)
        loss = loss + LEASH * ((GAIN * film.means[:, :3] - emulsions) ** 2)[there].mean() + F_LEASH * moved
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for parameter in f:
        parameter.requires_grad_(True)


def _grays(
    film: FilmResnet,
    there: Tensor,
    count: int,
    compared: Normalized,
    archive: Archive,
    generator: torch.Generator,
) -> tuple[list[Tensor], Tensor]:
    """Measures (K, count, D) of `count` grays of each film that is there; their mean square move by f."""
    picks, films = archive.draw(count * len(there), generator), there.repeat_interleave(count)
    draw = _noise(generator)
    noise = draw((len(picks), len(STARTS)), films.device)
    raw = film.numbers(archive.seen[picks], films, noise)
    moved = raw - GAIN * film.means[films] - F.softplus(GAIN * film.spreads[films]) * noise
    gray = develop(archive.photos[picks], by_name(raw), draw)
    return [m.view(len(there), count, -1) for m in compared(gray)], (moved**2).mean()


def _shares_of(
    film: FilmResnet, compared: Normalized, archive: Archive, generator: torch.Generator
) -> Tensor:
    """The best shares (FILMS,) of the films as they are."""
    sets, _ = _grays(
        film, torch.arange(FILMS, device=film.shares.device), 2 * LOOKED_AT, compared, archive, generator
    )
    return best_shares(*_distances(sets, compared.scans))


def _distances(sets: list[Tensor], scans: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Attraction (K,) and repulsion (K, K) of films: means over measures."""
    a = [attraction(own, other) for own, other in zip(sets, scans, strict=True)]
    return torch.stack(a).mean(dim=0), torch.stack([repulsion(own) for own in sets]).mean(dim=0)


def _log_ratios(weights: tuple[float, ...]) -> list[float]:
    return [math.log(weight / seen) for weight, seen in zip(weights, LUMINANCE, strict=True)]


def _raw_fading(share: float) -> float:
    """The raw number for which `faded` is a share."""
    start = STARTS["black"]
    return start + (math.log(2 * share / (1 - 2 * share)) - start) / 3


def _noise(generator: torch.Generator) -> Noise:
    return lambda shape, device: torch.randn(shape, generator=generator).to(device)
