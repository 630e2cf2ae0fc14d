"""Training methods: each owns its networks and one `train_step`."""

from ..config import Experiment
from .cyclegan import CycleGAN
from .method import Method, build_generator, held_back
from .pix2pix import Pix2Pix
from .regression import Regression
from .textbook import Textbook

METHODS = {"cyclegan": CycleGAN, "pix2pix": Pix2Pix, "regression": Regression}


def method_of(experiment: Experiment) -> type[Method]:
    """The class that trains an experiment; RGB is the textbook's."""
    return Textbook if experiment.space == "rgb" else METHODS[experiment.method]


__all__ = [
    "METHODS",
    "CycleGAN",
    "Method",
    "Pix2Pix",
    "Regression",
    "Textbook",
    "build_generator",
    "held_back",
    "method_of",
]
