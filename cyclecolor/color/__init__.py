"""Color: sRGB, XYZ, Lab and Luv as pure, batched, differentiable torch functions."""

from .constants import constant
from .lab import lab_to_rgb, lab_to_xyz, rgb_to_lab, xyz_to_lab
from .luv import luv_to_rgb, luv_to_xyz, rgb_to_luv, xyz_to_luv
from .quantize import quantize_rgb
from .rgb import RGB, RGBSpace
from .space import SPACES, ColorSpace
from .srgb import linear_to_srgb, srgb_to_linear
from .xyz import lightness_to_y, rgb_to_lightness, rgb_to_xyz, xyz_to_rgb, y_to_lightness

__all__ = [
    "RGB",
    "SPACES",
    "ColorSpace",
    "RGBSpace",
    "constant",
    "lab_to_rgb",
    "lab_to_xyz",
    "lightness_to_y",
    "linear_to_srgb",
    "luv_to_rgb",
    "luv_to_xyz",
    "quantize_rgb",
    "rgb_to_lab",
    "rgb_to_lightness",
    "rgb_to_luv",
    "rgb_to_xyz",
    "srgb_to_linear",
    "xyz_to_lab",
    "xyz_to_luv",
    "xyz_to_rgb",
    "y_to_lightness",
]
