"""Training methods: each owns its networks, and computes the losses of a batch."""

from .cyclegan import CycleGAN
from .distillation import Distillation
from .method import Losses, Method
from .paper_cyclegan import PaperCycleGAN
from .pix2pix import Pix2Pix
from .regression import Regression

METHODS: dict[str, type[Method]] = {
    "cyclegan": CycleGAN,
    "distillation": Distillation,
    "paper_cyclegan": PaperCycleGAN,
    "pix2pix": Pix2Pix,
    "regression": Regression,
}

__all__ = [
    "METHODS",
    "CycleGAN",
    "Distillation",
    "Losses",
    "Method",
    "PaperCycleGAN",
    "Pix2Pix",
    "Regression",
]
