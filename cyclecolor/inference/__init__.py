"""Inference: a checkpoint and one photo. One class behind every entry point."""

from .chroma_colorizer import ChromaColorizer
from .colorizer import Colorizer
from .loading import colorizer_of, load
from .rgb_colorizer import RGBColorizer

__all__ = ["ChromaColorizer", "Colorizer", "RGBColorizer", "colorizer_of", "load"]
