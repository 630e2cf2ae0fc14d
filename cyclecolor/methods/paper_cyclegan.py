"""Unpaired training as the paper has it: the CycleGAN of Zhu et al. (2017), from RGB to RGB."""

import torch
from torch import Tensor, nn

from ..color import RGB, SPACES, RGBSpace
from ..config import Experiment
from .bottleneck import bottleneck
from .image_pool import ImagePool
from .losses import discriminator_loss, generator_loss, l1
from .method import Losses, Method, frozen, make_discriminator, make_generator

DEVIATION = 0.02  # of the Gaussian that weights start from


class PaperCycleGAN(Method):
    """Two generators and two discriminators of whole images, cycle consistency and identity both ways.

    `real_gray`, `fake_color` and so on are images (N, 3, H, W). `experiments/paper_cyclegan.toml` has the
    paper's settings; its bottleneck lets everything through, as the paper has none.
    """

    paired = False
    in_rgb = True
    space: RGBSpace

    @classmethod
    def color_space(cls, experiment: Experiment) -> RGBSpace:
        """RGB itself."""
        return RGB

    @classmethod
    def build_generator(cls, name: str, experiment: Experiment) -> nn.Module:
        """Either generator: 3 channels in, 3 out."""
        return make_generator(getattr(experiment, name), 3, 3)

    def build(self) -> None:
        """Make `G_color`, `G_gray`, `D_color`, `D_gray`, one optimizer a side, one pool a domain."""
        experiment, options = self.experiment, self.experiment.discriminator
        self.G_color = self.add("G_color", _initialized(self.build_generator("G_color", experiment)))
        self.G_gray = self.add("G_gray", _initialized(self.build_generator("G_gray", experiment)))
        self.D_color = self.add("D_color", _initialized(make_discriminator(3, experiment)))
        self.D_gray = self.add("D_gray", _initialized(make_discriminator(3, experiment)))
        rate, D_rate = experiment.learning_rate, options.learning_rate
        self.add_optimizer("G", (self.G_color, rate), (self.G_gray, rate))
        self.add_optimizer("D", (self.D_color, D_rate), (self.D_gray, D_rate))
        self.pools = {"color": ImagePool(options.pool_size), "gray": ImagePool(options.pool_size)}

        weights = experiment.weights
        self.lambdas = {
            **dict.fromkeys(("gan_color", "gan_gray"), weights.lambda_gan),
            "cycle_color": weights.lambda_cycle_color,
            "cycle_gray": weights.lambda_cycle_gray,
            **dict.fromkeys(("identity_gray", "identity_color"), weights.lambda_identity),
        }

    def losses(self, batch: dict[str, Tensor]) -> Losses:
        """Of both generators, then of both discriminators."""
        objective = self.experiment.discriminator.objective
        real_gray, real_color = self.read(batch)
        with self.autocast(), frozen(self.D_color, self.D_gray):
            fake_color, same_color = self.translate(self.G_color, real_gray, real_color)
            fake_gray, same_gray = self.translate(self.G_gray, real_color, real_gray)
            seen_gray = bottleneck(fake_gray, **self.experiment.bottleneck.model_dump())
            generators = {
                "gan_color": generator_loss(self.D_color(fake_color), objective),
                "gan_gray": generator_loss(self.D_gray(fake_gray), objective),
                "cycle_color": l1(self.G_color(seen_gray), real_color),
                "cycle_gray": l1(self.G_gray(fake_color), real_gray),
            }
            if same_color is not None and same_gray is not None:
                generators |= {
                    "identity_color": l1(same_color, real_color),
                    "identity_gray": l1(same_gray, real_gray),
                }

        fake_color = self.pools["color"].query(fake_color.float())
        fake_gray = self.pools["gray"].query(fake_gray.float())
        with self.autocast():
            discriminators = {
                "D_color": discriminator_loss(self.D_color(real_color), self.D_color(fake_color), objective),
                "D_gray": discriminator_loss(self.D_gray(real_gray), self.D_gray(fake_gray), objective),
            }
        return Losses(generators, discriminators)

    def translate(self, generator: nn.Module, other: Tensor, own: Tensor) -> tuple[Tensor, Tensor | None]:
        """What a generator makes of the other pile's images and, where that has weight, of its own pile's.

        In one pass, as in instance normalization no image sees another.
        """
        if not self.lambdas["identity_gray"]:
            return generator(other), None
        return generator(torch.cat([other, own])).chunk(2)

    def chroma(self, G_color: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Chroma (N, 2, H, W) that a `G_color` makes of a batch's gray, and that of its photos, as in Lab."""
        gray, color = self.read(batch)
        made, truth = (SPACES["lab"].split(self.space.rgb(image))[1] for image in (G_color(gray), color))
        return made, truth


def _initialized(network: nn.Module) -> nn.Module:
    """As in the paper, and before it is moved: a GPU would draw other numbers."""
    for parameter in network.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=DEVIATION)
        else:
            nn.init.zeros_(parameter)
    return network
