"""CIE XYZ under D65, and the lightness L* that Lab and Luv share."""

import torch
from torch import Tensor

from .blocks import by_blocks
from .constants import constant
from .srgb import linear_to_srgb, power, srgb_to_linear

# Linear sRGB to XYZ, and the D65 white of the 2 degree observer: the constants of scikit-image, so that
# numbers can be compared digit for digit (CIE 15:2004; ITU-R BT.709 primaries).
RGB_TO_XYZ = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
WHITE = (0.95047, 1.0, 1.08883)
_XYZ_TO_RGB = tuple(map(tuple, torch.linalg.inv(torch.tensor(RGB_TO_XYZ, dtype=torch.float64)).tolist()))

EPSILON = (6 / 29) ** 3  # light below which the cube root gives way to a straight line (CIE 15:2004)
KAPPA = (29 / 3) ** 3  # slope of L* on that line


def _apply(matrix: tuple[tuple[float, ...], ...], image: Tensor) -> Tensor:
    mixed = constant(matrix, image.device, image.dtype) @ image.flatten(2)
    return mixed.unflatten(2, image.shape[2:])


def rgb_to_xyz(rgb: Tensor) -> Tensor:
    """SRGB (N, 3, H, W) in [0, 1] to XYZ; Y is 1 for white."""
    return _apply(RGB_TO_XYZ, srgb_to_linear(rgb))


def xyz_to_linear(xyz: Tensor) -> Tensor:
    """XYZ (N, 3, H, W) to linear sRGB. Colors outside the gamut leave [0, 1]: nothing is clipped."""
    return _apply(_XYZ_TO_RGB, xyz)


def xyz_to_rgb(xyz: Tensor) -> Tensor:
    """XYZ (N, 3, H, W) to sRGB. Colors outside the gamut leave [0, 1]: nothing is clipped."""
    return linear_to_srgb(xyz_to_linear(xyz))


def y_to_lightness(y: Tensor) -> Tensor:
    """Relative luminance Y in [0, 1] to CIE L* in [0, 100]; any shape (CIE 15:2004)."""
    curve = 116 * power(y.clamp(min=EPSILON), 1 / 3)
    return KAPPA * y.clamp(max=EPSILON) + (curve - (16 + KAPPA * EPSILON))


def lightness_to_y(lightness: Tensor) -> Tensor:
    """CIE L* to relative luminance Y; the inverse of `y_to_lightness`."""
    curve = ((lightness.clamp(min=8) + 16) / 116) ** 3
    return lightness.clamp(max=8) * (1 / KAPPA) + (curve - EPSILON)


@by_blocks
def rgb_to_lightness(rgb: Tensor) -> Tensor:
    """SRGB (N, 3, H, W) in [0, 1] to CIE L* (N, 1, H, W) in [0, 100]."""
    y = _apply(RGB_TO_XYZ[1:2], srgb_to_linear(rgb))
    return y_to_lightness(y)
