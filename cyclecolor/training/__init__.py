"""Training: the loop, its state, and resuming."""

from .trainer import Trainer, train

__all__ = ["Trainer", "train"]
