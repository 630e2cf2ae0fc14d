"""Convolutions with a fraction of the multiplications, for training on CPU (Winograd, 1980).

A tile of m x m outputs of a convolution with r x r taps is, after a transform of both its inputs, a product
of (m + r - 1)^2 values in place of m^2 r^2 (Lavin and Gray, 2016); the sums over channels are then matrix
products, which every processor does well. On a GPU, cuDNN chooses such ways by itself.

In here images are (N, H, W, C) and dense, which is how `torch.channels_last` lies in memory.
"""

from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from .padding import padded

# Where polynomials are evaluated, and at infinity. Unlike signs and sizes keep rounding errors small: three
# times those of the direct sum.
POINTS = (0, 1, -1, 2, -0.5)
CONSTANT = POINTS.index(1)  # what is added at this point, along both axes, is added to every output
TILES = {3: (4, 3), 4: (3,)}  # sides of the output tiles that are tried, by taps
LEAST_CHANNELS, LEAST_PIXELS = 64, 512  # below, the transforms cost more than they save
# With AVX-512, direct sums are so much quicker that ours took 1.0 to 1.8 times as long (an AMD EPYC).
WIDE = torch.backends.cpu.get_cpu_capability().startswith("AVX512")
BLOCK = 2**20  # values worked on at a time: they stay in the processor's cache


