"""Training: the loop, its state, resuming, and what a finished run shows."""

from .lock import RunLock
from .result import show_result
from .stopping import Interrupted
from .trainer import Trainer, train

__all__ = ["Interrupted", "RunLock", "Trainer", "show_result", "train"]
