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
    """Mirror (N, C, H, W) at its right and bottom edge until both sides divide by `multiple`.

    Sides are at least `least`. The caller crops its output back. Repeated edges, in place of mirrored ones,
    are streaks, which no photo has, and a network that looks at the whole scene colors all of it worse: with
    14 of 160 pixels repeated, it lost two fifths of its gain over gray on landscapes.
    """
    for dimension in (-1, -2):
        side = image.shape[dimension]
        whole = side + max(least - side, 0)
        whole += -whole % multiple
        # What `torch.export` follows must do for every size.
        if torch.compiler.is_exporting() or whole != side:
            image = image.index_select(dimension, mirrored(side, whole, image.device))
    return image


def mirrored(side: int, whole: int, device: torch.device) -> Tensor:
    """The places 0, 1, ..., side - 1, side - 2, ..., 0, 1, ... of a walk to and fro: (whole,)."""
    # A tensor, since ONNX takes no remainder of a number that it does not know yet.
    last = torch.arange(side, device=device)[-1]
    period = (2 * last).clamp(min=1)
    places = torch.arange(whole, device=device).remainder(period)
    return torch.minimum(places, period - places)
