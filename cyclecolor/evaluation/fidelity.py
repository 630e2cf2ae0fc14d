"""What a picture keeps: structure, signal, lightness."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..color import linear_to_srgb
from ..color.xyz import lightness_to_y

SSIM_SIGMA, SSIM_SIDE = 1.5, 11  # pixels
SSIM_CONSTANTS = (0.01**2, 0.03**2)
BEST_PSNR = 100.0  # dB; equal images would be infinite


def psnr(rgb: Tensor, true_rgb: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of sRGB images (N, 3, H, W) in [0, 1]: (N,) in dB, 100 at most."""
    error = ((rgb - true_rgb) ** 2).mean(dim=(1, 2, 3))
    return -10 * torch.log10(error.clamp(min=10 ** (-BEST_PSNR / 10)))


def ssim(rgb: Tensor, true_rgb: Tensor) -> Tensor:
    """Structural similarity of Wang et al. (2004): Gaussian window of 11 pixels, mean of the channels.

    Parameters
    ----------
    rgb, true_rgb : Tensor
        sRGB (N, 3, H, W) in [0, 1], sides of at least 11.

    Returns
    -------
    Tensor
        (N,); 1 for equal images.
    """
    # Channel by channel: convolutions of one channel are much faster than grouped ones.
    first, second = (image.flatten(0, 1)[:, None] for image in (rgb, true_rgb))
    mean1, mean2 = _blur(first), _blur(second)
    variance1, variance2 = _blur(first**2) - mean1**2, _blur(second**2) - mean2**2
    covariance = _blur(first * second) - mean1 * mean2
    c1, c2 = SSIM_CONSTANTS
    means = (2 * mean1 * mean2 + c1) / (mean1**2 + mean2**2 + c1)
    similarity = means * (2 * covariance + c2) / (variance1 + variance2 + c2)
    return similarity.mean(dim=(1, 2, 3)).view(len(rgb), -1).mean(dim=1)


def lightness_error(lightness: Tensor, true_lightness: Tensor) -> Tensor:
    """Largest and mean difference of two lightnesses (N, 1, H, W), CIE L*: (N, 2) in 8-bit levels of gray."""
    levels, true_levels = (255 * linear_to_srgb(lightness_to_y(x)) for x in (lightness, true_lightness))
    difference = (levels - true_levels).abs()
    return torch.stack([difference.amax(dim=(1, 2, 3)), difference.mean(dim=(1, 2, 3))], dim=1)


def _blur(image: Tensor) -> Tensor:
    """Gaussian blur (N, 1, H, W), without a border: 10 pixels less a side."""
    offsets = torch.arange(SSIM_SIDE, dtype=image.dtype) - SSIM_SIDE // 2
    weights = torch.exp(-(offsets**2) / (2 * SSIM_SIGMA**2))
    weights = (weights / weights.sum()).view(1, 1, 1, -1)
    return F.conv2d(F.conv2d(image, weights), weights.transpose(2, 3))
