"""sRGB (IEC 61966-2-1): the transfer curve between stored values and linear light."""

import torch
from torch import Tensor

# Below this light the transfer curve is a straight line of slope 12.92 (IEC 61966-2-1).
LINEAR_LIMIT = 0.0031308


def srgb_to_linear(srgb: Tensor) -> Tensor:
    """Stored sRGB values to linear light.

    Parameters
    ----------
    srgb : Tensor
        Any shape, nominally in [0, 1]. Values below 0 follow the straight part of the curve.

    Returns
    -------
    Tensor
        Linear light, the same shape, [0, 1] for [0, 1].
    """
    # The clamp keeps the unused branch of `where` finite, and its gradient with it.
    curve = ((srgb.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    return torch.where(srgb > 0.04045, curve, srgb / 12.92)


def linear_to_srgb(linear: Tensor) -> Tensor:
    """Linear light to stored sRGB values; the inverse of `srgb_to_linear`, of any shape."""
    curve = 1.055 * linear.clamp(min=LINEAR_LIMIT) ** (1 / 2.4) - 0.055
    return torch.where(linear > LINEAR_LIMIT, curve, linear * 12.92)
