"""The PatchGAN discriminator of Isola et al. (2017), at one or several scales."""

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm as spectral

from .norm import InstanceNorm
from .winograd import WinogradConv2d


class PatchDiscriminator(nn.Module):
    """Judges overlapping patches: each value of the output sees one patch of the image.

    Parameters
    ----------
    in_channels : int
        Channels of the image.
    layers : int
        Strided layers: patches are 16, 34 and 70 pixels wide for 1, 2 and 3.
    width : int
        Channels of the first layer (64 in the paper).
    scales : int
        The image is judged at full size, half size and so on, by a network each.
    spectral_norm : bool
        Spectral normalization (Miyato et al., 2018) in place of instance normalization.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        layers: int = 3,
        width: int = 64,
        scales: int = 1,
        spectral_norm: bool = False,
    ):
        super().__init__()
        self.judges = nn.ModuleList(_judge(in_channels, layers, width, spectral_norm) for _ in range(scales))

    def forward(self, image: Tensor) -> list[Tensor]:
        """(N, in_channels, H, W) to one map of logits (N, 1, h, w) for each scale."""
        logits = []
        for i, judge in enumerate(self.judges):
            if i:
                image = F.avg_pool2d(image, 2)
            logits.append(judge(image))
        return logits


def _judge(in_channels: int, layers: int, width: int, spectral_norm: bool) -> nn.Sequential:
    def convolution(inputs: int, outputs: int, stride: int) -> nn.Module:
        module = (WinogradConv2d if stride == 1 else nn.Conv2d)(inputs, outputs, 4, stride, 1)
        return spectral(module) if spectral_norm else module

    def norm(channels: int) -> list[nn.Module]:
        return [] if spectral_norm else [InstanceNorm()]

    channels = [width * min(2**i, 8) for i in range(layers + 1)]
    modules = [convolution(in_channels, width, 2), nn.LeakyReLU(0.2, inplace=True)]
    for i in range(layers):
        stride = 2 if i < layers - 1 else 1
        modules += [convolution(channels[i], channels[i + 1], stride), *norm(channels[i + 1])]
        modules.append(nn.LeakyReLU(0.2, inplace=True))
    return nn.Sequential(*modules, convolution(channels[-1], 1, 1))