class WinogradConv2d(nn.Conv2d):
    """`nn.Conv2d`, with its parameters, that takes the short way where that pays."""

    def _conv_forward(self, image: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        padding = self.padding
        if self.padding_mode != "zeros":
            image, padding = padded(image, self), (0, 0)
        if not pays(image, weight):
            return F.conv2d(image, weight, bias, self.stride, padding, self.dilation, self.groups)
        return _Convolve.apply(image, weight, bias, padding[0])


def use_winograd(network: nn.Module) -> nn.Module:
    """Let every plain convolution of `network` of stride 1 take the short way; parameters stay."""
    for module in network.modules():
        if type(module) is nn.Conv2d and module.stride == (1, 1) and module.groups == 1:
            module.__class__ = WinogradConv2d  # the same parameters, another `_conv_forward`
    return network


def pays(image: Tensor, weight: Tensor) -> bool:
    """Whether the short way is there and shorter, for (N, C, H, W) and weights (K, C, r, r) at stride 1.

    Without gradients, sums stay direct: what a trained network answers is then a little more exact.
    """
    taps, count = weight.shape[-1], image.shape[0] * image.shape[2] * image.shape[3]
    return (
        not WIDE
        and torch.is_grad_enabled()
        and image.device.type == "cpu"
        and image.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and taps in TILES
        and min(weight.shape[:2]) >= LEAST_CHANNELS
        and count >= LEAST_PIXELS
    )


class _Convolve(torch.autograd.Function):
    """Cross-correlation of (N, C, H, W) with (K, C, r, r) at stride 1, zero-padded, plus a bias or None."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, weight: Tensor, bias: Tensor | None, padding: int) -> Tensor:
        ctx.save_for_backward(image, weight)
        ctx.padding = padding
        output = convolve(image.permute(0, 2, 3, 1), weight, bias, padding).permute(0, 3, 1, 2)
        return output.data  # no view: autograd lets no activation work in place on a view made in here

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        image, weight = ctx.saved_tensors
        of_image, of_weight, of_bias = gradients(
            gradient.permute(0, 2, 3, 1), image.permute(0, 2, 3, 1), weight, ctx.padding, ctx.needs_input_grad
        )
        of_image = None if of_image is None else of_image.permute(0, 3, 1, 2)
        return of_image, of_weight, of_bias if ctx.needs_input_grad[2] else None, None


def convolve(image: Tensor, weight: Tensor, bias: Tensor | None, padding: int) -> Tensor:
    """(N, H, W, C) and (K, C, r, r) to (N, H + 2 padding - r + 1, W + 2 padding - r + 1, K)."""
    taps, channels = weight.shape[-1], weight.shape[0]
    height, width = (side + 2 * padding - taps + 1 for side in image.shape[1:3])
    side = tile_side(height, width, taps)
    to_output, _, to_input = transforms(side, taps)
    tiles = input_tiles(image, side, taps, padding)
    weights = transformed_weights(weight, side).transpose(1, 2)
    n, _, count, rows, columns, _ = tiles.shape
    output = image.new_empty(count, rows, side, columns, side, channels)
    for part in blocks(tiles):
        transformed = both_sides(to_input, tiles[:, :, :, part]).view(n * n, -1, weight.shape[1])
        products = torch.bmm(transformed, weights).view(n, n, -1, channels)
        if bias is not None:
            products[CONSTANT, CONSTANT] += bias
        result = both_sides(to_output, products).view(side, side, count, -1, columns, channels)
        output[:, part] = result.permute(2, 3, 0, 4, 1, 5)
    return output.view(count, rows * side, columns * side, channels)[:, :height, :width]


def gradients(
    gradient: Tensor, image: Tensor, weight: Tensor, padding: int, wanted: tuple[bool, ...]
) -> tuple[Tensor | None, ...]:
    """Gradients (N, H, W, C), (K, C, r, r) and (K,) of `convolve`'s image, weights and bias.

    From the gradient of its output: every step of `convolve` transposed, the last one first. `wanted` says
    whether image and weights are to have theirs.
    """
    taps, (height, width, channels) = weight.shape[-1], gradient.shape[1:]
    side = tile_side(height, width, taps)
    to_output, to_weight, to_input = transforms(side, taps)
    tiles = input_tiles(image, side, taps, padding)
    n, _, count, rows, columns, inputs = tiles.shape
    padded = F.pad(gradient, (0, 0, 0, columns * side - width, 0, rows * side - height))
    squares = padded.unflatten(1, (rows, side)).unflatten(3, (columns, side)).permute(2, 4, 0, 1, 3, 5)
    weights = transformed_weights(weight, side) if wanted[0] else None
    of_image = image.new_zeros(count, rows + 1, side, columns + 1, side, inputs) if wanted[0] else None
    of_weights, of_bias = image.new_empty(n * n, channels, inputs), image.new_zeros(channels)
    for part in blocks(tiles):
        spread = both_sides(to_output.T, squares[:, :, :, part]).view(n * n, -1, channels)
        if wanted[1]:
            transformed = both_sides(to_input, tiles[:, :, :, part]).view(n * n, -1, inputs)
            of_weights.baddbmm_(spread.transpose(1, 2), transformed, beta=float(part.start > 0))
            of_bias += spread[CONSTANT * n + CONSTANT].sum(dim=0)
        if weights is not None and of_image is not None:
            of_tiles = both_sides(to_input.T, torch.bmm(spread, weights).view(n, n, -1, inputs))
            add_tiles(of_image, of_tiles.view(n, n, count, -1, columns, inputs), part)
    if of_image is not None:
        top, left = slice(padding, padding + image.shape[1]), slice(padding, padding + image.shape[2])
        of_image = of_image.view(count, (rows + 1) * side, (columns + 1) * side, inputs)[:, top, left]
    if wanted[1]:
        of_weights = both_sides_at_once(to_weight).T @ of_weights.view(n * n, -1)
        of_weights = of_weights.view(taps, taps, channels, inputs).permute(2, 3, 0, 1)
    return of_image, of_weights if wanted[1] else None, of_bias


def add_tiles(image: Tensor, tiles: Tensor, part: slice) -> None:
    """Add overlapping tiles (n, n, N, r, columns, C) where `input_tiles` takes them from.

    `image` is (N, rows + 1, side, columns + 1, side, C), `part` the r rows.
    """
    side, overlap, columns = image.shape[2], tiles.shape[0] - image.shape[2], tiles.shape[4]
    tiles = tiles.permute(2, 3, 0, 4, 1, 5)
    below = slice(part.start + 1, part.start + 1 + tiles.shape[1])
    part = slice(part.start, part.start + tiles.shape[1])
    image[:, part, :, :columns] += tiles[:, :, :side, :, :side]
    image[:, part, :, 1:, :overlap] += tiles[:, :, :side, :, side:]
    image[:, below, :overlap, :columns] += tiles[:, :, side:, :, :side]
    image[:, below, :overlap, 1:, :overlap] += tiles[:, :, side:, :, side:]


def transformed_weights(weight: Tensor, side: int) -> Tensor:
    """Weights (K, C, r, r) as the products of tiles take them, (n * n, K, C)."""
    _, to_weight, _ = transforms(side, weight.shape[-1])
    flat = weight.permute(2, 3, 0, 1).reshape(weight.shape[-1] ** 2, -1)
    return (both_sides_at_once(to_weight) @ flat).view(-1, *weight.shape[:2])


def input_tiles(image: Tensor, side: int, taps: int, padding: int) -> Tensor:
    """A view (n, n, N, rows, columns, C) of overlapping tiles, n = side + taps - 1, of a padded image."""
    n = side + taps - 1
    height, width = image.shape[1:3]
    rows, columns = (-(-(s + 2 * padding - taps + 1) // side) for s in (height, width))
    right, bottom = columns * side + taps - 1 - width - padding, rows * side + taps - 1 - height - padding
    padded = (
        image if padding == right == bottom == 0 else F.pad(image, (0, 0, padding, right, padding, bottom))
    )
    padded = padded.contiguous()
    whole, row, column, channel = padded.stride()
    return padded.as_strided(
        (n, n, image.shape[0], rows, columns, image.shape[-1]),
        (row, column, whole, side * row, side * column, channel),
    )


def blocks(tiles: Tensor) -> list[slice]:
    """Ranges of tile rows that are worked on together."""
    rows = tiles.shape[3]
    step = -(-rows // -(-tiles.numel() // BLOCK))
    return [slice(start, start + step) for start in range(0, rows, step)]


def both_sides(matrix: Tensor, blocks: Tensor) -> Tensor:
    """`matrix` (m, n) times (n, n, ...) along the first axis and along the second: (m, m, ...)."""
    m, n = matrix.shape
    half = (matrix @ blocks.reshape(n, -1)).view(m, n, -1)
    return torch.bmm(matrix.expand(m, m, n), half).view(m, m, *blocks.shape[2:])


def both_sides_at_once(matrix: Tensor) -> Tensor:
    """`matrix` (m, n) along both axes of what is flattened: (m * m, n * n)."""
    return torch.kron(matrix, matrix)


def tile_side(height: int, width: int, taps: int) -> int:
    """The side of output tiles that takes fewest multiplications."""

    def cost(side: int) -> int:
        return -(-height // side) * -(-width // side) * (side + taps - 1) ** 2

    return min(TILES[taps], key=cost)


@cache
def transforms(side: int, taps: int) -> tuple[Tensor, Tensor, Tensor]:
    """The matrices (side, n), (n, taps) and (n, n) for outputs, weights and inputs (Toom, 1963; Cook, 1966).

    Multiplying polynomials of degrees side - 1 and taps - 1 by their values at n points, transposed.
    """
    n = side + taps - 1
    points = np.array(POINTS[: n - 1], float)
    others = [np.delete(points, i) for i in range(n - 1)]
    infinity = np.zeros((1, side)), np.zeros((1, taps))
    for row in infinity:
        row[0, -1] = 1
    to_output = np.vstack([np.vander(points, side, increasing=True), infinity[0]]).T
    scale = np.array([np.prod(p - rest) for p, rest in zip(points, others, strict=True)])
    to_weight = np.vstack([np.vander(points, taps, increasing=True) / scale[:, None], infinity[1]])
    to_input = np.zeros((n, n))
    for row, roots in zip(to_input, [*others, points], strict=True):
        row[: len(roots) + 1] = np.poly(roots)[::-1]
    matrices = (torch.tensor(matrix, dtype=torch.float32) for matrix in (to_output, to_weight, to_input))
    of_output, of_weight, of_input = matrices
    return of_output, of_weight, of_input
