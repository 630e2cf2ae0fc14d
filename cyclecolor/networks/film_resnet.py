"""`FilmResnet`: a generator of gray in which a ResNet says which film each photo was taken on."""

import zlib
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..distributed import normal
from ..film import Noise
from .encoders import ENCODERS
from .film_generator import GAIN, SPREAD_START, STARTS, by_name, develop, film_numbers

FILMS = 6  # at most, in one archive
SEEN = 32  # pixels: side of the copy of a photo that the ResNet looks at
STAGES, HIDDEN = 2, 64  # of the ResNet (a resnet10), and features between it and the numbers
LEEWAY = 1.0  # raw: how far a scene can move a film's numbers; a stop, or a factor of e in a sensitivity
USUAL_RATE = 0.02  # of the running mean of what the ResNet sees
ALIKE = 0.1  # of 2, black to white: films that show a chart of colors this nearly alike count as one
CHART = 4  # levels of red, of green and of blue
LEAST_SHARE = 0.02  # below which a film is not listed


class FilmResnet(nn.Module):
    """Renders color photos on one of several films, whose few numbers a ResNet fits to the photo.

        numbers = mean[film] + spread[film] * noise + f(scene, noise, mean[film])

    An archive is not one film: which one a photo is on is drawn by `shares`. f, a ResNet that looks at a
    small copy of the photo, moves the numbers with the scene, as whoever exposed and printed it did; its last
    layer starts at zero. Nothing is repainted: as with `FilmGenerator`, each gray is what a film with
    readable numbers shows, so that no color can be drawn into it.

    Parameters
    ----------
    to_linear : callable
        From what the network sees, lightness and chroma (N, 3, H, W), to linear sRGB in [0, 1].

    Attributes
    ----------
    means, spreads : nn.Parameter
        (FILMS, 12), raw, in the order of `STARTS`; stored by `GAIN` smaller than they act.
    shares : Tensor
        (FILMS,), of sum 1; training leaves them as matching found them.
    """

    shares: Tensor
    usual: Tensor

    def __init__(self, to_linear: Callable[[Tensor], Tensor]):
        super().__init__()
        self.to_linear = to_linear
        starts = torch.tensor([start / GAIN for start in STARTS.values()])
        self.means = nn.Parameter(starts.repeat(FILMS, 1))
        self.spreads = nn.Parameter(torch.full((FILMS, len(STARTS)), SPREAD_START / GAIN))
        self.register_buffer("shares", torch.full((FILMS,), 1 / FILMS))
        self.stem, self.stages, channels = ENCODERS["resnet10"](3, STAGES)
        self.hidden = nn.Linear(channels[-1] + 2 * len(STARTS), HIDDEN)
        self.answer = nn.Linear(HIDDEN, len(STARTS))
        nn.init.zeros_(self.answer.weight)
        nn.init.zeros_(self.answer.bias)
        self.register_buffer("usual", torch.zeros(channels[-1]))  # scene, where there is no photo to look at

    def forward(self, color: Tensor, noise: Noise = normal) -> Tensor:
        """Lightness and chroma (N, 3, H, W) to gray (N, 1, H, W) in [-1, 1]."""
        return self.full_size(color, color, noise)

    def full_size(self, color: Tensor, small: Tensor, noise: Noise = normal) -> Tensor:
        """Gray at the size of `color` (N, 3, H, W), on the films that suit its `small` copy.

        In use, one photo gives one gray: its noise is a function of its small copy alone.
        """
        with torch.autocast(color.device.type, enabled=False):  # bfloat16 is coarser than a level of 8 bits
            seen = F.interpolate(small.float(), size=(SEEN, SEEN), mode="area")
            if not self.training:
                noise = _noise_of(seen)
            films = self.pick(noise((len(seen), 1), seen.device)[:, 0])
            return self._render(color, seen, films, noise)

    def on_film(self, color: Tensor, film: int) -> Tensor:
        """Lightness and chroma (N, 3, H, W) to gray (N, 1, H, W), all on one film: how it is in use."""
        seen = F.interpolate(color.float(), size=(SEEN, SEEN), mode="area")
        films = torch.full((len(color),), film, device=color.device)
        return self._render(color, seen, films, _noise_of(seen))

    def _render(self, color: Tensor, seen: Tensor, films: Tensor, noise: Noise) -> Tensor:
        raw = self.numbers(seen, films, noise((len(seen), len(STARTS)), seen.device))
        return develop(self.to_linear(color.float()), by_name(raw), noise)

    def pick(self, noise: Tensor) -> Tensor:
        """Standard normal numbers (N,) to films (N,), each as often as its share."""
        ends = self.shares.cumsum(0)[:-1]
        return torch.bucketize(torch.special.ndtr(noise), ends, right=True)

    def numbers(self, seen: Tensor, films: Tensor, noise: Tensor) -> Tensor:
        """Raw numbers (N, 12) of photos `seen` (N, 3, 32, 32) on `films` (N,), of noise (N, 12)."""
        means, spreads = GAIN * self.means[films], F.softplus(GAIN * self.spreads[films])
        return means + spreads * noise + self.moved(self.scenes(seen), noise, means)

    def scenes(self, seen: Tensor) -> Tensor:
        """What the ResNet says of photos (N, 3, 32, 32): pooled features (N, C)."""
        features = self.stem(seen)
        for stage in self.stages:
            features = stage(features)
        pooled = features.mean(dim=(2, 3))
        if self.training:
            self.usual.lerp_(pooled.detach().mean(dim=0), USUAL_RATE)
        return pooled

    def moved(self, scenes: Tensor, noise: Tensor, means: Tensor) -> Tensor:
        """f: how far scenes (N, C) move numbers (N, 12), within LEEWAY."""
        hidden = F.relu(self.hidden(torch.cat([scenes, noise, means], dim=1)))
        return LEEWAY * torch.tanh(self.answer(hidden))

    @torch.no_grad()
    def usual_numbers(self) -> Tensor:
        """Raw numbers (FILMS, 12) of each film on the usual scene."""
        means = GAIN * self.means
        return means + self.moved(self.usual.expand(FILMS, -1), torch.zeros_like(means), means)

    def films(self) -> list[tuple[float, int]]:
        """Films as they are listed: shares and the index of each, largest first; those alike are one.

        Alike are films that show a chart of colors by less than ALIKE apart, on average: it knows nothing of
        grain and of softness, which do not change what colors become.
        """
        raw = self.usual_numbers()
        found: list[tuple[float, int]] = []
        charts = chart_grays(raw)
        for film in self.shares.argsort(descending=True).tolist():
            share = self.shares[film].item()
            same = (
                i for i, (_, other) in enumerate(found) if (charts[film] - charts[other]).abs().mean() < ALIKE
            )
            if (i := next(same, None)) is not None:
                found[i] = (found[i][0] + share, found[i][1])
            elif share >= LEAST_SHARE:
                found.append((share, film))
        return sorted(found, reverse=True)

    def describe(self) -> list[tuple[float, dict[str, float]]]:
        """The films of `films`, each with its share and its numbers on the usual scene."""
        raw = self.usual_numbers()
        return [(share, film_numbers(raw[film])) for share, film in self.films()]


@torch.no_grad()
def chart_grays(raw: Tensor) -> Tensor:
    """How films (N, 12) show a chart of 64 colors, evenly spread over sRGB: (N, 64) in [-1, 1]."""
    levels = torch.linspace(0.1, 0.95, CHART, device=raw.device) ** 2.2  # about linear
    chart = torch.cartesian_prod(levels, levels, levels).T.reshape(1, 3, 1, -1)
    nothing: Noise = lambda shape, device: torch.zeros(shape, device=device)  # noqa: E731
    return develop(chart.expand(len(raw), -1, -1, -1), by_name(raw), nothing).flatten(1)


def _noise_of(seen: Tensor) -> Noise:
    """Standard normal noise, image by image, each a function of that image in 8 bits alone."""
    levels = (127.5 * (seen + 1)).round().clamp(0, 255).byte().cpu()
    generators = [
        torch.Generator(seen.device).manual_seed(zlib.crc32(image.numpy().tobytes())) for image in levels
    ]

    def noise(shape: tuple[int, ...], device: torch.device) -> Tensor:
        return torch.stack([torch.randn(shape[1:], generator=own, device=device) for own in generators])

    return noise
