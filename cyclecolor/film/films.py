"""Films by name: test domains whose colors are known, and a generic mixture for augmentation.

A film here is not of the family that `FilmGenerator` learns: its curve is a straight line in log exposure
between a toe and a shoulder, its grain lives in density, its blur is a true Gaussian.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ..color import lightness_to_y, linear_to_srgb, srgb_to_linear
from ..errors import CycleColorError
from .physics import blur, damaged, grain, slow_field

KNOTS = 4  # unevenness has this many knots to a side
MIDDLE_GRAY = 0.18  # reflectance that a correct exposure puts in the middle of the curve


@dataclass(frozen=True)
class Film:
    """A film, its age and its scanner. Pairs are the ends of a uniform range, drawn for each photo.

    Attributes
    ----------
    sensitivity : three floats
        To red, green and blue of linear sRGB; of sum 1.
    jitter : float
        Standard deviation of the logarithm of each sensitivity.
    gamma : pair
        Slope of density against log10 exposure, times that of the print.
    stops : pair
        Error of exposure.
    black, white : pair
        Lightness (0 to 1) of the darkest and the lightest tone: fading lifts one and lowers the other.
    softness : pair
        Standard deviation of the blur in pixels.
    grain : pair
        Standard deviation of lightness in the mid-tones.
    unevenness : pair
        Amplitude of slow changes of lightness.
    damage : float
        The amount of specks and scratches, as `damaged` has it.
    """

    sensitivity: tuple[float, float, float]
    jitter: float = 0.1
    gamma: tuple[float, float] = (0.9, 1.2)
    stops: tuple[float, float] = (-0.5, 0.5)
    black: tuple[float, float] = (0.0, 0.08)
    white: tuple[float, float] = (0.92, 1.0)
    softness: tuple[float, float] = (0.3, 0.7)
    grain: tuple[float, float] = (0.01, 0.03)
    unevenness: tuple[float, float] = (0.0, 0.03)
    damage: float = 0.0


# What each emulsion answers to: silver halide as it is, to about 500 nm (blue); orthochromatic, to about
# 590 nm (blue and green); panchromatic, all that is seen, with more of blue than the eye has (Mees and
# James, The Theory of the Photographic Process, 3rd ed., 1966, chapters 11 and 12). The numbers are our
# reading of those limits on the primaries of sRGB (red from about 590 nm, blue to about 500 nm); gammas
# about the usual product of negative and paper, 0.9 to 1.4. Fading and grain are set by eye on prints.
FILMS = {
    "panchromatic": Film((0.30, 0.38, 0.32)),
    "orthochromatic": Film((0.02, 0.46, 0.52), gamma=(1.0, 1.4), grain=(0.02, 0.05), softness=(0.4, 0.9)),
    "blue_plate": Film(
        (0.01, 0.07, 0.92), gamma=(1.0, 1.5), softness=(0.5, 1.0), grain=(0.01, 0.03), unevenness=(0.02, 0.08)
    ),
    "faded_print": Film(
        (0.22, 0.45, 0.33),
        gamma=(0.7, 1.0),
        black=(0.18, 0.34),
        white=(0.74, 0.9),
        softness=(0.5, 1.1),
        grain=(0.01, 0.04),
        unevenness=(0.02, 0.08),
    ),
    # A print of orthochromatic film as a box in an attic keeps it.
    "worn_print": Film(
        (0.14, 0.27, 0.59),
        gamma=(0.8, 1.2),
        black=(0.04, 0.16),
        white=(0.84, 1.0),
        softness=(0.4, 1.0),
        grain=(0.02, 0.08),
        unevenness=(0.02, 0.08),
        damage=0.3,
    ),
    # Anything that an archive may hold: wide ranges around no film in particular.
    "generic": Film(
        (0.3, 0.4, 0.3),
        jitter=0.7,
        gamma=(0.7, 1.4),
        stops=(-0.7, 0.7),
        black=(0.0, 0.3),
        white=(0.75, 1.0),
        softness=(0.2, 1.1),
        grain=(0.0, 0.05),
        unevenness=(0.0, 0.08),
    ),
}


# Several films: each photo is on one of them, whichever its seed says.
BOXES = {"mixed_box": ("blue_plate", "faded_print", "worn_print"), "all_films": tuple(FILMS)}

# Augmentation: each time that a photo is seen, it is on another of these. Elsewhere a photo has one scan.
EVER_NEW = {"generic", "all_films"}


def film_of(name: str, seed: int) -> Film:
    """A film of `FILMS`, or that of photo `seed` in one of `BOXES`, where all its films are as likely.

    Raises
    ------
    CycleColorError
        Naming those that there are.
    """
    names = BOXES.get(name, (name,))
    if names[0] not in FILMS:
        built_in = ", ".join([*FILMS, *BOXES])
        raise CycleColorError(f"{name}: no such film; built in are {built_in}", exit_code=2)
    return FILMS[names[np.random.default_rng((seed, len(names))).integers(len(names))]]


def render(photo: np.ndarray, film: str, seed: int) -> np.ndarray:
    """A color photo as a film of `FILMS`, or its film in one of `BOXES`, shows it.

    Parameters
    ----------
    photo : np.ndarray
        (H, W, 3) uint8 sRGB.
    film : str
    seed : int
        At least 0; of all that varies from photo to photo.

    Returns
    -------
    np.ndarray
        (H, W, 3) uint8, three equal channels.
    """
    generator, stock = torch.Generator().manual_seed(seed), film_of(film, seed)
    linear = _linear_levels()[torch.from_numpy(photo).long()].permute(2, 0, 1)[None]
    gray = _scan(_expose(linear, stock, generator), stock, generator)
    level = (_gray_level(gray)[0, 0] * 255).round().byte().numpy()
    return np.repeat(level[..., None], 3, axis=2)


def _expose(linear: Tensor, film: Film, generator: torch.Generator) -> Tensor:
    """Linear sRGB (1, 3, H, W) to the print's tones (1, 1, H, W), 0 to 1 from its black to its white."""
    spread = torch.exp(film.jitter * torch.randn(3, generator=generator))
    weights = torch.tensor(film.sensitivity) * spread
    light = (linear * (weights / weights.sum()).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    light = blur(light, _draw(film.softness, generator)) * 2 ** _draw(film.stops, generator)
    steps = torch.log10(light.clamp(min=1e-4) / MIDDLE_GRAY)
    # Hurter and Driffield's curve: two decades of light over the range of the print, toe and shoulder.
    return torch.sigmoid(4 * _draw(film.gamma, generator) * steps / 1.6)


def _scan(tones: Tensor, film: Film, generator: torch.Generator) -> Tensor:
    """Tones to lightness (1, 1, H, W) in [0, 1]: grain, unevenness, fading."""
    noise = torch.randn(tones.shape, generator=generator)
    strength = _draw(film.grain, generator) * 4 * tones * (1 - tones)  # none in clear and in full density
    coarseness = torch.full((1, 1, 1, 1), _draw((0.2, 0.8), generator))
    knots = torch.randn((1, 1, KNOTS, KNOTS), generator=generator) * _draw(film.unevenness, generator)
    tones = tones + strength * grain(noise, coarseness) + slow_field(knots, tones.shape[-2:])
    black, white = _draw(film.black, generator), _draw(film.white, generator)
    gray = (black + (white - black) * tones).clamp(0, 1)
    if film.damage:
        gray = damaged(gray, lambda shape, _: torch.randn(shape, generator=generator), film.damage)
    return gray


def _draw(span: tuple[float, float], generator: torch.Generator) -> float:
    low, high = span
    return low + (high - low) * torch.rand((), generator=generator).item()


def _gray_level(lightness: Tensor) -> Tensor:
    """CIE lightness in [0, 1] to the sRGB value of the neutral gray of that lightness."""
    return linear_to_srgb(lightness_to_y(lightness * 100))


@lru_cache(maxsize=1)
def _linear_levels() -> Tensor:
    return srgb_to_linear(torch.arange(256) / 255)
