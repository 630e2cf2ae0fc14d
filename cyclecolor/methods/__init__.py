"""Training methods: each owns its networks and one `train_step`."""

from .cyclegan import CycleGAN
from .method import Method, build_generator, held_back
from .pix2pix import Pix2Pix
from .regression import Regression

METHODS = {"cyclegan": CycleGAN, "pix2pix": Pix2Pix, "regression": Regression}

__all__ = ["METHODS", "CycleGAN", "Method", "Pix2Pix", "Regression", "build_generator", "held_back"]
