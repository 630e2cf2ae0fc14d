"""Rounding colors to levels without losing lightness."""

import torch
from torch import Tensor

from .srgb import linear_to_srgb, srgb_to_linear
from .xyz import RGB_TO_XYZ, lightness_to_y


def quantize_rgb(rgb: Tensor, lightness: Tensor, levels: int) -> Tensor:
    """Round sRGB to `levels` + 1 levels a channel such that lightness stays.

    Red and blue are rounded; green, which carries 72% of luminance, is then chosen so that the
    rounded color has the wanted lightness to within half a level of green.

    Parameters
    ----------
    rgb : Tensor
        (N, 3, H, W) in [0, 1].
    lightness : Tensor
        (N, 1, H, W), the CIE L* that the colors must keep, in [0, 100].
    levels : int
        255 or 65535.

    Returns
    -------
    Tensor
        (N, 3, H, W) of whole numbers in [0, levels].
    """
    red, green, blue = RGB_TO_XYZ[1]
    rounded = (rgb * levels).round()
    linear = srgb_to_linear(rounded / levels)
    rest = red * linear[:, :1] + blue * linear[:, 2:]
    exact = linear_to_srgb((lightness_to_y(lightness) - rest) / green)
    rounded[:, 1:2] = (exact * levels).round()
    return torch.clamp(rounded, 0, levels)
