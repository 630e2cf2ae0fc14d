"""Networks: two generators and a discriminator, plain `nn.Module`s that know nothing of colour."""

from .fusion_generator import ENCODERS, FusionGenerator
from .gray_residual import GrayResidual
from .patch_discriminator import PatchDiscriminator
from .resnet_generator import ResnetGenerator

GENERATORS = {"resnet": ResnetGenerator, "fusion": FusionGenerator}

__all__ = [
    "ENCODERS",
    "GENERATORS",
    "FusionGenerator",
    "GrayResidual",
    "PatchDiscriminator",
    "ResnetGenerator",
]
