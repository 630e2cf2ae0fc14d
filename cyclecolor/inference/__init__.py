"""Inference: one class behind every entry point, and folders of photos."""

from .colorizer import Colorizer, load
from .plan import output_name
from .report import write_report
from .translate import Job, Options, Outcome, provenance_of

__all__ = ["Colorizer", "Job", "Options", "Outcome", "load", "output_name", "provenance_of", "write_report"]
