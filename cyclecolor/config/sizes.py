"""The smallest crops that the layers of an experiment can work on."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .schema import Experiment

Limit = tuple[int, str, str]  # the least `data.size`, for what, and what else would do


def of_discriminators(experiment: "Experiment") -> Iterator[Limit]:
    """For the discriminators' layers.

    Scales and strided layers halve a map; the two convolutions after them take a pixel each.
    """
    if experiment.method in ("regression", "distillation"):
        return
    options, G_color = experiment.discriminator, experiment.G_color
    stride = G_color.stride if G_color.type == "fusion" else 1  # `D_color` sees chroma as `G_color` makes it
    least = 3 << (options.layers + options.scales - 1)
    cause = f"discriminator.layers = {options.layers} and scales = {options.scales}"
    cause += f" with G_color.stride = {stride}" if stride > 1 else ""
    yield stride * (least - 1) + 1, cause, "fewer layers"


def of_batch_norms(experiment: "Experiment") -> Iterator[Limit]:
    """Likewise for a batch of one image: of a map of one pixel, a batch norm knows no spread."""
    unpaired, identity = experiment.method == "cyclegan", experiment.weights.lambda_identity > 0
    images = {"G_color": 2 if unpaired and not identity else 1}  # real and fake gray pass together
    images |= {"G_gray": 1} if unpaired else {}
    for name, count in images.items():
        options = getattr(experiment, name)
        if options.type == "fusion" and count * experiment.batch_size == 1:
            cause = f"{name}.stages = {options.stages} at batch_size = 1"
            yield (1 << (options.stages + 1)) + 1, cause, "a larger batch_size"
