"""Which films `G_gray` shows photos on: the range of their numbers, and the share of each kind."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from ..data import render_scene
from ..distributed import normal
from ..film import Noise
from ..inference import Colorizer
from ..networks import FilmGenerator, film_numbers
from .inputs import to_tensor

SCENES, DRAWN = 64, 512  # generated scenes, and films drawn for them in turn
MOST = (0.1, 0.9)  # quantiles between which four films of five lie

Film = dict[str, float]

# The first that fits. An emulsion without dyes sees blue; orthochromatic ones see green too, and no red.
EMULSIONS: dict[str, Callable[[Film], bool]] = {
    "blue-sensitive": lambda film: film["blue"] > 0.6,
    "orthochromatic": lambda film: film["red"] < 0.1,
    "panchromatic": lambda film: True,
}
FADED = 0.15  # how far black is lifted or white lowered


def films_of(colorizer: Colorizer) -> list[Film]:
    """Films drawn as in training, for generated scenes; none if `G_gray` is no film."""
    G_gray = colorizer.generators.get("G_gray")
    if not isinstance(G_gray, FilmGenerator):
        return []
    scenes = to_tensor([render_scene(0, i) for i in range(SCENES)])
    color = colorizer.space.color(scenes).to(colorizer.device).repeat(DRAWN // SCENES, 1, 1, 1)
    return [film_numbers(raw) for raw in G_gray.drawn(color, seeded(color.device))]


def seeded(device: torch.device) -> Noise:
    """The same noise each time."""
    return partial(normal, generator=torch.Generator(device).manual_seed(0))


def ranges(films: list[Film]) -> dict[str, tuple[float, float]]:
    """Between what four films of five lie, by number."""
    return {name: tuple(np.quantile([film[name] for film in films], MOST)) for name in films[0]}


def shares(films: list[Film]) -> dict[str, float]:
    """Share of each emulsion, summing to 1, and of faded prints on any of them."""
    kinds = [next(kind for kind, fits in EMULSIONS.items() if fits(film)) for film in films]
    found = {kind: kinds.count(kind) / len(films) for kind in EMULSIONS}
    faded = sum(max(film["black"], film["white"]) > FADED for film in films) / len(films)
    return {kind: share for kind, share in found.items() if share} | {"faded": faded}
