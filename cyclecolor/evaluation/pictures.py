"""`Picture`: a batch of outputs as they are judged, and what metrics measure on them."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..color import SPACES, rgb_to_lab, rgb_to_lightness
from ..data.prepare import NEAR_GRAY
from .distributions import chroma_hue_histogram, patch_cdfs
from .fidelity import lightness_error, psnr, ssim
from .metrics import ab_rmse, cast, ciede2000, colorfulness, colorfulness_absolute, hue_agreement
from .perceptual import BETWEEN_SETS
from .scores import Statistic, largest, length, mean, ratio
from .spectrum import checkerboard_contrast, checkerboard_peak

SMALLEST = 32  # pixels: what the spectrum needs

# Distances between sets, by what describes an image: its mean over the set is compared.
SET_DISTANCES = {"chroma_hue_distance": chroma_hue_histogram, "sliced_wasserstein": patch_cdfs}


@dataclass
class Picture:
    """Images (N, 3, H, W): sRGB in [0, 1] and Lab, and the error of their lightness (N, 2)."""

    rgb: Tensor
    lab: Tensor
    lightness_error: Tensor

    @cached_property
    def described(self) -> dict[str, Tensor]:
        """For each of `SET_DISTANCES`, what describes each image (N, k)."""
        return {name: describe(self.lab) for name, describe in SET_DISTANCES.items()}


def judge(saved: Tensor, lightness: Tensor, truth: Tensor, *, same_lightness: bool) -> Picture:
    """Outputs as they are judged.

    Parameters
    ----------
    saved : Tensor
        The output in whole 8-bit levels, as sRGB (N, 3, H, W) in [0, 1].
    lightness : Tensor
        CIE L* (N, 1, H, W) of the input, which the output should have kept.
    truth : Tensor
        The color photo, sRGB (N, 3, H, W) in [0, 1].
    same_lightness : bool
        Whether the input's lightness is the truth's. If not, the output's a*b* are put on the truth's L*,
        so that only chroma is judged.
    """
    lab = rgb_to_lab(saved)
    error = lightness_error(lab[:, :1], lightness)
    if same_lightness:
        return Picture(saved, lab, error)
    lab = torch.cat([rgb_to_lightness(truth), lab[:, 1:]], dim=1)
    return Picture(SPACES["lab"].fit_gamut(lab), lab, error)


def measure(picture: Picture, truth: Picture) -> dict[str, Tensor]:
    """What each metric takes from each image, (N, k); `STATISTICS` turns it into a number for the set."""
    colors, true_colors = colorfulness(picture.rgb), colorfulness(truth.rgb)
    absolute, true_absolute = colorfulness_absolute(picture.rgb), colorfulness_absolute(truth.rgb)
    hue = hue_agreement(picture.lab, truth.lab)
    tint = cast(picture.lab)
    differences = {name: picture.described[name] - truth.described[name] for name in SET_DISTANCES}
    return {
        "ciede2000": ciede2000(picture.lab, truth.lab).mean(dim=(1, 2))[:, None],
        "ab_rmse": ab_rmse(picture.lab, truth.lab)[:, None],
        "hue_error": hue[:, [0, 2]],
        "hue_cosine": hue[:, [1, 2]],
        "colorfulness": colors[:, None],
        "colorfulness_ratio": torch.stack([colors, true_colors], dim=1),
        "colorfulness_absolute_ratio": torch.stack([absolute, true_absolute], dim=1),
        "colorfulness_difference_of_means": (colors - true_colors)[:, None],
        "colorfulness_mean_of_differences": (colors - true_colors).abs()[:, None],
        "cast_ratio": tint,
        "near_gray_share": (tint[:, 2:] < NEAR_GRAY).float(),
        **differences,
        "ssim": ssim(picture.rgb, truth.rgb)[:, None],
        "psnr": psnr(picture.rgb, truth.rgb)[:, None],
        "lightness_error_max": picture.lightness_error[:, :1],
        "lightness_error_mean": picture.lightness_error[:, 1:],
        "checkerboard_peak": checkerboard_contrast(picture.lab[:, 1:]),
    }


def _cast_ratio(weights: Tensor, measured: Tensor) -> Tensor:
    means = weights @ measured
    # Without color there is no cast: what rounding leaves of gray has chroma below 1.
    return torch.where(means[:, 2] < 1, torch.nan, means[:, :2].norm(dim=1) / means[:, 2])


def _total_variation(weights: Tensor, measured: Tensor) -> Tensor:
    return length(weights, measured) / 2


def _peak(weights: Tensor, measured: Tensor) -> Tensor:
    return checkerboard_peak(weights @ measured)


STATISTICS: dict[str, Statistic] = {
    "ciede2000": mean,
    "ciede2000_gain": mean,  # of ours over each baseline, on each photo
    "ab_rmse": mean,
    "hue_error": ratio,
    "hue_cosine": ratio,
    "colorfulness": mean,
    "colorfulness_ratio": ratio,
    "colorfulness_absolute_ratio": ratio,
    "colorfulness_difference_of_means": length,
    "colorfulness_mean_of_differences": mean,
    "cast_ratio": _cast_ratio,
    "near_gray_share": mean,
    "chroma_hue_distance": _total_variation,
    "chroma_hue_distance_to_pile": _total_variation,
    "sliced_wasserstein": length,
    "sliced_wasserstein_to_pile": length,
    "ssim": mean,
    "psnr": mean,
    "lpips": mean,  # if `Perceptual` measures it
    "lightness_error_max": largest,
    "lightness_error_mean": mean,
    "checkerboard_peak": _peak,
}

# Metrics in which the lightness of the judged picture takes part.
OF_LIGHTNESS = {
    *(name for name in STATISTICS if name.startswith(("colorfulness", "sliced_wasserstein"))),
    *("ciede2000", "ciede2000_gain", "ssim", "psnr", "lpips"),
    *BETWEEN_SETS,
}
