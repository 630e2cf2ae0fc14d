"""`ColorSpace`: the one place that knows which channels generators see and emit, and at what scale."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .constants import constant
from .lab import lab_to_linear, rgb_to_lab
from .luv import luv_to_linear, rgb_to_luv
from .quantize import quantize_rgb
from .srgb import SLOPE, linear_to_srgb
from .xyz import rgb_to_lightness

# Bisections of the chroma scale: 2^-14 of a chroma of 180 is a hundredth of a unit.
GAMUT_STEPS = 14
# How far outside [0, 1] sRGB still counts as inside: rounding of float32, an eighth of a 16-bit level. In
# linear light, by the slope of the transfer curve: 12.92 at black, 1.055 / 2.4 at white.
GAMUT_TOLERANCE = 2e-6
DARKEST, BRIGHTEST = -GAMUT_TOLERANCE / SLOPE, 1 + GAMUT_TOLERANCE * 2.4 / 1.055


@dataclass(frozen=True)
class ColorSpace:
    """A lightness-chroma space, and the scale at which networks see it.

    Networks see lightness (N, 1, H, W) in [-1, 1] and chroma (N, 2, H, W) within [-1, 1], where zero
    chroma is zero. The scales cover the whole sRGB gamut of the space, so nothing saturates.

    Attributes
    ----------
    name : str
        The word used in experiment files: a key of `SPACES`.
    chroma_scale : tuple of float
        Units of each chroma channel that the networks see as 1.
    from_rgb : callable
        (N, 3, H, W) sRGB in [0, 1] to the space's own units.
    to_linear : callable
        Back from these to linear sRGB, without clipping.
    """

    name: str
    chroma_scale: tuple[float, float]
    from_rgb: Callable[[Tensor], Tensor]
    to_linear: Callable[[Tensor], Tensor]

    def split(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        """SRGB (N, 3, H, W) in [0, 1] to scaled lightness (N, 1, H, W) and chroma (N, 2, H, W)."""
        lightness, chroma = self.from_rgb(rgb).split((1, 2), dim=1)
        return lightness / 50 - 1, chroma / self._scale(chroma)

    def lightness(self, rgb: Tensor) -> Tensor:
        """SRGB (N, 3, H, W) in [0, 1] to scaled lightness (N, 1, H, W): `split` without the chroma."""
        return rgb_to_lightness(rgb) / 50 - 1

    def merge(self, lightness: Tensor, chroma: Tensor) -> Tensor:
        """Scaled lightness and chroma to sRGB (N, 3, H, W) in [0, 1].

        Colors outside the gamut give up chroma, at constant lightness and hue angle.
        """
        units = self.units(chroma)
        return self.fit_gamut(torch.cat([(lightness + 1) * 50, units], dim=1))

    def color(self, rgb: Tensor) -> Tensor:
        """SRGB (N, 3, H, W) in [0, 1] as `G_gray` sees it: scaled lightness and chroma (N, 3, H, W)."""
        return torch.cat(self.split(rgb), dim=1)

    def gray(self, rgb: Tensor) -> Tensor:
        """SRGB (N, 3, H, W) in [0, 1] as `G_color` sees it: its scaled lightness."""
        return self.lightness(rgb)

    def target(self, color: Tensor) -> Tensor:
        """What `G_color` should make, of a photo as `G_gray` sees it (N, 3, H, W): its chroma."""
        return color[:, 1:]

    def saved(self, gray: Tensor) -> Tensor:
        """Scaled lightness (N, 1, H, W) as it comes back from a gray photo of 8 bits."""
        levels = self.merge(gray, torch.zeros_like(gray).expand(-1, 2, -1, -1))[:, 1:2]
        return self.lightness(((levels * 255).round() / 255).expand(-1, 3, -1, -1))

    def quantize(self, rgb: Tensor, lightness: Tensor, levels: int) -> Tensor:
        """Round sRGB in [0, 1] to whole numbers in [0, levels] such that CIE L* (N, 1, H, W) stays."""
        return quantize_rgb(rgb, lightness, levels)

    def linear(self, image: Tensor) -> Tensor:
        """Scaled lightness and chroma (N, 3, H, W) to linear sRGB (N, 3, H, W), clipped to [0, 1]."""
        lightness, chroma = image.split((1, 2), dim=1)
        return self.to_linear(torch.cat([(lightness + 1) * 50, self.units(chroma)], dim=1)).clamp(0, 1)

    def units(self, chroma: Tensor) -> Tensor:
        """Scaled chroma (N, 2, H, W) in the space's own units."""
        return chroma * self._scale(chroma)

    def fit_gamut(self, image: Tensor) -> Tensor:
        """An image (N, 3, H, W) in the space's own units to sRGB in [0, 1].

        Pixels outside the gamut keep lightness and hue angle, and as much of their chroma as fits,
        found by bisection on those pixels alone.
        """
        linear = self.to_linear(image)
        outside = ~_inside(linear)
        if outside.any():
            linear = linear.movedim(1, -1).contiguous()
            pixels = image.movedim(1, -1)[outside]
            linear[outside] = self._bisect(pixels.T[None, :, None])[0, :, 0].T
            linear = linear.movedim(-1, 1)
        return linear_to_srgb(linear).clamp(0, 1)

    def _bisect(self, pixels: Tensor) -> Tensor:
        """Pixels (1, 3, 1, P) in the space's own units to linear sRGB, just inside the gamut."""
        lightness, chroma = pixels[:, :1].clamp(0, 100), pixels[:, 1:]
        low = torch.zeros_like(lightness)
        high = torch.ones_like(lightness)
        for _ in range(GAMUT_STEPS):
            middle = (low + high) / 2
            fits = _inside(self.to_linear(torch.cat([lightness, chroma * middle], dim=1)))[:, None]
            low, high = torch.where(fits, middle, low), torch.where(fits, high, middle)
        return self.to_linear(torch.cat([lightness, chroma * low], dim=1))

    def _scale(self, like: Tensor) -> Tensor:
        return constant(self.chroma_scale, like.device, like.dtype).view(1, 2, 1, 1)


def _inside(linear: Tensor) -> Tensor:
    """Whether each pixel (N, H, W) of linear sRGB (N, 3, H, W) is a color that sRGB holds."""
    return ((linear >= DARKEST) & (linear <= BRIGHTEST)).all(dim=1)


# Scales: the largest |a|, |b| and |u|, |v| over all 8-bit sRGB colors (98.3, 107.9; 175.0, 134.1),
# with a little room.
SPACES = {
    "lab": ColorSpace("lab", (110.0, 110.0), rgb_to_lab, lab_to_linear),
    "luv": ColorSpace("luv", (180.0, 140.0), rgb_to_luv, luv_to_linear),
}
