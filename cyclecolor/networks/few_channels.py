"""Convolutions for the ends of a network, where images have three channels or one.

Processors and GPUs compute 8 to 64 channels at a time, and of three throw most away. So the r rows that a
convolution of r x r taps looks at count as channels here, and the taps are 1 x r: the same products, summed
in another order. Rows of zeros make them 8 or 16.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from .padding import padded

AT_ONCE = 8


class ConvFromFew(nn.Conv2d):
    """`nn.Conv2d` of stride 1, with its parameters, that takes few channels."""

    def _conv_forward(self, image: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        taps = weight.shape[2]
        zeros = -taps % AT_ONCE
        if torch.is_autocast_enabled(image.device.type):  # before it is eight times as large
            image = image.to(torch.get_autocast_dtype(image.device.type))
        image = padded(image, self)
        height = image.shape[2] - taps + 1
        image = F.pad(image, (0, 0, 0, zeros))
        rows = torch.cat([image[:, :, k : k + height] for k in range(taps + zeros)], dim=1)
        by_row = F.pad(weight.transpose(1, 2), (0, 0, 0, 0, 0, zeros))  # (K, rows, C, r)
        return F.conv2d(rows, by_row.flatten(1, 2).unsqueeze(2), bias)


class ConvToFew(nn.Conv2d):
    """`nn.Conv2d` of stride 1, with its parameters, that makes few channels."""

    def _conv_forward(self, image: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        channels, _, taps, _ = weight.shape
        by_row = F.pad(weight.permute(2, 0, 1, 3), (0,) * 7 + (-taps % AT_ONCE,))  # (rows, K, C, r)
        rows = F.conv2d(padded(image, self), by_row.flatten(0, 1).unsqueeze(2))
        output = _AddRows.apply(rows, taps, channels)
        return output if bias is None else output + bias.to(output.dtype).view(-1, 1, 1)


class _AddRows(torch.autograd.Function):
    """(N, at least r K, H, W) to (N, K, H - r + 1, W): sums of K channels from each of r rows, in float32."""

    @staticmethod
    def forward(ctx, rows: Tensor, taps: int, channels: int) -> Tensor:
        ctx.memory, ctx.taps = (rows.shape, rows.stride()), taps
        first, *others = _parts(rows, taps, channels)
        output = first.to(torch.float32, copy=True)
        for part in others:
            output += part
        return output.to(rows.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor):
        of_rows = torch.empty_strided(*ctx.memory, dtype=gradient.dtype, device=gradient.device).zero_()
        for part in _parts(of_rows, ctx.taps, gradient.shape[1]):
            part.copy_(gradient)
        return of_rows, None, None


def _parts(rows: Tensor, taps: int, channels: int) -> Iterator[Tensor]:
    height = rows.shape[2] - taps + 1
    for k in range(taps):
        yield rows[:, k * channels : (k + 1) * channels, k : k + height]
