"""Training: the loop, the step, the state of a run and how it is resumed."""

from .lock import RunLock
from .result import summarize
from .step import TrainingStep
from .stopping import Interrupted
from .trainer import Trainer, train

__all__ = ["Interrupted", "RunLock", "Trainer", "TrainingStep", "summarize", "train"]
