"""Unpaired training: the CycleGAN of Zhu et al. (2017), chroma-native and with an honest cycle."""

import logging
from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from ..data.seeds import Stream, mixed_seed
from ..distributed import normal
from ..film import blur, damaged
from ..networks import FilmGenerator, any_film
from .bottleneck import bottleneck
from .film_matching import match_film
from .image_pool import ImagePool
from .losses import chroma_l1, discriminator_loss, generator_loss, l1
from .method import Losses, Method, frozen, make_discriminator

DETAIL = 5.0  # detail is some fifth of tones in size
# Crops of each pile to which a film is matched, of them at a time, and the side of the middle that is looked
# at. With a quarter as many, a third at a time, lightness was found to be green by 0.91 (it is by 0.72).
MATCHED, MATCH_BATCH, MATCH_SIDE = 4096, 192, 48

Progress = Callable[[Any], Iterable[Any]]

logger = logging.getLogger("cyclecolor")


class CycleGAN(Method):
    """Two generators, two discriminators, cycle consistency and identity in the shared space.

    `G_color` sees gray and emits chroma: the lightness of a colored photo is the gray itself. `D_color` sees
    chroma on the gray it belongs to; its real examples stand on `fake_gray`, so that gray never tells real
    from fake.
    """

    paired = False

    def build(self) -> None:
        """Make `G_color`, `G_gray`, `D_color`, `D_gray`, one optimizer a side, one pool a domain."""
        experiment, weights = self.experiment, self.experiment.weights
        self.G_color = self.add("G_color", self.build_generator("G_color", experiment))
        self.G_gray = self.add("G_gray", self.build_generator("G_gray", experiment))
        self.D_color = self.add("D_color", make_discriminator(3, experiment))
        self.D_gray = self.add("D_gray", make_discriminator(2, experiment))
        rate, D_rate = experiment.learning_rate, experiment.discriminator.learning_rate
        gray_rate = rate * experiment.film_rate if self._matches_film else rate
        self.add_optimizer("G", (self.G_color, rate), (self.G_gray, gray_rate))
        self.add_optimizer("D", (self.D_color, D_rate), (self.D_gray, D_rate))
        size = experiment.discriminator.pool_size
        self.pools = {"color": ImagePool(size), "gray": ImagePool(size)}
        self.lambdas = {
            **dict.fromkeys(("gan_color", "gan_gray"), weights.lambda_gan),
            "cycle_color": weights.lambda_cycle_color,
            "cycle_gray": weights.lambda_cycle_gray,
            **dict.fromkeys(("identity_gray", "identity_color"), weights.lambda_identity),
        }

    def losses(self, batch: dict[str, Tensor]) -> Losses:
        """Of both generators, then of both discriminators."""
        objective, emphasis = self.experiment.discriminator.objective, self.experiment.weights.chroma_emphasis
        real_gray, real_color = self.read(batch)
        real_gray = self.damaged(real_gray)
        real_chroma = self.shrink(real_color[:, 1:])
        with self.autocast(), frozen(self.D_color, self.D_gray):
            fake_gray = self.damaged(self.on_films(real_color))
            seen_gray = bottleneck(fake_gray, **self.experiment.bottleneck.model_dump())
            fake_chroma, rec_chroma = self.G_color(torch.cat([real_gray, seen_gray])).chunk(2)
            fake_color = self.discriminator_input(real_gray, fake_chroma)
            generators = {
                "gan_color": generator_loss(self.D_color(fake_color), objective),
                "gan_gray": generator_loss(self.D_gray(with_detail(self.found(fake_gray))), objective),
                "cycle_color": chroma_l1(rec_chroma, real_chroma, emphasis),
                **self.gray_losses(real_gray, real_color, fake_chroma, real_chroma),
            }

        fake_color = self.pools["color"].query(fake_color.float())
        fake_gray = self.pools["gray"].query(self.found(fake_gray).float())
        with self.autocast():
            seen_color = self.discriminator_input(seen_gray.detach(), real_chroma)
            real_scan, fake_scan = with_detail(real_gray), with_detail(fake_gray)
            discriminators = {
                "D_color": discriminator_loss(self.D_color(seen_color), self.D_color(fake_color), objective),
                "D_gray": discriminator_loss(self.D_gray(real_scan), self.D_gray(fake_scan), objective),
            }
        return Losses(generators, discriminators)

    def on_films(self, color: Tensor) -> Tensor:
        """Grays (N, 1, H, W) of color photos (N, 3, H, W): the first ones on films of any kind, if wanted.

        What is wrong with the film that was found then does less harm.
        """
        any_kind = self._any_kind(len(color))
        if not any_kind:
            return self.G_gray(color)
        film = self.networks["G_gray"]
        assert isinstance(film, FilmGenerator)
        linear = film.to_linear(color[:any_kind].float())
        return torch.cat([any_film(linear, normal), self.G_gray(color[any_kind:]).float()])

    def found(self, gray: Tensor) -> Tensor:
        """Of `on_films`, those that `G_gray` made: what `D_gray` is to judge."""
        return gray[self._any_kind(len(gray)) :]

    def _any_kind(self, count: int) -> int:
        return min(round(self.experiment.any_film * count), count - 1)

    def damaged(self, gray: Tensor) -> Tensor:
        """Gray (N, 1, H, W) in [-1, 1] with specks and scratches, if the experiment wants it.

        Scans have some, films draw none: over real and fake gray alike, they tell no discriminator
        anything, and `G_color` learns to see past them.
        """
        if not self.experiment.damage:
            return gray
        return 2 * damaged((gray.float() + 1) / 2, normal) - 1

    def gray_losses(
        self, real_gray: Tensor, real_color: Tensor, fake_chroma: Tensor, real_chroma: Tensor
    ) -> dict[str, Tensor]:
        """The losses of the paper that suppose gray to be lightness, where they have weight."""
        losses = {}
        if self.lambdas["cycle_gray"]:
            losses["cycle_gray"] = l1(self.G_gray(self.join(real_gray, fake_chroma)), real_gray)
        if self.lambdas["identity_gray"]:
            no_chroma = torch.zeros_like(real_color[:, 1:])
            losses["identity_gray"] = l1(self.G_gray(self.join(real_gray, no_chroma)), real_gray)
            emphasis = self.experiment.weights.chroma_emphasis
            losses["identity_color"] = chroma_l1(self.G_color(real_color[:, :1]), real_chroma, emphasis)
        return losses

    def join(self, lightness: Tensor, chroma: Tensor) -> Tensor:
        """A color image as `G_gray` sees it: (N, 3, H, W) at the size of the lightness."""
        if chroma.shape[-2:] != lightness.shape[-2:]:
            chroma = F.interpolate(chroma.float(), size=lightness.shape[-2:], mode="bilinear")
        return torch.cat([lightness, chroma], dim=1)

    @property
    def _matches_film(self) -> bool:
        return self.experiment.G_gray.is_film and self.experiment.match_steps > 0

    def before_training(self, dataset: Dataset[Any], progress: Progress) -> None:
        """Begin with the film that matches the gray pile best, on crops of the first steps; say which."""
        film, experiment = self.networks["G_gray"], self.experiment
        if not isinstance(film, FilmGenerator) or not experiment.match_steps:
            return
        count = min(MATCHED, experiment.num_steps * experiment.accumulate * experiment.batch_size)
        samples = (dataset[position] for position in progress(range(count)))
        crops = default_collate(
            [{pile: middle(sample[pile], MATCH_SIDE) for pile in ("gray", "color")} for sample in samples]
        )
        picks = torch.randint(count, (experiment.match_steps, 2, MATCH_BATCH))
        batches = (
            self.read({"gray": crops["gray"][i], "color": crops["color"][j]}) for i, j in progress(picks)
        )
        seed = mixed_seed(experiment.seed, Stream.BEFORE, 1)
        matched = FilmGenerator(film.to_linear).to(self.device)
        match_film(matched, batches, steps=experiment.match_steps, seed=seed)
        film.begin_as(matched)
        numbers = ", ".join(f"{name} {value:.2f}" for name, value in film.describe().items())
        logger.info("the film found in the gray pile: %s", numbers)


def middle(image: Tensor, side: int) -> Tensor:
    """A copy of the middle of an image (C, H, W), of at most `side` x `side` pixels."""
    top, left = (max(0, (whole - side) // 2) for whole in image.shape[-2:])
    return image[..., top : top + side, left : left + side].clone()


def with_detail(gray: Tensor) -> Tensor:
    """What `D_gray` sees: gray (N, 1, H, W) and, amplified, its finest detail (N, 2, H, W).

    Grain and softness are small beside tones; without this a discriminator takes long to look at them.
    """
    with torch.autocast(gray.device.type, enabled=False):
        gray = gray.float()
        return torch.cat([gray, DETAIL * (gray - blur(gray, 1.0))], dim=1)
