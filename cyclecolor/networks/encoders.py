"""ResNets (He et al., 2016) as encoders.

Parameters have torchvision's names, so that its weights fit; torchvision itself, which takes as long to
import as torch, is there for ImageNet weights alone. It has none of `resnet10`, a block a stage, which
colors as well as `resnet18` here and takes three fifths of its time.
"""

import torch.nn.functional as F
from torch import Tensor, nn

ENCODERS = {  # blocks of each stage; whether they are bottlenecks
    "resnet10": ((1, 1, 1, 1), False),
    "resnet18": ((2, 2, 2, 2), False),
    "resnet34": ((3, 4, 6, 3), False),
    "resnet50": ((3, 4, 6, 3), True),
}
WIDTHS = (64, 128, 256, 512)


class Residual(nn.Module):
    """Two convolutions of 3 x 3, or a bottleneck: one between two of 1 x 1; their input is added."""

    def __init__(self, in_channels: int, width: int, *, stride: int, bottleneck: bool):
        super().__init__()
        self.out_channels = 4 * width if bottleneck else width
        sides, strides = ((1, 3, 1), (1, stride, 1)) if bottleneck else ((3, 3), (stride, 1))
        channels = [in_channels, *[width] * (len(sides) - 1), self.out_channels]
        for i, (side, step) in enumerate(zip(sides, strides, strict=True)):
            self.add_module(f"conv{i + 1}", _convolution(channels[i], channels[i + 1], side, step))
            self.add_module(f"bn{i + 1}", nn.BatchNorm2d(channels[i + 1]))
        self.depth = len(sides)
        self.downsample = None
        if stride > 1 or in_channels != self.out_channels:
            convolution = _convolution(in_channels, self.out_channels, 1, stride)
            self.downsample = nn.Sequential(convolution, nn.BatchNorm2d(self.out_channels))

    def forward(self, image: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        features = image
        for i in range(1, self.depth + 1):
            features = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(features))
            if i < self.depth:
                features = F.relu(features, inplace=True)
        features += image if self.downsample is None else self.downsample(image)
        return F.relu(features, inplace=True)


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
        Start from torchvision's ImageNet weights (downloads them on first use); not for `resnet10`.
    """
    counts, bottleneck = ENCODERS[name]
    stem = nn.Sequential(_convolution(3, 64, 7, 2), nn.BatchNorm2d(64), nn.ReLU(inplace=True))
    layers, channels = nn.ModuleList(), 64
    for i in range(stages):
        layers.append(nn.Sequential())
        for block in range(counts[i]):
            stride = 2 if i and not block else 1
            layers[i].append(Residual(channels, WIDTHS[i], stride=stride, bottleneck=bottleneck))
            channels = layers[i][-1].out_channels
    if pretrained:
        import torchvision

        _load(stem, layers, torchvision.models.get_model(name, weights="DEFAULT").state_dict())
    if in_channels != 3:
        stem[0] = _adapt(stem[0], in_channels)
    return stem, nn.MaxPool2d(3, 2, 1), layers


def out_channels_of(stage: nn.Sequential) -> int:
    """Channels of the maps that a residual stage makes."""
    return stage[-1].out_channels


def _load(stem: nn.Sequential, layers: nn.ModuleList, weights: dict[str, Tensor]) -> None:
    """Take over a whole ResNet's weights, under torchvision's names."""
    parts = {"conv1": stem[0], "bn1": stem[1], **{f"layer{i + 1}": layer for i, layer in enumerate(layers)}}
    for name, part in parts.items():
        own = {k.removeprefix(f"{name}."): w for k, w in weights.items() if k.startswith(f"{name}.")}
        part.load_state_dict(own)


def _convolution(in_channels: int, out_channels: int, side: int, stride: int) -> nn.Conv2d:
    convolution = nn.Conv2d(in_channels, out_channels, side, stride, side // 2, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return convolution


def _adapt(convolution: nn.Conv2d, in_channels: int) -> nn.Conv2d:
    """The same first convolution for another number of channels.

    Summed over RGB, its weights answer to gray as they did to three equal channels.
    """
    adapted = nn.Conv2d(in_channels, convolution.out_channels, 7, 2, 3, bias=False)
    weight = convolution.weight.detach().sum(dim=1, keepdim=True).div_(in_channels)
    adapted.weight = nn.Parameter(weight.repeat(1, in_channels, 1, 1))
    return adapted
