"""sRGB (IEC 61966-2-1): the transfer curve between stored values and linear light."""

import torch
from torch import Tensor

# Below these, of light and of stored values, the transfer curve is a straight line of slope 12.92
# (IEC 61966-2-1). The line up to there and the curve from there on are added, each clamped to its side: that
# is quicker than `where`, and every gradient is finite.
LINEAR_LIMIT, STORED_LIMIT, SLOPE = 0.0031308, 0.04045, 12.92
LINEAR_START = ((STORED_LIMIT + 0.055) / 1.055) ** 2.4
STORED_START = 1.055 * LINEAR_LIMIT ** (1 / 2.4) - 0.055


def power(base: Tensor, exponent: float) -> Tensor:
    """`base ** exponent` for positive bases, to some units of the last place; thrice as quick."""
    return torch.exp(torch.log(base) * exponent)


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
    curve = power(srgb.clamp(min=STORED_LIMIT) * (1 / 1.055) + 0.055 / 1.055, 2.4)
    return srgb.clamp(max=STORED_LIMIT) * (1 / SLOPE) + (curve - LINEAR_START)


def linear_to_srgb(linear: Tensor) -> Tensor:
    """Linear light to stored sRGB values; the inverse of `srgb_to_linear`, of any shape."""
    curve = power(linear.clamp(min=LINEAR_LIMIT), 1 / 2.4) * 1.055
    return linear.clamp(max=LINEAR_LIMIT) * SLOPE + (curve - (STORED_START + 0.055))
