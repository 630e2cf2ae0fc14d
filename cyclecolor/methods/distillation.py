"""Paired training that also learns from other networks: an ensemble, distilled into one."""

import torch
from torch import Tensor, nn

from .losses import chroma_l1
from .method import Losses
from .regression import Regression


class Distillation(Regression):
    """`G_color` learns the chroma of pairs, and the mean of what its teachers make of the same photos.

    Several networks that were trained apart are wrong in ways of their own, and their mean is nearer to
    the truth than each of them; one network can learn to answer as their mean does (Hinton et al., 2015).
    Teachers see lightness, also where the pairs show `G_color` the photo on film.

    Attributes
    ----------
    teachers : list of nn.Module
        Lightness (N, 1, H, W) to scaled chroma, of `G_color`'s space and size; `training` puts them there.
    """

    def build(self) -> None:
        """As regression; one more weight."""
        super().build()
        self.teachers: list[nn.Module] = []
        self.lambdas["distillation"] = self.experiment.weights.lambda_distillation

    def losses(self, batch: dict[str, Tensor]) -> Losses:
        """Of the generator; there is no discriminator."""
        emphasis = self.experiment.weights.chroma_emphasis
        real_gray, real_color = self.read(batch)
        real_chroma = self.shrink(real_color[:, 1:])
        with self.autocast():
            chroma = self.G_color(real_gray)
            with torch.no_grad():
                answers = [teacher(real_color[:, :1]).float() for teacher in self.teachers]
                taught = torch.stack(answers).mean(dim=0)
            generators = {
                "regression": chroma_l1(chroma, real_chroma, emphasis),
                "distillation": chroma_l1(chroma, taught, emphasis),
            }
        return Losses(generators, {})
