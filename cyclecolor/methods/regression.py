"""Paired training without a discriminator: the auto-encoder alone."""

from torch import Tensor

from .losses import chroma_l1
from .method import Losses, Method


class Regression(Method):
    """`G_color` learns the chroma of pairs by absolute difference."""

    def build(self) -> None:
        """Make `G_color` and its optimizer."""
        self.G_color = self.add("G_color", self.build_generator("G_color", self.experiment))
        self.add_optimizer("G", (self.G_color, self.experiment.learning_rate))
        self.lambdas = {"regression": self.experiment.weights.lambda_regression}

    def losses(self, batch: dict[str, Tensor]) -> Losses:
        """Of the generator; there is no discriminator."""
        real_gray, real_color = self.read(batch)
        real_chroma = self.shrink(real_color[:, 1:])
        with self.autocast():
            loss = chroma_l1(self.G_color(real_gray), real_chroma, self.experiment.weights.chroma_emphasis)
        return Losses({"regression": loss}, {})
