"""The ResNet generator of Johnson et al. (2016), as CycleGAN (Zhu et al., 2017) uses it."""

from torch import Tensor, nn

from ..ops.conv_by_rows import ConvFromFew, ConvToFew
from ..ops.instance_norm import InstanceNorm
from ..ops.padding import pad_to_multiple
from ..ops.winograd import use_winograd


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with a skip around them; shape is kept."""

    def __init__(self, channels: int):
        super().__init__()
        self.body = nn.Sequential(
            _convolution(channels),
            InstanceNorm(slope=0),
            _convolution(channels),
            InstanceNorm(),
        )

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        return features + self.body(features)


class ResnetGenerator(nn.Module):
    """Two strided convolutions, residual blocks, two transposed convolutions.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of the image and of the output.
    width : int
        Channels after the first convolution (64 in the papers).
    blocks : int
        Residual blocks (9 for 256 px, 6 for 128 px in the papers).
    """

    stride = 1

    def __init__(self, in_channels: int, out_channels: int, *, width: int = 64, blocks: int = 9):
        super().__init__()
        self.encoder = nn.Sequential(
            ConvFromFew(in_channels, width, 7, padding=3, padding_mode="reflect", bias=False),
            InstanceNorm(slope=0),
            nn.Conv2d(width, width * 2, 3, 2, 1, bias=False),
            InstanceNorm(slope=0),
            nn.Conv2d(width * 2, width * 4, 3, 2, 1, bias=False),
            InstanceNorm(slope=0),
        )
        self.blocks = nn.Sequential(*[ResidualBlock(width * 4) for _ in range(blocks)])
        self.decoder = nn.Sequential(
            _up_convolution(width * 4, width * 2),
            InstanceNorm(slope=0),
            _up_convolution(width * 2, width),
            InstanceNorm(slope=0),
            ConvToFew(width, out_channels, 7, padding=3, padding_mode="reflect"),
            nn.Tanh(),
        )
        use_winograd(self)

    def forward(self, image: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H, W) in [-1, 1], for any H and W."""
        height, width = image.shape[-2:]
        return self.decoder[-2:](self.features(image))[..., :height, :width]

    def features(self, image: Tensor) -> Tensor:
        """(N, in_channels, H, W) to what its colors are told by: (N, width, h, w), of at least their size."""
        # Reflection needs more pixels than it adds; 16 leave the residual blocks at least 4 x 4.
        features = self.encoder(pad_to_multiple(image, 4, least=16))
        return self.decoder[:-2](self.blocks(features))


def _convolution(channels: int) -> nn.Module:
    return nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)


def _up_convolution(in_channels: int, out_channels: int) -> nn.Module:
    return nn.ConvTranspose2d(in_channels, out_channels, 3, 2, 1, output_padding=1, bias=False)
