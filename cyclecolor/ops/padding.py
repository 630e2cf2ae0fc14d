"""Padding: as a convolution asks for, and so that a strided network takes images of any size."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .instance_norm import gpu_kernels


def padded(image: Tensor, convolution: nn.Conv2d) -> Tensor:
    """(N, C, H, W) padded by as much, and in the mode, as a convolution has it."""
    sides, mode = convolution._reversed_padding_repeated_twice, convolution.padding_mode
    if not any(sides):
        return image
    if mode == "reflect" and image.device.type == "cuda" and (kernels := gpu_kernels()):
        return kernels.reflection_pad(image, sides[0])  # PyTorch's own would take NHWC apart
    return F.pad(image, sides, mode="constant" if mode == "zeros" else mode)


def pad_to_multiple(image: Tensor, multiple: int, *, least: int = 0) -> Tensor:
    """Repeat the right and bottom edge of (N, C, H, W) until both sides divide by `multiple`.

    Sides are at least `least`. The caller crops its output back.
    """
    height, width = image.shape[-2:]
    right = max(least - width, 0)
    bottom = max(least - height, 0)
    right += -(width + right) % multiple
    bottom += -(height + bottom) % multiple
    # What `torch.export` follows must do for every size.
    if not torch.compiler.is_exporting() and not right and not bottom:
        return image
    return F.pad(image, (0, right, 0, bottom), mode="replicate")
