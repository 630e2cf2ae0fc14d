"""Inference: one class behind every entry point, and folders of photos."""

from .colorizer import Colorizer
from .loading import load, translator_of
from .plan import Shard, output_name
from .repainter import Repainter
from .report import write_report
from .translate import Job, Options, Outcome, provenance_of
from .translator import Translator

__all__ = [
    "Colorizer",
    "Job",
    "Options",
    "Outcome",
    "Repainter",
    "Shard",
    "Translator",
    "load",
    "output_name",
    "provenance_of",
    "translator_of",
    "write_report",
]
