"""A convolution for the end of a network, where an image has three channels or one."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from .padding import padded

AT_ONCE = 8  # channels that GPUs take together; processors take 16


class ConvToFew(nn.Conv2d):
    """`nn.Conv2d` of stride 1, with its parameters, that makes few channels.

    Processors and GPUs compute 8 to 64 channels at a time, and of three would throw most away. So every row
    of the r x r taps makes channels of its own, r times as many, which are then added up: the same products,
    summed in another order.
    """

    def _conv_forward(self, image: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        channels, _, taps, _ = weight.shape
        by_row = weight.permute(2, 0, 1, 3).flatten(0, 1).unsqueeze(2)  # (r K, C, 1, r)
        by_row = F.pad(by_row, (0,) * 7 + (-len(by_row) % AT_ONCE,))
        output = _AddRows.apply(F.conv2d(padded(image, self), by_row), taps, channels)
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
