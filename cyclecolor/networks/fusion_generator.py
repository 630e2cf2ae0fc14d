"""ResNet features, a pooled vector fused into their map, and a resize-convolution decoder."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..ops.padding import pad_to_multiple
from ..ops.winograd import use_winograd
from .encoder import Encoder
from .encoders import ENCODERS, PRETRAINED
from .imagenet import load_imagenet


class FusionGenerator(nn.Module):
    """A residual encoder, fusion of the pooled features, decoder by resizing.

    The pooled vector says what the scene is, the map says what is where (the fusion layer of Iizuka et
    al., 2016). Maps of the encoder join the decoder at equal size, so that colors keep to edges.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of the image and of the output.
    encoder : str
        A key of `ENCODERS`.
    stages : int
        Stages of the encoder that are used, 1 to 4: the deepest map is 1 / 2 ** (1 + stages) of the image.
    width : int
        Channels of the decoder.
    stride : int
        1, 2 or 4: the output is 1 / stride of the input's size. Chroma needs no more than a quarter.
    encoder_rate : float
        Share of the learning rate at which the encoder is to learn: less than 1 if it has learned before.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        encoder: str = "resnet10",
        stages: int = 3,
        width: int = 64,
        stride: int = 4,
        encoder_rate: float = 1.0,
    ):
        super().__init__()
        self.stride, self.encoder_name, self.encoder_rate = stride, encoder, encoder_rate
        self.stem, self.stages, self.channels = ENCODERS[encoder](in_channels, stages)

        deepest = self.channels[-1]
        self.fusion = _conv_norm_relu(2 * deepest, width, kernel=1)
        # Encoder maps from deep to shallow, the stem (half size) last; then none at full size.
        steps = stages - 1 + {4: 0, 2: 1, 1: 2}[stride]
        self.skips = nn.ModuleList(nn.Conv2d(c, width, 1) for c in self.channels[-2::-1][:steps])
        self.ups = nn.ModuleList(_conv_norm_relu(width, width, kernel=3) for _ in range(steps))
        self.output = nn.Conv2d(width, out_channels, 3, padding=1)
        use_winograd(self)

    def forward(self, image: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride)), [-1, 1]."""
        # Rounded up among positive numbers: ONNX rounds the quotients of negative ones toward 0.
        height, width = ((side + self.stride - 1) // self.stride for side in image.shape[-2:])
        return torch.tanh(self.output(self.features(image)))[..., :height, :width]

    def features(self, image: Tensor) -> Tensor:
        """(N, in_channels, H, W) to what its colors are told by: (N, width, h, w), of at least their size."""
        maps = [self.stem(pad_to_multiple(image, 2 ** (len(self.stages) + 1)))]
        for stage in self.stages:
            maps.append(stage(maps[-1]))

        deepest = maps.pop()
        scene = deepest.mean(dim=(2, 3), keepdim=True).expand_as(deepest)
        features = self.fusion(torch.cat([deepest, scene], dim=1))
        for i, up in enumerate(self.ups):
            features = F.interpolate(features, scale_factor=2, mode="nearest")
            if i < len(self.skips):
                features = features + self.skips[i](maps.pop())
            features = up(features)
        return features

    def encoder_parameters(self) -> list[nn.Parameter]:
        """The parameters that learn at `encoder_rate`."""
        return [*self.stem.parameters(), *self.stages.parameters()]

    def load_imagenet(self) -> None:
        """Let the encoder start from what it learned on ImageNet, where `PRETRAINED` has its weights."""
        encoder = Encoder(self.stem, self.stages, self.channels)
        load_imagenet(encoder, PRETRAINED[self.encoder_name])


def _conv_norm_relu(in_channels: int, out_channels: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )
