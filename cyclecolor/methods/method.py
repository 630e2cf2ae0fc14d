"""`Method`: what every training method has in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import Dataset

from ..color import RGB, SPACES
from ..config import Experiment
from ..networks import (
    GENERATORS,
    FilmGenerator,
    FilmResnet,
    FusionGenerator,
    GrayResidual,
    PatchDiscriminator,
    Recomputed,
)
from .image_pool import ImagePool

FILMS = {"film": FilmGenerator, "film_resnet": FilmResnet}
ADAM_BETAS = (0.5, 0.999)  # Radford et al., 2016


class Method(ABC):
    """Networks, their optimizers and pools, and one update of them.

    Attributes
    ----------
    networks : dict of str to nn.Module
        `G_color` always; `G_gray`, `D_color`, `D_gray` where the method has them.
    optimizers : dict of str to Optimizer
    pools : dict of str to ImagePool
    """

    paired = True

    def __init__(self, experiment: Experiment, *, device: torch.device, bfloat16: bool = False):
        self.experiment = experiment
        self.device = device
        self.bfloat16 = bfloat16
        self.space = SPACES.get(experiment.space, RGB)
        self.networks: dict[str, nn.Module] = {}
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        self.pools: dict[str, ImagePool] = {}
        self.build()

    @abstractmethod
    def build(self) -> None:
        """Make networks, optimizers and pools."""

    @abstractmethod
    def train_step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """One update from `gray` and `color`, each uint8 sRGB (N, 3, H, W); returns named losses."""

    def prepare(self, dataset: Dataset, progress: Callable[[Iterable], Iterable] = iter) -> str:
        """What is to be done with the data before the first step, and then said; by default nothing.

        `progress` walks what takes long, and may show how far it is.
        """
        return ""

    def add(self, name: str, network: nn.Module) -> nn.Module:
        """Register a network under its name, move it to the device, and return what a step calls."""
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

    def add_optimizer(self, name: str, *networks: tuple[nn.Module, float]) -> torch.optim.Optimizer:
        """Register an Adam over some networks, each with the learning rate that it starts from."""
        groups = [group for network, rate in networks for group in parameter_groups(network, rate)]
        self.optimizers[name] = torch.optim.Adam(groups, betas=ADAM_BETAS)
        return self.optimizers[name]

    def read(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """A batch as gray (N, 1, H, W), and the colour photos as lightness and chroma (N, 3, H, W).

        In RGB, both are images (N, 3, H, W).
        """
        gray, color = (batch[pile].to(self.device).float() / 255 for pile in ("gray", "color"))
        return self.space.gray(gray), self.space.color(color)

    def chroma(self, G_color: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Scaled chroma (N, 2, h, w) that a `G_color` makes of a batch's gray, and that of its photos."""
        gray, photo = self.read(batch)
        return G_color(gray).float(), self.shrink(photo[:, 1:])

    def shrink(self, image: Tensor) -> Tensor:
        """(N, C, H, W) averaged to the size at which `G_color` emits chroma."""
        stride = self.networks["G_color"].stride
        return F.avg_pool2d(image, stride, ceil_mode=True) if stride > 1 else image

    def judged(self, lightness: Tensor, chroma: Tensor) -> Tensor:
        """What `D_color` sees: lightness and chroma (N, 3, h, w) at the size of the chroma."""
        return torch.cat([self.shrink(lightness), chroma], dim=1)

    def autocast(self) -> torch.autocast:
        """Forward passes in bfloat16 where the method was built so, else in float32."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16)


def parameter_groups(network: nn.Module, rate: float) -> list[dict]:
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


def build_generator(name: str, experiment: Experiment) -> nn.Module:
    """`G_color` (1 channel in, 2 out) or `G_gray` (3 in, 1 out) from its table; in RGB, 3 in and 3 out.

    Weights are random: `Method.load_pretrained` is for who trains.
    """
    options = getattr(experiment, name)
    if options.type in FILMS:
        return FILMS[options.type](SPACES[experiment.space].linear)
    if options.type == "resnet":
        keywords = {"width": options.width, "blocks": options.blocks}
    else:
        keywords = options.model_dump(include={"encoder", "stages", "width", "stride"})
        keywords["encoder_rate"] = options.encoder_rate if options.pretrained else 1.0
    make = GENERATORS[options.type]
    if experiment.space == "rgb":
        return make(3, 3, **keywords)
    return make(1, 2, **keywords) if name == "G_color" else GrayResidual(make(3, 1, **keywords))


def build_discriminator(in_channels: int, experiment: Experiment) -> nn.Module:
    """A `PatchDiscriminator` from the experiment's table."""
    options = experiment.discriminator.model_dump(exclude={"objective", "learning_rate", "pool_size"})
    return PatchDiscriminator(in_channels, **options)


_held_back = False


def update(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """One step of an optimizer down the gradient of a loss; inside `held_back`, the gradient alone."""
    loss.backward()
    if not _held_back:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


@contextmanager
def held_back() -> Iterator[None]:
    """Let `update` add gradients and leave the steps to the caller, who may look at them first."""
    global _held_back
    _held_back = True
    try:
        yield
    finally:
        _held_back = False


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
