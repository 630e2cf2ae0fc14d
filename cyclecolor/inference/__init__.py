"""Inference: one class behind every entry point, and folders of photos."""

from .colorizer import Colorizer, load
from .translate import Outcome, translate

__all__ = ["Colorizer", "Outcome", "load", "translate"]
