"""Films of any kind: what an archive may hold, before anything is known of it."""

import torch
from torch import Tensor

from ..color import constant
from ..film import Noise
from .film_generator import LUMINANCE, STARTS, by_name, develop

# Sensitivities to red, green and blue. Emulsions came to see blue, then green too, then red too (Mees and
# James, 1966, chapters 11 and 12), and all that was made lies near the path through these; the last is
# lightness itself, which gray scans of color photos are. Gray pictures alone hardly tell red from green.
PATH = ((0.02, 0.08, 0.90), (0.03, 0.44, 0.53), (0.28, 0.38, 0.34), LUMINANCE)
OFF_PATH = 0.2  # standard deviation of the logarithm of each sensitivity
# Ranges of the rest: how far black is lifted and white lowered (most prints are fresh, so squares of
# uniform numbers), softness, unevenness and grain as `film_numbers` has them; deviations of the curve.
BLACK, WHITE = (0.005, 0.33), (0.005, 0.28)
SOFTNESS, UNEVENNESS, GRAIN = (0.05, 0.8), (0.002, 0.08), (0.002, 0.07)
DEVIATIONS = {"stops": 0.4, "contrast": 0.44, "shift": 0.6, "coarseness": 2.0}  # raw


def any_film(linear: Tensor, noise: Noise) -> Tensor:
    """Linear sRGB (N, 3, H, W), each photo on a film of its own: gray (N, 1, H, W) in [-1, 1]."""
    with torch.autocast(linear.device.type, enabled=False):  # bfloat16 is coarser than a level of 8 bits
        return develop(linear, by_name(any_numbers(len(linear), linear.device, noise)), noise)


def any_numbers(count: int, device: torch.device, noise: Noise) -> Tensor:
    """Raw numbers (N, 12) of as many films, in the order of `STARTS`."""
    even = torch.special.ndtr(noise((6, count), device))  # uniform
    found = dict(zip(("red", "green", "blue"), emulsions(even[0], noise), strict=True))
    for name, deviation in DEVIATIONS.items():
        found[name] = deviation * noise((count,), device)
    found["black"] = _raw_fading(_between(BLACK, even[1] ** 2))
    found["white"] = _raw_fading(_between(WHITE, even[2] ** 2))
    found["softness"] = torch.logit(_between(SOFTNESS, even[3]))
    found["unevenness"] = torch.logit(_between(UNEVENNESS, even[4]) / 0.2)
    found["grain"] = torch.logit(_between(GRAIN, even[5] ** 1.5) / 0.2)
    return torch.stack([found[name] for name in STARTS], dim=1)


def emulsions(places: Tensor, noise: Noise) -> Tensor:
    """Raw sensitivities (3, N) of emulsions about as far along `PATH` as `places` (N,), from 0 to 1."""
    path, seen = (constant(values, places.device, places.dtype) for values in (PATH, LUMINANCE))
    corners = path.log() - seen.log()
    along = places * (len(PATH) - 1)
    before = along.floor().clamp(max=len(PATH) - 2).long()
    raw = torch.lerp(corners[before], corners[before + 1], (along - before)[:, None])
    return (raw + OFF_PATH * noise(raw.shape, raw.device)).T


def _between(span: tuple[float, float], place: Tensor) -> Tensor:
    low, high = span
    return low + (high - low) * place


def _raw_fading(share: Tensor) -> Tensor:
    """The raw numbers of which `faded` makes these shares."""
    start = STARTS["black"]
    return start + (torch.logit(2 * share) - start) / 3
