"""`FilmResnet`: a generator of gray in which a ResNet says what film each photo is shown on."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .encoders import ENCODERS
from .film_generator import STARTS, FilmGenerator, film_numbers

SEEN = 32  # pixels: side of the copy of a photo that the ResNet looks at
STAGES, HIDDEN = 2, 64  # of the ResNet, and features between it and the numbers
LEEWAY = 0.5  # raw: how far the ResNet moves a number at most; half a stop, a factor of 1.6 in a sensitivity


class FilmResnet(FilmGenerator):
    """Renders each photo as a film of its own, whose few numbers a ResNet chooses.

        numbers = mean + spread * noise + f(scene, noise)

    An archive is not one film, and its films were exposed and printed as the scene asked. f, a ResNet that
    looks at a small copy of the photo and at the noise, moves numbers that go together: lifted black with
    lowered white, say, or contrast with a bright sky. Its last layer starts at zero, so that it begins as
    the one film of `FilmGenerator`.

    As there, nothing is repainted: no pattern can hide color. And the ResNet sees lightness alone, or the
    film that it chooses would tell `G_color` something of the colors, which no scan does.

    Parameters
    ----------
    to_linear : callable
        From what the network sees, lightness and chroma (N, 3, H, W), to linear sRGB in [0, 1].
    """

    def __init__(self, to_linear: Callable[[Tensor], Tensor]):
        super().__init__(to_linear)
        self.pool = nn.AdaptiveAvgPool2d(SEEN)
        self.stem, self.stages, channels = ENCODERS["resnet10"](1, STAGES)
        self.hidden = nn.Linear(channels[-1] + len(STARTS), HIDDEN)
        self.answer = nn.Linear(HIDDEN, len(STARTS))
        nn.init.zeros_(self.answer.weight)
        nn.init.zeros_(self.answer.bias)

    def numbers(self, color: Tensor, scatter: Tensor) -> Tensor:
        """Raw parameters (N, 12) for photos (N, 3, H, W) and noise (N, 12)."""
        return super().numbers(color, scatter) + self.moved(color, scatter)

    def moved(self, color: Tensor, scatter: Tensor) -> Tensor:
        """f: how far photos (N, 3, H, W) and noise (N, 12) move the numbers (N, 12), within `LEEWAY`."""
        features = self.stem(self.pool(color[:, :1]))
        for stage in self.stages:
            features = stage(features)
        hidden = F.relu(self.hidden(torch.cat([features.mean(dim=(2, 3)), scatter], dim=1)))
        return LEEWAY * torch.tanh(self.answer(hidden))

    @torch.no_grad()
    def describe(self) -> dict[str, float]:
        """The film on which a photo of a gray card is shown: weights, exposure, curve and so on."""
        card = torch.zeros(1, 3, SEEN, SEEN, device=self.mean.device)
        was_training = self.training
        numbers = film_numbers(self.eval().numbers(card, card.new_zeros(1, len(STARTS)))[0])
        self.train(was_training)
        return numbers
