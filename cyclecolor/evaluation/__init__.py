"""Evaluation: metrics, scores beside their baselines, contact sheets."""

from .evaluate import Score, contact_sheet, evaluate
from .metrics import ab_rmse, ciede2000, colorfulness

__all__ = ["Score", "ab_rmse", "ciede2000", "colorfulness", "contact_sheet", "evaluate"]
