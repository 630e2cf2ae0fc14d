"""A convolution of each channel by itself, whose gradient is quick on CPU.

With 3 x 3 taps and stride 1, oneDNN finds gradients quickly; else, some 20 to 100 times more slowly. So those
of 5 x 5 taps are put together from four of 3 x 3, which overlap in one row and one column; and at stride 2,
the gradient of the output is given zeros in between, which makes it one of stride 1.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

WINDOW = 3  # taps along a side of what is quick
STARTS = {3: (0,), 5: (0, 2)}  # of such windows, by taps


def depthwise(image: Tensor, weight: Tensor, *, stride: int, padding: int) -> Tensor:
    """(N, C, H, W) with (C, 1, r, r), zero-padded; as `F.conv2d` with C groups, under autocast too."""
    if image.device.type != "cpu":
        return F.conv2d(image, weight, None, stride, padding, groups=len(weight))
    if torch.is_autocast_enabled("cpu"):
        number = torch.get_autocast_dtype("cpu")
        image, weight = image.to(number), weight.to(number)
    return _Depthwise.apply(image, weight, stride, padding)


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, image: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(image, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(image, weight, None, stride, padding, groups=len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        image, weight = ctx.saved_tensors
        sides = [side + 2 * ctx.padding - weight.shape[-1] + 1 for side in image.shape[-2:]]
        gradient = _spread(gradient, ctx.stride, sides)
        of_image = of_weight = None
        if ctx.needs_input_grad[0]:
            of_image = _gradient(gradient, image, weight, ctx.padding, of_image=True)
        if ctx.needs_input_grad[1]:
            of_weight = _of_weight(gradient, F.pad(image, (ctx.padding,) * 4), weight)
        return of_image, of_weight, None, None


def _spread(gradient: Tensor, stride: int, sides: list[int]) -> Tensor:
    """The gradient of an output of these sides at stride 1, of which every `stride`th was looked at."""
    if stride == 1:
        return gradient
    shape = (*gradient.shape[:2], *sides)
    whole = gradient.new_zeros(shape).to(memory_format=torch.channels_last)
    whole[..., ::stride, ::stride] = gradient
    return whole


def _of_weight(gradient: Tensor, padded: Tensor, weight: Tensor) -> Tensor:
    """The gradient of (C, 1, r, r): a tap that lies in several windows is the same in each."""
    of_weight, starts = torch.empty_like(weight), STARTS[weight.shape[-1]]
    height, width = (side + WINDOW - 1 for side in gradient.shape[-2:])
    for top in starts:
        for left in starts:
            seen = padded[..., top : top + height, left : left + width]
            window = of_weight[..., top : top + WINDOW, left : left + WINDOW]
            window.copy_(_gradient(gradient, seen, window, 0, of_image=False))
    return of_weight


def _gradient(gradient: Tensor, image: Tensor, weight: Tensor, padding: int, *, of_image: bool) -> Tensor:
    """Of the image, or of the weights, at stride 1."""
    options = [1, 1], [padding] * 2, [1, 1], False, [0, 0], len(weight)
    wanted = [of_image, not of_image, False]
    found = torch.ops.aten.convolution_backward(gradient, image, weight, None, *options, wanted)
    return found[0] if of_image else found[1]
