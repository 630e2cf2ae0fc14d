"""`Method`: what every training method has in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import Dataset

from ..color import SPACES, ColorSpace, RGBSpace
from ..config import Experiment, Generator
from ..networks import (
    GENERATORS,
    FilmGenerator,
    FilmResnet,
    FusionGenerator,
    GrayResidual,
    PatchDiscriminator,
    Recomputed,
    stride_of,
)
from .image_pool import ImagePool

ADAM_BETAS = (0.5, 0.999)  # Radford et al., 2016


class Losses(NamedTuple):
    """The named parts of the generators' loss, still to be weighted, and of the discriminators'."""

    generators: dict[str, Tensor]
    discriminators: dict[str, Tensor]


class Method(ABC):
    """Networks, their optimizers and pools, and the losses of a batch. `training/step.py` takes the step.

    Attributes
    ----------
    networks : dict of str to nn.Module
        `G_color` always; `G_gray`, `D_color`, `D_gray` where the method has them.
    optimizers : dict of str to Optimizer
    pools : dict of str to ImagePool
    lambdas : dict of str to float
        The weight of each part of the generators' loss.
    """

    paired = True  # whether a batch's gray photos are those of its color photos
    in_rgb = False  # whether generators see and make whole RGB images, lightness included

    def __init__(self, experiment: Experiment, *, device: torch.device, bfloat16: bool = False):
        self.experiment = experiment
        self.device = device
        self.bfloat16 = bfloat16
        self.space = self.color_space(experiment)
        self.networks: dict[str, nn.Module] = {}
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        self.pools: dict[str, ImagePool] = {}
        self.lambdas: dict[str, float] = {}
        self.build()

    @abstractmethod
    def build(self) -> None:
        """Make networks, optimizers, pools and weights."""

    @abstractmethod
    def losses(self, batch: dict[str, Tensor]) -> Losses:
        """The losses of `gray` and `color`, each uint8 sRGB (N, 3, H, W); pools take up the fakes."""

    def before_training(self, dataset: Dataset[Any], progress: Callable[[Tensor], Iterable[Tensor]]) -> None:
        """What is to be done with the data before the first step; by default nothing."""
        return

    @classmethod
    def color_space(cls, experiment: Experiment) -> ColorSpace | RGBSpace:
        """The channels that generators see and make."""
        return SPACES[experiment.space]

    @classmethod
    def build_generator(cls, name: str, experiment: Experiment) -> nn.Module:
        """`G_color` (1 channel in, 2 out) or `G_gray` (3 in, 1 out) from its table."""
        options = getattr(experiment, name)
        if options.is_film:
            film = FilmResnet if options.type == "film_resnet" else FilmGenerator
            return film(SPACES[experiment.space].linear)
        if name == "G_color":
            generator = make_generator(options, 1, 2)
            if experiment.keep_statistics:
                hold_statistics(generator)
            return generator
        return GrayResidual(make_generator(options, 3, 1))

    def add(self, name: str, network: nn.Module) -> nn.Module:
        """Register a network under its name, move it to the device, and return what `losses` calls."""
        self.networks[name] = network.to(self.device)
        again = self.experiment.checkpointing and name.startswith("G_")
        return Recomputed(network) if again else network

    def load_pretrained(self, names: Iterable[str] = ("G_color", "G_gray")) -> None:
        """Let the encoders of these generators start from ImageNet's weights, where the experiment says so.

        Raises
        ------
        CycleColorError
            If the weights cannot be had.
        """
        for name in names:
            if name in self.networks and getattr(self.experiment, name).pretrained:
                for generator in _fusions(self.networks[name]):
                    generator.load_imagenet()

    def add_optimizer(self, name: str, *networks: tuple[nn.Module, float]) -> None:
        """Register an Adam over some networks, each with the learning rate that it starts from."""
        groups = [group for network, rate in networks for group in parameter_groups(network, rate)]
        self.optimizers[name] = torch.optim.Adam(groups, betas=ADAM_BETAS)

    def read(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """A batch as generators see it.

        Returns
        -------
        gray : Tensor
            Lightness (N, 1, H, W); in RGB, images (N, 3, H, W).
        color : Tensor
            Lightness and chroma (N, 3, H, W); in RGB, images.
        """
        gray, color = (batch[pile].to(self.device).float() / 255 for pile in ("gray", "color"))
        return self.space.gray(gray), self.space.color(color)

    def chroma(self, G_color: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Scaled chroma (N, 2, h, w) that a `G_color` makes of a batch's gray, and that of its photos."""
        gray, color = self.read(batch)
        return G_color(gray).float(), self.shrink(color[:, 1:])

    def shrink(self, image: Tensor) -> Tensor:
        """(N, C, H, W) averaged to the size at which `G_color` emits chroma."""
        stride = stride_of(self.networks["G_color"])
        return F.avg_pool2d(image, stride, ceil_mode=True) if stride > 1 else image

    def discriminator_input(self, lightness: Tensor, chroma: Tensor) -> Tensor:
        """What `D_color` sees: lightness and chroma (N, 3, h, w) at the size of the chroma."""
        return torch.cat([self.shrink(lightness), chroma], dim=1)

    def autocast(self) -> torch.autocast:
        """Forward passes in bfloat16 where the method was built so, else in float32."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16)


def parameter_groups(network: nn.Module, rate: float) -> list[dict[str, Any]]:
    """The parameters of a network with the rates that they start from: encoders may have one of their own."""
    groups, slower = [], set()
    for generator in _fusions(network):
        if generator.encoder_rate != 1:
            groups.append((generator.encoder_parameters(), rate * generator.encoder_rate))
            slower.update(groups[-1][0])
    groups.append(([p for p in network.parameters() if p not in slower], rate))
    return [{"params": params, "lr": rate, "initial_lr": rate} for params, rate in groups]


def _fusions(network: nn.Module) -> Iterator[FusionGenerator]:
    return (module for module in network.modules() if isinstance(module, FusionGenerator))


def make_generator(options: Generator, in_channels: int, out_channels: int) -> nn.Module:
    """A `resnet` or `fusion` generator from its table.

    Weights are random: `Method.load_pretrained` is for who trains.
    """
    if options.type == "resnet":
        keywords: dict[str, Any] = {"width": options.width, "blocks": options.blocks}
    else:
        keywords = options.model_dump(include={"encoder", "stages", "width", "stride"})
        keywords["encoder_rate"] = options.encoder_rate if options.pretrained else 1.0
    return GENERATORS[options.type](in_channels, out_channels, **keywords)


def hold_statistics(network: nn.Module) -> None:
    """Let training leave the running statistics of batch normalizations, those in use, as they are.

    While training, each batch is still normalized by its own.
    """
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.0


def make_discriminator(in_channels: int, experiment: Experiment) -> nn.Module:
    """A `PatchDiscriminator` from the experiment's table."""
    options = experiment.discriminator.model_dump(exclude={"objective", "learning_rate", "pool_size"})
    return PatchDiscriminator(in_channels, **options)


@contextmanager
def frozen(*networks: nn.Module) -> Iterator[None]:
    """Gradients pass through these networks, but none are kept for their parameters."""
    for network in networks:
        network.requires_grad_(False)
    try:
        yield
    finally:
        for network in networks:
            network.requires_grad_(True)
