"""What happens between a scene and the scan of its photograph, one effect a function.

All are batched and differentiable. Gray images are lightness in [0, 1] (CIE L* / 100), so that equal
steps look equal; parameters are (N, 1, 1, 1), one value an image.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..color import y_to_lightness

Noise = Callable[[tuple[int, ...], torch.device], Tensor]  # standard normal, of a shape, on a device

# Odds of a tone are bounded by this distance from black and white, which keeps their logarithm finite.
TONE_MARGIN = 1e-3


def transmitted(linear: Tensor, weights: Tensor, stops: Tensor) -> Tensor:
    """Lightness (N, 1, H, W) of what an emulsion of spectral `weights` records.

    Parameters
    ----------
    linear : Tensor
        (N, 3, H, W), linear sRGB in [0, 1].
    weights : Tensor
        (N, 3, 1, 1), sensitivity to red, green and blue, of sum 1. The luminance weights of sRGB and 0
        stops give CIE lightness itself.
    stops : Tensor
        Exposure: +1 doubles the light.
    """
    light = (linear * weights).sum(dim=1, keepdim=True) * 2**stops
    return (y_to_lightness(light) / 100).clamp(max=1)


def tone(gray: Tensor, contrast: Tensor, shift: Tensor) -> Tensor:
    """A characteristic curve: a straight line in log odds, so an S with toe and shoulder in tones.

    log(y / (1 - y)) = contrast * log(x / (1 - x)) + shift; contrast 1 and shift 0 change nothing.
    """
    return torch.sigmoid(contrast * torch.logit(gray, eps=TONE_MARGIN) + shift)


def blur(image: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of (N, C, H, W) with a standard deviation in pixels; edges are repeated."""
    radius = max(1, round(3 * sigma))
    places = torch.arange(-radius, radius + 1, device=image.device, dtype=image.dtype)
    kernel = torch.softmax(-(places**2) / (2 * sigma**2), dim=0)
    channels = image.shape[1]
    image = F.pad(image, (radius,) * 4, mode="replicate")
    rows, columns = kernel.view(1, 1, -1, 1), kernel.view(1, 1, 1, -1)
    image = F.conv2d(image, rows.expand(channels, -1, -1, -1), groups=channels)
    return F.conv2d(image, columns.expand(channels, -1, -1, -1), groups=channels)


def grain(noise: Tensor, coarseness: Tensor) -> Tensor:
    """Grain of unit variance from white `noise` (N, 1, H, W): fine at coarseness 0, clumped at 1."""
    # A Gaussian of sigma 1 keeps 1 / (4 pi) of the variance of white noise.
    clumped = blur(noise, 1.0) * (2 * torch.pi**0.5)
    mixed = (1 - coarseness) * noise + coarseness * clumped
    return mixed / mixed.detach().std(dim=(1, 2, 3), keepdim=True).clamp(min=1e-6)


def slow_field(noise: Tensor, size: tuple[int, ...]) -> Tensor:
    """Unevenness of light and fading: a few random knots (N, 1, h, w) spread smoothly over `size`."""
    return F.interpolate(noise, size=size, mode="bicubic", align_corners=True)


def damaged(gray: Tensor, noise: Noise, amount: float = 1.0) -> Tensor:
    """Gray (N, 1, H, W) in [0, 1] with specks and scratches, black and white.

    Specks have 2 x 2 pixels; scratches run along a column or a row. How many there are is drawn for each
    image: by the median `amount` specks of either tone on 2,000 pixels, as many scratches of either on 1,000
    columns and rows. Gradients pass where there is neither.

    Parameters
    ----------
    gray : Tensor
        (N, 1, H, W) in [0, 1].
    noise : Noise
        Standard normal numbers, from which all of it is drawn.
    amount : float
        Above 0; 1 is much more than most scans have, so that theirs is lost among it.
    """
    count, _, height, width = gray.shape
    specks, scratches = (amount * torch.exp(noise((count, 2, 1, 1), gray.device))).split(1, dim=1)
    for shape, rate, size in (
        ((count, 1, height, width), specks / 2000, 2),
        ((count, 1, 1, width), scratches / 1000, 1),
        ((count, 1, height, 1), scratches / 1000, 1),
    ):
        place = noise(shape, gray.device)
        limit = torch.special.ndtri(1 - rate.clamp(max=0.1))  # one in 1 / rate is above it
        for level, marks in ((1.0, place > limit), (0.0, place < -limit)):
            grown = F.max_pool2d(F.pad(marks.float(), (0, size - 1, 0, size - 1)), size, stride=1)
            gray = torch.where(grown > 0, level, gray)
    return gray
