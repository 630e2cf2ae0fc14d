"""CIE 1976 L*a*b* under D65."""

import torch
from torch import Tensor

from .xyz import EPSILON, KAPPA, WHITE, rgb_to_xyz, xyz_to_rgb


def _white(like: Tensor) -> Tensor:
    return torch.tensor(WHITE).to(like).view(1, 3, 1, 1)


def _f(t: Tensor) -> Tensor:
    """Cube root with a straight line near black; the clamp keeps its gradient finite there."""
    return torch.where(t > EPSILON, t.clamp(min=EPSILON) ** (1 / 3), (KAPPA * t + 16) / 116)


def _f_inverse(f: Tensor) -> Tensor:
    return torch.where(f > 6 / 29, f**3, (116 * f - 16) / KAPPA)


def xyz_to_lab(xyz: Tensor) -> Tensor:
    """XYZ (N, 3, H, W) to Lab: L* in [0, 100]; over sRGB a* in [-87, 99] and b* in [-108, 95]."""
    x, y, z = _f(xyz / _white(xyz)).split(1, dim=1)
    return torch.cat([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


def lab_to_xyz(lab: Tensor) -> Tensor:
    """Lab (N, 3, H, W) to XYZ; the inverse of `xyz_to_lab`."""
    lightness, a, b = lab.split(1, dim=1)
    y = (lightness + 16) / 116
    return _f_inverse(torch.cat([y + a / 500, y, y - b / 200], dim=1)) * _white(lab)


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """SRGB (N, 3, H, W) in [0, 1] to Lab."""
    return xyz_to_lab(rgb_to_xyz(rgb))


def lab_to_rgb(lab: Tensor) -> Tensor:
    """Lab (N, 3, H, W) to sRGB; colours outside the gamut leave [0, 1]."""
    return xyz_to_rgb(lab_to_xyz(lab))
