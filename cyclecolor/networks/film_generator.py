"""`FilmGenerator`: a generator of gray that is a film with learned parameters."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..color import constant
from ..distributed import normal
from ..film import Noise, blur, grain, slow_field, tone, transmitted

LUMINANCE = (0.2127, 0.7152, 0.0722)  # of sRGB's primaries: an emulsion that sees as we do

# Raw parameters and where they start; 0 spectral change, exposure and curve are those of lightness itself,
# and what hides detail starts near nothing (sigmoids at -3 and -4).
STARTS = {
    "red": 0.0,
    "green": 0.0,
    "blue": 0.0,
    "stops": 0.0,
    "contrast": 0.0,
    "shift": 0.0,
    "black": -4.0,
    "white": -4.0,
    "softness": -3.0,
    "unevenness": -4.0,
    "grain": -3.0,
    "coarseness": 0.0,
}
# A learned number is stored this much smaller than it acts, so that Adam, whose steps are of one size for
# all, moves it this much faster than the weights of a network.
GAIN = 20.0
SPREAD_START = -2.0  # softplus(-2) = 0.13
KNOTS = 4  # to a side, of unevenness


class FilmGenerator(nn.Module):
    """Renders color photos as a film whose few parameters are learned: nothing else is repainted.

    Each parameter has a learned mean and a learned spread, sampled for each image; grain and unevenness are
    fresh noise. A film this narrow cannot draw color into the gray, so the cycle through it is honest by
    construction.

    Parameters
    ----------
    to_linear : callable
        From what the network sees, lightness and chroma (N, 3, H, W), to linear sRGB in [0, 1].
    """

    def __init__(self, to_linear: Callable[[Tensor], Tensor]):
        super().__init__()
        self.to_linear = to_linear
        self.mean = nn.Parameter(torch.tensor([start / GAIN for start in STARTS.values()]))
        self.spread = nn.Parameter(torch.full((len(STARTS),), SPREAD_START / GAIN))

    def forward(self, color: Tensor, noise: Noise = normal) -> Tensor:
        """Lightness and chroma (N, 3, H, W) to gray (N, 1, H, W) in [-1, 1]."""
        return self.full_size(color, color, noise)

    def full_size(self, color: Tensor, small: Tensor, noise: Noise = normal) -> Tensor:
        """Gray at the size of `color` (N, 3, H, W), on the film that suits its `small` copy."""
        if not self.training:
            # In use, one photo gives one gray, whenever and wherever it is made.
            noise = partial(normal, generator=torch.Generator(color.device).manual_seed(0))
        with torch.autocast(color.device.type, enabled=False):  # bfloat16 is coarser than a level of 8 bits
            return self.shown(color.float(), self.draw(small.float(), noise), noise)

    def shown(self, color: Tensor, raw: Tensor, noise: Noise) -> Tensor:
        """Photos (N, 3, H, W) on films of these raw parameters (N, 12)."""
        return develop(self.to_linear(color), by_name(raw), noise)

    def draw(self, color: Tensor, noise: Noise) -> Tensor:
        """Raw parameters (N, 12) for photos (N, 3, H, W); with their spread while training."""
        shape = len(color), len(STARTS)
        scatter = noise(shape, color.device) if self.training else torch.zeros(shape, device=color.device)
        return self.numbers(color, scatter)

    def numbers(self, color: Tensor, scatter: Tensor) -> Tensor:
        """Raw parameters (N, 12) for photos (N, 3, H, W) and noise (N, 12): here, one film for all photos."""
        return GAIN * self.mean + F.softplus(GAIN * self.spread) * scatter

    @torch.no_grad()
    def drawn(self, color: Tensor, noise: Noise) -> Tensor:
        """Raw parameters (N, 12) as training draws them for photos (N, 3, H, W), also when in use."""
        return self.numbers(color, noise((len(color), len(STARTS)), color.device))

    @torch.no_grad()
    def begin_as(self, other: "FilmGenerator") -> None:
        """Take over the means and spreads of another film."""
        self.mean.copy_(other.mean)
        self.spread.copy_(other.spread)

    def describe(self) -> dict[str, float]:
        """What the film has become: weights, exposure, curve and so on, at the means."""
        return film_numbers(GAIN * self.mean)


def develop(linear: Tensor, raw: dict[str, Tensor], noise: Noise) -> Tensor:
    """Expose, develop, fade and scan linear sRGB (N, 3, H, W): gray (N, 1, H, W) in [-1, 1]."""
    gray = transmitted(linear, spectral_weights(raw), raw["stops"])
    gray = gray + torch.sigmoid(raw["softness"]) * (blur(gray, 1.0) - gray)
    gray = tone(gray, torch.exp(raw["contrast"] / 2), raw["shift"] / 2)
    black, white = faded(raw["black"]), 1 - faded(raw["white"])
    gray = black + (white - black) * gray + _blemishes(gray, raw, noise)
    return 2 * gray.clamp(0, 1) - 1


def by_name(raw: Tensor) -> dict[str, Tensor]:
    """Raw parameters (N, 12) as `develop` takes them: each (N, 1, 1, 1)."""
    return dict(zip(STARTS, raw[..., None, None].split(1, dim=1), strict=True))


@torch.no_grad()
def film_numbers(raw: Tensor) -> dict[str, float]:
    """What a film with the raw parameters (12,) is: weights of sum 1, stops, slope of the curve and so on."""
    named = by_name(raw[None])
    weights = spectral_weights(named).flatten().tolist()
    scales = {"softness": 1.0, "unevenness": 0.2, "grain": 0.2}
    return {
        **dict(zip(("red", "green", "blue"), weights, strict=True)),
        "stops": named["stops"].item(),
        "contrast": torch.exp(named["contrast"] / 2).item(),
        "shift": named["shift"].item() / 2,
        **{name: faded(named[name]).item() for name in ("black", "white")},
        **{name: scale * torch.sigmoid(named[name]).item() for name, scale in scales.items()},
    }


def _blemishes(gray: Tensor, raw: dict[str, Tensor], noise: Noise) -> Tensor:
    """Grain and unevenness (N, 1, H, W), to be added to tones."""
    speckle = grain(noise(gray.shape, gray.device), torch.sigmoid(raw["coarseness"]))
    slow = slow_field(noise((len(gray), 1, KNOTS, KNOTS), gray.device), gray.shape[-2:])
    return 0.2 * (torch.sigmoid(raw["grain"]) * speckle + torch.sigmoid(raw["unevenness"]) * slow)


def faded(raw: Tensor) -> Tensor:
    """How far black is lifted, or white lowered, in [0, 0.5].

    Fading moves three times as fast as contrast, which can stand in for it: at equal speed, on a faded
    print, contrast went to 0.55 and black stayed at 0.06 of its 0.26.
    """
    start = STARTS["black"]
    return 0.5 * torch.sigmoid(start + 3 * (raw - start))


def spectral_weights(raw: dict[str, Tensor]) -> Tensor:
    """Sensitivities (N, 3, 1, 1) of sum 1: those of luminance where the raw ones are 0."""
    changes = torch.cat([raw["red"], raw["green"], raw["blue"]], dim=1)
    seen = constant(LUMINANCE, changes.device, changes.dtype)
    return torch.softmax(changes + seen.log().view(1, 3, 1, 1), dim=1)
