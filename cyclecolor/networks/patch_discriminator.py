"""The PatchGAN discriminator of Isola et al. (2017), at one or several scales."""

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm as spectral

from ..ops.instance_norm import InstanceNorm
from ..ops.winograd import WinogradConv2d

SLOPE = 0.2  # of the leaky ReLU, as in the paper


class PatchDiscriminator(nn.Module):
    """Tells real from fake by overlapping patches: each value of the output sees one patch of the image.

    Parameters
    ----------
    in_channels : int
        Channels of the image.
    layers : int
        Strided layers: patches are 16, 34 and 70 pixels wide for 1, 2 and 3.
    width : int
        Channels of the first layer (64 in the paper).
    scales : int
        The image is seen at full size, half size and so on, by a network each.
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
        self.discriminators = nn.ModuleList(
            _one_scale(in_channels, layers, width, spectral_norm) for _ in range(scales)
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """(N, in_channels, H, W) to one map of logits (N, 1, h, w) for each scale."""
        logits = []
        for i, discriminator in enumerate(self.discriminators):
            if i:
                image = F.avg_pool2d(image, 2)
            logits.append(discriminator(image))
        return logits


def _one_scale(in_channels: int, layers: int, width: int, spectral_norm: bool) -> nn.Sequential:
    def convolution(make: type, inputs: int, outputs: int, stride: int, bias: bool = True) -> nn.Module:
        module = make(inputs, outputs, 4, stride, 1, bias=bias)
        return spectral(module) if spectral_norm else module

    def activation() -> nn.Module:
        return nn.LeakyReLU(SLOPE, inplace=True) if spectral_norm else InstanceNorm(slope=SLOPE)

    channels = [width * min(2**i, 8) for i in range(layers + 1)]
    modules = [convolution(nn.Conv2d, in_channels, width, 2), nn.LeakyReLU(SLOPE, inplace=True)]
    for i in range(layers):
        make, stride = (nn.Conv2d, 2) if i < layers - 1 else (WinogradConv2d, 1)
        modules.append(convolution(make, channels[i], channels[i + 1], stride, bias=spectral_norm))
        modules.append(activation())
    return nn.Sequential(*modules, convolution(nn.Conv2d, channels[-1], 1, 1))
