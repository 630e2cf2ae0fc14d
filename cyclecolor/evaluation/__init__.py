"""Evaluation: metrics, scores beside their baselines, contact sheets."""

from .distributions import chroma_hue_histogram, patch_cdfs
from .evaluate import evaluate
from .fidelity import lightness_error, psnr, ssim
from .metrics import ab_rmse, cast, ciede2000, colorfulness, colorfulness_absolute, hue_agreement
from .scores import Score
from .sheet import contact_sheet, save_sheet
from .spectrum import checkerboard_contrast, checkerboard_peak, fine_power

__all__ = [
    "Score",
    "ab_rmse",
    "cast",
    "checkerboard_contrast",
    "checkerboard_peak",
    "chroma_hue_histogram",
    "ciede2000",
    "colorfulness",
    "colorfulness_absolute",
    "contact_sheet",
    "evaluate",
    "fine_power",
    "hue_agreement",
    "lightness_error",
    "patch_cdfs",
    "psnr",
    "save_sheet",
    "ssim",
]
