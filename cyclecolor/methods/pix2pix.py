"""Paired adversarial training: pix2pix (Isola et al., 2017)."""

from torch import Tensor

from .image_pool import ImagePool
from .losses import chroma_l1, discriminator_loss, generator_loss
from .method import Losses, Method, frozen, make_discriminator


class Pix2Pix(Method):
    """`G_color` learns from pairs, and from `D_color`, which sees chroma with its gray."""

    def build(self) -> None:
        """Make `G_color`, `D_color` and their optimizers."""
        experiment, weights = self.experiment, self.experiment.weights
        self.G_color = self.add("G_color", self.build_generator("G_color", experiment))
        self.D_color = self.add("D_color", make_discriminator(3, experiment))
        self.add_optimizer("G", (self.G_color, experiment.learning_rate))
        self.add_optimizer("D", (self.D_color, experiment.discriminator.learning_rate))
        self.pools = {"color": ImagePool(experiment.discriminator.pool_size)}
        self.lambdas = {"gan_color": weights.lambda_gan, "regression": weights.lambda_regression}

    def losses(self, batch: dict[str, Tensor]) -> Losses:
        """Of the generator, then of the discriminator."""
        objective, emphasis = self.experiment.discriminator.objective, self.experiment.weights.chroma_emphasis
        real_gray, real_color = self.read(batch)
        real_chroma = self.shrink(real_color[:, 1:])
        with self.autocast(), frozen(self.D_color):
            fake_chroma = self.G_color(real_gray)
            fake_color = self.discriminator_input(real_gray, fake_chroma)
            generators = {
                "gan_color": generator_loss(self.D_color(fake_color), objective),
                "regression": chroma_l1(fake_chroma, real_chroma, emphasis),
            }

        fake_color = self.pools["color"].query(fake_color.float())
        with self.autocast():
            real = self.D_color(self.discriminator_input(real_gray, real_chroma))
            discriminators = {"D_color": discriminator_loss(real, self.D_color(fake_color), objective)}
        return Losses(generators, discriminators)
