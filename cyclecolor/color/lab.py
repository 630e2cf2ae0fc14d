"""CIE 1976 L*a*b* under D65."""

import torch
from torch import Tensor

from .blocks import by_blocks
from .constants import constant
from .srgb import power
from .xyz import EPSILON, KAPPA, WHITE, rgb_to_xyz, xyz_to_linear, xyz_to_rgb


def _white(like: Tensor) -> Tensor:
    return constant(WHITE, like.device, like.dtype).view(1, 3, 1, 1)


def _f(t: Tensor) -> Tensor:
    """Cube root, with a straight line near black in its place: the gradient is finite there."""
    return t.clamp(max=EPSILON) * (KAPPA / 116) + (power(t.clamp(min=EPSILON), 1 / 3) - 8 / 116)


def _f_inverse(f: Tensor) -> Tensor:
    return f.clamp(max=6 / 29) * (116 / KAPPA) + (f.clamp(min=6 / 29) ** 3 - (16 / KAPPA + EPSILON))


def xyz_to_lab(xyz: Tensor) -> Tensor:
    """XYZ (N, 3, H, W) to Lab: L* in [0, 100]; over sRGB a* in [-87, 99] and b* in [-108, 95]."""
    x, y, z = _f(xyz / _white(xyz)).split(1, dim=1)
    return torch.cat([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


def lab_to_xyz(lab: Tensor) -> Tensor:
    """Lab (N, 3, H, W) to XYZ; the inverse of `xyz_to_lab`."""
    lightness, a, b = lab.split(1, dim=1)
    y = (lightness + 16) / 116
    return _f_inverse(torch.cat([y + a / 500, y, y - b / 200], dim=1)) * _white(lab)


@by_blocks
def rgb_to_lab(rgb: Tensor) -> Tensor:
    """SRGB (N, 3, H, W) in [0, 1] to Lab."""
    return xyz_to_lab(rgb_to_xyz(rgb))


@by_blocks
def lab_to_linear(lab: Tensor) -> Tensor:
    """Lab (N, 3, H, W) to linear sRGB; colors outside the gamut leave [0, 1]."""
    return xyz_to_linear(lab_to_xyz(lab))


@by_blocks
def lab_to_rgb(lab: Tensor) -> Tensor:
    """Lab (N, 3, H, W) to sRGB; colors outside the gamut leave [0, 1]."""
    return xyz_to_rgb(lab_to_xyz(lab))
