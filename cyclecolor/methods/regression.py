"""Paired training without a discriminator: the auto-encoder alone."""

from torch import Tensor

from .losses import chroma_l1
from .method import Method, build_generator, update


class Regression(Method):
    """`G_color` learns the chroma of pairs by absolute difference."""

    def build(self) -> None:
        """Make `G_color` and its optimizer."""
        self.G_color = self.add("G_color", build_generator("G_color", self.experiment))
        self.add_optimizer("G", (self.G_color, self.experiment.learning_rate))

    def train_step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Update the generator."""
        real_gray, real_photo = self.read(batch)
        real_color = self.shrink(real_photo[:, 1:])
        weights = self.experiment.weights
        with self.autocast():
            loss = chroma_l1(self.G_color(real_gray), real_color, weights.vivid)
        update(self.optimizers["G"], weights.lambda_regression * loss)
        return {"regression": loss}
