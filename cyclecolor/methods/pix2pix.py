"""Paired adversarial training: pix2pix (Isola et al., 2017)."""

from torch import Tensor

from .image_pool import ImagePool
from .losses import chroma_l1, discriminator_loss, generator_loss, weighted_sum
from .method import Method, build_discriminator, build_generator, frozen, update


class Pix2Pix(Method):
    """`G_color` learns from pairs, and from `D_color`, which sees chroma with its gray."""

    def build(self) -> None:
        """Make `G_color`, `D_color` and their optimizers."""
        self.G_color = self.add("G_color", build_generator("G_color", self.experiment))
        self.D_color = self.add("D_color", build_discriminator(3, self.experiment))
        self.add_optimizer("G", (self.G_color, self.experiment.learning_rate))
        self.add_optimizer("D", (self.D_color, self.experiment.discriminator.learning_rate))
        self.pools = {"color": ImagePool(self.experiment.discriminator.pool_size)}
        weights = self.experiment.weights
        self.lambdas = {"gan_color": weights.lambda_gan, "regression": weights.lambda_regression}

    def train_step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Update the generator, then the discriminator."""
        objective, vivid = self.experiment.discriminator.objective, self.experiment.weights.vivid
        real_gray, real_photo = self.read(batch)
        real_color = self.shrink(real_photo[:, 1:])
        with self.autocast(), frozen(self.D_color):
            fake_color = self.G_color(real_gray)
            fake_photo = self.judged(real_gray, fake_color)
            losses = {
                "gan_color": generator_loss(self.D_color(fake_photo), objective),
                "regression": chroma_l1(fake_color, real_color, vivid),
            }
        update(self.optimizers["G"], weighted_sum(losses, self.lambdas))

        fake_photo = self.pools["color"].query(fake_photo.float())
        with self.autocast():
            real = self.D_color(self.judged(real_gray, real_color))
            losses["D_color"] = discriminator_loss(real, self.D_color(fake_photo), objective)
        update(self.optimizers["D"], losses["D_color"])
        return losses
