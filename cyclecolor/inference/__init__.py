"""Inference: a checkpoint and one photo. One class behind every entry point."""

from .chroma_colorizer import ChromaColorizer
from .colorizer import Colorizer
from .hints import Hint, read_hints
from .loading import colorizer_of, load
from .reference import Reference
from .rgb_colorizer import RGBColorizer

__all__ = [
    "ChromaColorizer",
    "Colorizer",
    "Hint",
    "RGBColorizer",
    "Reference",
    "colorizer_of",
    "load",
    "read_hints",
]
