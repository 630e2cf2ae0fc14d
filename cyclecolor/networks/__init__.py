"""Networks: generators and a discriminator, plain `nn.Module`s."""

from .any_film import any_film
from .encoders import ENCODERS
from .film_generator import FilmGenerator, film_numbers
from .film_resnet import FilmResnet
from .folding import fold_norms
from .fusion_generator import FusionGenerator
from .gray_residual import GrayResidual
from .patch_discriminator import PatchDiscriminator
from .recomputed import Recomputed
from .resnet_generator import ResnetGenerator
from .stride import stride_of

GENERATORS = {"resnet": ResnetGenerator, "fusion": FusionGenerator}

__all__ = [
    "ENCODERS",
    "GENERATORS",
    "FilmGenerator",
    "FilmResnet",
    "FusionGenerator",
    "GrayResidual",
    "PatchDiscriminator",
    "Recomputed",
    "ResnetGenerator",
    "any_film",
    "film_numbers",
    "fold_norms",
    "stride_of",
]
