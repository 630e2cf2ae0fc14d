"""`GrayResidual`: a generator of gray that starts from the lightness it is given."""

import torch.nn.functional as F
from torch import Tensor, nn


class GrayResidual(nn.Module):
    """Lightness plus a bounded residual.

    What passes by construction need not be learned, and a bounded residual has little room in which
    color could be hidden.

    Parameters
    ----------
    generator : nn.Module
        From (N, 3, H, W) to (N, 1, h, w) in [-1, 1], with h, w = ceil(H / generator.stride), ...
    bound : float
        Largest change of lightness, in units where black is -1 and white 1.
    """

    def __init__(self, generator: nn.Module, *, bound: float = 0.25):
        super().__init__()
        self.generator = generator
        self.bound = bound

    def forward(self, color: Tensor) -> Tensor:
        """Lightness and chroma (N, 3, H, W) to gray (N, 1, H, W)."""
        return color[:, :1] + self.residual(color)

    def full_size(self, color: Tensor, small: Tensor) -> Tensor:
        """Gray at the size of `color` (N, 3, H, W), with the residual that its `small` copy asks for."""
        residual = F.interpolate(self.residual(small), size=color.shape[-2:], mode="bilinear")
        return (color[:, :1] + residual).clamp(-1, 1)

    def residual(self, color: Tensor) -> Tensor:
        """The change of lightness alone (N, 1, H, W), within [-bound, bound]."""
        residual = self.generator(color)
        if residual.shape[-2:] != color.shape[-2:]:
            residual = F.interpolate(residual, size=color.shape[-2:], mode="bilinear")
        return self.bound * residual
