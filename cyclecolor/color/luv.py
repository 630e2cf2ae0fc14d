"""CIE 1976 L*u*v* under D65."""

import torch
from torch import Tensor

from .blocks import by_blocks
from .xyz import WHITE, lightness_to_y, rgb_to_xyz, xyz_to_linear, xyz_to_rgb, y_to_lightness

_DENOMINATOR = WHITE[0] + 15 * WHITE[1] + 3 * WHITE[2]
WHITE_U = 4 * WHITE[0] / _DENOMINATOR
WHITE_V = 9 * WHITE[1] / _DENOMINATOR

# Luv is singular at black: u' and v' are 0/0. Both denominators are kept off zero by less than what
# the darkest 8-bit colors, (0, 0, 1) and its like, ever reach.
TINY = 1e-7


def xyz_to_luv(xyz: Tensor) -> Tensor:
    """XYZ (N, 3, H, W) to Luv: L* in [0, 100]; over sRGB u* in [-84, 176] and v* in [-135, 108]."""
    x, y, z = xyz.split(1, dim=1)
    lightness = y_to_lightness(y)
    scale = 1 / (x + 15 * y + 3 * z).clamp(min=TINY)
    u = 13 * lightness * (4 * x * scale - WHITE_U)
    v = 13 * lightness * (9 * y * scale - WHITE_V)
    return torch.cat([lightness, u, v], dim=1)


def luv_to_xyz(luv: Tensor) -> Tensor:
    """Luv (N, 3, H, W) to XYZ; the inverse of `xyz_to_luv`. At L* = 0 every chroma is black."""
    lightness, u, v = luv.split(1, dim=1)
    y = lightness_to_y(lightness)
    scale = 1 / (13 * lightness).clamp(min=TINY)
    u, v = u * scale + WHITE_U, v * scale + WHITE_V
    y_over_v = y / v.clamp(min=TINY)
    x = y_over_v * u * 9 / 4
    z = y_over_v * (12 - 3 * u - 20 * v) / 4
    return torch.cat([x, y, z], dim=1)


@by_blocks
def rgb_to_luv(rgb: Tensor) -> Tensor:
    """SRGB (N, 3, H, W) in [0, 1] to Luv."""
    return xyz_to_luv(rgb_to_xyz(rgb))


@by_blocks
def luv_to_linear(luv: Tensor) -> Tensor:
    """Luv (N, 3, H, W) to linear sRGB; colors outside the gamut leave [0, 1]."""
    return xyz_to_linear(luv_to_xyz(luv))


@by_blocks
def luv_to_rgb(luv: Tensor) -> Tensor:
    """Luv (N, 3, H, W) to sRGB; colors outside the gamut leave [0, 1]."""
    return xyz_to_rgb(luv_to_xyz(luv))
