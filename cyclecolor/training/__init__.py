"""Training: the loop, its state, resuming, and what a finished run shows."""

from .result import show_result
from .trainer import Interrupted, Trainer, train

__all__ = ["Interrupted", "Trainer", "show_result", "train"]
