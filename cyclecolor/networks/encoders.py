"""torchvision's ResNets as encoders."""

import torchvision
from torch import nn

ENCODERS = {
    "resnet18": torchvision.models.resnet18,
    "resnet34": torchvision.models.resnet34,
    "resnet50": torchvision.models.resnet50,
}


def encoder_parts(
    name: str, *, in_channels: int, stages: int, pretrained: bool = False
) -> tuple[nn.Sequential, nn.Module, nn.ModuleList]:
    """Stem (half size), pooling (a quarter) and the first residual stages of a ResNet.

    Parameters
    ----------
    name : str
        A key of `ENCODERS`.
    in_channels : int
        Channels of the image.
    stages : int
        1 to 4; each after the first halves the map.
    pretrained : bool
        Start from torchvision's ImageNet weights (downloads them on first use).
    """
    resnet = ENCODERS[name](weights="DEFAULT" if pretrained else None)
    first = resnet.conv1
    if in_channels != first.in_channels:
        resnet.conv1 = _adapt(first, in_channels)
    layers = (resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4)
    stem = nn.Sequential(resnet.conv1, resnet.bn1, resnet.relu)
    return stem, resnet.maxpool, nn.ModuleList(layers[:stages])


def out_channels_of(stage: nn.Sequential) -> int:
    """Channels of the maps that a residual stage makes."""
    convolutions = [m for m in stage[-1].modules() if isinstance(m, nn.Conv2d)]
    return convolutions[-1].out_channels


def _adapt(convolution: nn.Conv2d, in_channels: int) -> nn.Conv2d:
    """The same first convolution for another number of channels.

    Summed over RGB, its weights answer to gray as they did to three equal channels.
    """
    adapted = nn.Conv2d(in_channels, convolution.out_channels, 7, 2, 3, bias=False)
    weight = convolution.weight.detach().sum(dim=1, keepdim=True) / in_channels
    adapted.weight = nn.Parameter(weight.repeat(1, in_channels, 1, 1))
    return adapted
