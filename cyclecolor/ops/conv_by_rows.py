"""Convolutions for the ends of a network, where images have three channels or one.

Processors and GPUs compute 8 to 64 channels at a time, and of three throw most away. So the r rows that a
convolution of r x r taps looks at count as channels here, and the taps are 1 x r: the same products, summed
in another order. Rows of zeros make them 8 or 16.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from .padding import padded

AT_ONCE = 8  # rows


class ConvFromFew(nn.Conv2d):
    """`nn.Conv2d` of stride 1, with its parameters, that takes few channels."""

    def _conv_forward(self, image: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        zeros = -weight.shape[2] % AT_ONCE
        if torch.is_autocast_enabled(image.device.type):  # before it is eight times as large
            image = image.to(torch.get_autocast_dtype(image.device.type))
        image = F.pad(padded(image, self), (0, 0, 0, zeros))
        by_row = F.pad(weight.transpose(1, 2), (0, 0, 0, 0, 0, zeros))  # (K, rows, C, r)
        stacked = _StackRows.apply(image, by_row.shape[1])
        return F.conv2d(stacked, by_row.flatten(1, 2).unsqueeze(2), bias)


class ConvToFew(nn.Conv2d):
    """`nn.Conv2d` of stride 1, with its parameters, that makes few channels."""

    def _conv_forward(self, image: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        channels, _, taps, _ = weight.shape
        by_row = F.pad(weight.permute(2, 0, 1, 3), (0,) * 7 + (-taps % AT_ONCE,))  # (rows, K, C, r)
        rows = F.conv2d(padded(image, self), by_row.flatten(0, 1).unsqueeze(2))
        output = _AddRows.apply(rows, taps, channels)
        return output if bias is None else output + bias.to(output.dtype).view(-1, 1, 1)


class _StackRows(torch.autograd.Function):
    """(N, C, H, W) to (N, r C, H - r + 1, W): channels of a row, then those of the row below, and so on."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, rows: int) -> Tensor:
        ctx.rows = rows
        count, channels, height, width = image.shape
        whole, channel, row, column = image.stride()
        shape = (count, rows, channels, height - rows + 1, width)
        stacked = _room((count, rows * channels, *shape[3:]), image, image.dtype)
        stacked.view(shape).copy_(image.as_strided(shape, (whole, row, channel, row, column)))
        return stacked

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        count, channels, height, width = gradient.shape
        shape = (count, channels // ctx.rows, height + ctx.rows - 1, width)
        of_image = _room(shape, gradient, _of_sums(gradient)).zero_()
        for k, of_row in enumerate(gradient.chunk(ctx.rows, dim=1)):
            of_image[:, :, k : k + height] += of_row
        return of_image.to(gradient.dtype), None


class _AddRows(torch.autograd.Function):
    """(N, at least r K, H, W) to (N, K, H - r + 1, W): sums of K channels from each of r rows."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, taps: int, channels: int) -> Tensor:
        ctx.shape, ctx.taps = rows.shape, taps
        parts = _slanted(rows, taps, channels)
        output = _room((len(rows), *parts.shape[2:]), rows, _of_sums(rows))
        return torch.sum(parts, dim=1, dtype=output.dtype, out=output).to(rows.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        of_rows = _room(ctx.shape, gradient, gradient.dtype).zero_()
        _slanted(of_rows, ctx.taps, gradient.shape[1]).copy_(gradient.unsqueeze(1))
        return of_rows, None, None


def _slanted(rows: Tensor, taps: int, channels: int) -> Tensor:
    """A view (N, r, K, H - r + 1, W), of which k, c, h, w is channel k K + c of row h + k."""
    count, _, height, width = rows.shape
    whole, channel, row, column = rows.stride()
    shape = (count, taps, channels, height - taps + 1, width)
    return rows.as_strided(shape, (whole, channels * channel + row, channel, row, column))


def _of_sums(image: Tensor) -> torch.dtype:
    return torch.promote_types(image.dtype, torch.float32)


def _room(shape: tuple[int, ...], like: Tensor, dtype: torch.dtype) -> Tensor:
    """An empty tensor that lies in memory as another image does."""
    last = like.is_contiguous(memory_format=torch.channels_last) and not like.is_contiguous()
    layout = torch.channels_last if last else torch.contiguous_format
    return torch.empty(shape, dtype=dtype, device=like.device, memory_format=layout)
