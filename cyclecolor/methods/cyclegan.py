"""Unpaired training: the CycleGAN of Zhu et al. (2017), chroma-native and with an honest cycle."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .guard import guard
from .image_pool import ImagePool
from .losses import discriminator_loss, generator_loss, l1, weighted_sum
from .method import Method, build_discriminator, build_generator, frozen, update


class CycleGAN(Method):
    """Two generators, two discriminators, cycle consistency and identity in the shared space.

    `G_color` sees gray and emits chroma: the lightness of a coloured photo is the gray itself. So
    `fake_color`, `rec_color` and `identity_color` are chroma.
    """

    paired = False

    def build(self) -> None:
        """Make `G_color`, `G_gray`, `D_color`, `D_gray`, one optimizer a side, one pool a domain."""
        experiment = self.experiment
        self.G_color = self.add("G_color", build_generator("G_color", experiment.G_color))
        self.G_gray = self.add("G_gray", build_generator("G_gray", experiment.G_gray))
        self.D_color = self.add("D_color", build_discriminator(3, experiment))
        self.D_gray = self.add("D_gray", build_discriminator(1, experiment))
        self.add_optimizer("G", self.G_color, self.G_gray)
        self.add_optimizer("D", self.D_color, self.D_gray)
        size = experiment.discriminator.pool_size
        self.pools = {"color": ImagePool(size), "gray": ImagePool(size)}

        weights = experiment.weights
        self.lambdas = {
            **dict.fromkeys(("gan_color", "gan_gray"), weights.lambda_gan),
            **dict.fromkeys(("cycle_gray", "cycle_color"), weights.lambda_cycle),
            **dict.fromkeys(("identity_gray", "identity_color"), weights.lambda_identity),
        }

    def train_step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Update both generators, then both discriminators."""
        real_gray, lightness, real_color = self.read(batch)
        with self.autocast(), frozen(self.D_color, self.D_gray):
            fake_gray, identity_gray = self.to_gray(real_gray, lightness, real_color)
            # One pass for three translations: of the gray pile, of the fakes, of known lightness.
            fake_color, rec_color, identity_color = self.G_color(
                torch.cat([real_gray, fake_gray, lightness])
            ).chunk(3)
            rec_gray = self.G_gray(self.join(real_gray, fake_color))
            fake_photo = self.judged(real_gray, fake_color)
            objective = self.experiment.discriminator.objective
            losses = {
                "gan_color": generator_loss(self.D_color(fake_photo), objective),
                "gan_gray": generator_loss(self.D_gray(fake_gray), objective),
                "cycle_gray": l1(rec_gray, real_gray),
                "cycle_color": l1(rec_color, real_color),
                "identity_gray": l1(identity_gray, real_gray),
                "identity_color": l1(identity_color, real_color),
            }
        update(self.optimizers["G"], weighted_sum(losses, self.lambdas))

        losses |= self.discriminator_losses(
            real_gray, self.judged(lightness, real_color), fake_gray, fake_photo
        )
        update(self.optimizers["D"], losses["D_color"] + losses["D_gray"])
        return losses

    def to_gray(self, real_gray: Tensor, lightness: Tensor, chroma: Tensor) -> list[Tensor]:
        """`fake_gray` of colour photos, guarded, and `identity_gray` of gray ones, in one pass."""
        no_chroma = torch.zeros_like(chroma)
        photos = [self.join(lightness, chroma), self.join(real_gray, no_chroma)]
        fake_gray, identity_gray = self.G_gray(torch.cat(photos)).chunk(2)
        return [guard(fake_gray, **self.experiment.guard.model_dump()), identity_gray]

    def discriminator_losses(
        self, real_gray: Tensor, real_photo: Tensor, fake_gray: Tensor, fake_photo: Tensor
    ) -> dict[str, Tensor]:
        """Both discriminators on real images and on fakes of now and before."""
        objective = self.experiment.discriminator.objective
        fake_photo = self.pools["color"].query(fake_photo.float())
        fake_gray = self.pools["gray"].query(fake_gray.float())
        with self.autocast():
            return {
                "D_color": discriminator_loss(self.D_color(real_photo), self.D_color(fake_photo), objective),
                "D_gray": discriminator_loss(self.D_gray(real_gray), self.D_gray(fake_gray), objective),
            }

    def join(self, lightness: Tensor, chroma: Tensor) -> Tensor:
        """A colour image as `G_gray` sees it: (N, 3, H, W) at the size of the lightness."""
        if chroma.shape[-2:] != lightness.shape[-2:]:
            chroma = F.interpolate(chroma.float(), size=lightness.shape[-2:], mode="bilinear")
        return torch.cat([lightness, chroma], dim=1)
