"""ResNets (He et al., 2016) as encoders, with torchvision's names, so that its weights fit."""

import torch.nn.functional as F
from torch import Tensor, nn

from .encoder import Encoder

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


class PooledStage(nn.Sequential):
    """The first stage: blocks after a pooling, which halves the map."""

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) to (N, out_channels, ceil(H / 2), ceil(W / 2))."""
        return super().forward(F.max_pool2d(features, 3, 2, 1))


def resnet(in_channels: int, stages: int, *, counts: tuple[int, ...], bottleneck: bool = False) -> Encoder:
    """A ResNet without its classifier.

    Parameters
    ----------
    in_channels : int
        Channels of the image.
    stages : int
        1 to 4.
    counts : tuple of int
        Blocks of each stage.
    bottleneck : bool
        Whether they are bottlenecks.
    """
    stem = nn.Sequential(_convolution(in_channels, 64, 7, 2), nn.BatchNorm2d(64), nn.ReLU(inplace=True))
    layers, channels = nn.ModuleList(), [64]
    for i in range(stages):
        blocks, width = [], channels[-1]
        for block in range(counts[i]):
            stride = 2 if i and not block else 1
            blocks.append(Residual(width, WIDTHS[i], stride=stride, bottleneck=bottleneck))
            width = blocks[-1].out_channels
        layers.append(nn.Sequential(*blocks) if i else PooledStage(*blocks))
        channels.append(width)
    return Encoder(stem, layers, tuple(channels))


def torchvision_names(encoder: Encoder) -> dict[str, nn.Module]:
    """The parts of a ResNet by torchvision's names."""
    layers = {f"layer{i}": layer for i, layer in enumerate(encoder.stages, 1)}
    return {"conv1": encoder.stem[0], "bn1": encoder.stem[1], **layers}


def _convolution(in_channels: int, out_channels: int, side: int, stride: int) -> nn.Conv2d:
    convolution = nn.Conv2d(in_channels, out_channels, side, stride, side // 2, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return convolution
