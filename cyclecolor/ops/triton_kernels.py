"""Kernels for GPUs: what PyTorch does to images only after taking their layout apart.

In here images are (N, H, W, C) and dense, which is how `torch.channels_last` lies in memory; it is the layout
in which GPUs convolve. Sums are of float32 and in one order.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

PIXELS, CHANNELS = 64, 64  # of a tile of an image with many channels
PARTS, PROGRAMS = 128, 512  # into which the pixels of an image are split at most, and those of all images


def instance_norm(image: Tensor, epsilon: float, slope: float = 1.0) -> Tensor:
    """(N, C, H, W) with every channel of every image brought to zero mean and unit variance.

    Negative values of the result are multiplied by `slope`.
    """
    return _InstanceNorm.apply(image, epsilon, slope)


def reflection_pad(image: Tensor, padding: int) -> Tensor:
    """(N, C, H, W) to (N, C, H + 2 padding, W + 2 padding), mirrored at the edges, which are not repeated.

    Raises
    ------
    ValueError
        If the image is not larger than the padding.
    """
    if padding >= min(image.shape[-2:]):
        raise ValueError(f"an image of {tuple(image.shape[-2:])} pixels has no {padding} to be mirrored")
    return _ReflectionPad.apply(image, padding)


class _InstanceNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, image: Tensor, epsilon: float, slope: float) -> Tensor:
        image = _dense(image)
        output, shape = torch.empty_like(image), _Shape(image)
        sums, ctx.settings = shape.sums(image), (*shape.numbers, epsilon, slope)
        tiles = (PARTS, *shape.tile)
        _add_up[shape.grid](image, image, sums, sums, *ctx.settings, False, *tiles)
        _normalize[shape.grid](image, sums, output, *ctx.settings, *tiles)
        ctx.save_for_backward(image, sums)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor):
        image, sums = ctx.saved_tensors
        gradient = _dense(gradient)
        of_image, shape = torch.empty_like(image), _Shape(image)
        gradient_sums, tiles = shape.sums(image), (PARTS, *shape.tile)
        _add_up[shape.grid](gradient, image, sums, gradient_sums, *ctx.settings, True, *tiles)
        _normalize_backward[shape.grid](gradient, image, sums, gradient_sums, of_image, *ctx.settings, *tiles)
        return of_image, None, None


class _Shape:
    """How (N, C, H, W) is shared out: a program for each image, part of its pixels and tile of channels."""

    def __init__(self, image: Tensor):
        count, self.channels, height, width = image.shape
        self.tile = _tile(self.channels)
        pixels, tiles = height * width, triton.cdiv(self.channels, self.tile[1])
        each = triton.cdiv(pixels, min(PARTS, max(1, PROGRAMS // (count * tiles))))
        each = triton.cdiv(each, 4 * self.tile[0]) * 4 * self.tile[0]
        self.grid = (count, triton.cdiv(pixels, each), tiles)
        self.numbers = (pixels, self.channels, each, self.grid[1])

    def sums(self, image: Tensor) -> Tensor:
        """Room for two sums of each part and channel (N, parts, 2, C)."""
        return image.new_empty((*self.grid[:2], 2, self.channels), dtype=torch.float32)


def _tile(channels: int) -> tuple[int, int]:
    """Pixels and channels of a tile: as many values, also of images with few channels."""
    across = min(CHANNELS, triton.next_power_of_2(channels))
    return PIXELS * CHANNELS // across, across


@triton.jit
def _totals(sums, number, parts, channel, channels, PARTS: tl.constexpr):
    """Both sums over all parts of an image, for a tile of channels."""
    part = tl.arange(0, PARTS)
    there = (part < parts)[:, None] & (channel < channels)[None, :]
    place = sums + (number * parts + part)[:, None] * 2 * channels + channel[None, :]
    first = tl.sum(tl.load(place, mask=there, other=0.0), axis=0)
    second = tl.sum(tl.load(place + channels, mask=there, other=0.0), axis=0)
    return first, second


@triton.jit
def _moments(image, sums, number, pixels, channels, parts, epsilon, channel, PARTS: tl.constexpr):
    """Mean and one over the standard deviation, from sums of differences from the first pixel."""
    first, second = _totals(sums, number, parts, channel, channels, PARTS)
    start = number.to(tl.int64) * pixels * channels
    shift = tl.load(image + start + channel, mask=channel < channels, other=0.0).to(tl.float32)
    difference = first / pixels
    variance = tl.maximum(second / pixels - difference * difference, 0.0)
    return shift + difference, 1 / tl.sqrt(variance + epsilon)


@triton.jit
def _add_up(
    values, image, sums, output, pixels, channels, each, parts, epsilon, slope,
    BACKWARD: tl.constexpr, PARTS: tl.constexpr, PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """Sums over some pixels: of x - x_0 and its square; backward, of g and of g times what x became."""
    number, part, tile = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    channel = tile * CHANNELS + tl.arange(0, CHANNELS)
    start = number.to(tl.int64) * pixels
    if BACKWARD:
        mean, scale = _moments(image, sums, number, pixels, channels, parts, epsilon, channel, PARTS)
    else:
        first_pixel = image + start * channels + channel
        mean = tl.load(first_pixel, mask=channel < channels, other=0.0).to(tl.float32)
    first = tl.zeros((PIXELS, CHANNELS), tl.float32)
    second = tl.zeros((PIXELS, CHANNELS), tl.float32)
    for step in range(0, each, PIXELS):
        pixel = part * each + step + tl.arange(0, PIXELS)
        there = (pixel < pixels)[:, None] & (channel < channels)[None, :]
        place = (start + pixel)[:, None] * channels + channel[None, :]
        value = tl.load(values + place, mask=there, other=0.0).to(tl.float32)
        if BACKWARD:
            x = tl.load(image + place, mask=there, other=0.0).to(tl.float32)
            became = (x - mean[None, :]) * scale[None, :]
            value = tl.where(became > 0, value, value * slope)
            first += value
            second += value * became
        else:
            value = tl.where(there, value - mean[None, :], 0.0)
            first += value
            second += value * value
    room = output + (number * parts + part) * 2 * channels + channel
    tl.store(room, tl.sum(first, axis=0), mask=channel < channels)
    tl.store(room + channels, tl.sum(second, axis=0), mask=channel < channels)


@triton.jit
def _normalize(
    image, sums, output, pixels, channels, each, parts, epsilon, slope,
    PARTS: tl.constexpr, PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    number, part, tile = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    channel = tile * CHANNELS + tl.arange(0, CHANNELS)
    mean, scale = _moments(image, sums, number, pixels, channels, parts, epsilon, channel, PARTS)
    for step in range(0, each, PIXELS):
        pixel = part * each + step + tl.arange(0, PIXELS)
        there = (pixel < pixels)[:, None] & (channel < channels)[None, :]
        place = (number.to(tl.int64) * pixels + pixel)[:, None] * channels + channel[None, :]
        x = tl.load(image + place, mask=there, other=0.0).to(tl.float32)
        became = (x - mean[None, :]) * scale[None, :]
        tl.store(output + place, tl.where(became > 0, became, became * slope), mask=there)


@triton.jit
def _normalize_backward(
    gradient, image, sums, gradient_sums, output, pixels, channels, each, parts, epsilon, slope,
    PARTS: tl.constexpr, PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """The gradient less its mean and less its part along what x became, scaled as x was."""
    number, part, tile = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    channel = tile * CHANNELS + tl.arange(0, CHANNELS)
    mean, scale = _moments(image, sums, number, pixels, channels, parts, epsilon, channel, PARTS)
    first, second = _totals(gradient_sums, number, parts, channel, channels, PARTS)
    for step in range(0, each, PIXELS):
        pixel = part * each + step + tl.arange(0, PIXELS)
        there = (pixel < pixels)[:, None] & (channel < channels)[None, :]
        place = (number.to(tl.int64) * pixels + pixel)[:, None] * channels + channel[None, :]
        x = tl.load(image + place, mask=there, other=0.0).to(tl.float32)
        value = tl.load(gradient + place, mask=there, other=0.0).to(tl.float32)
        became = (x - mean[None, :]) * scale[None, :]
        value = tl.where(became > 0, value, value * slope)
        value = scale[None, :] * (value - first[None, :] / pixels - became * second[None, :] / pixels)
        tl.store(output + place, value, mask=there)


class _ReflectionPad(torch.autograd.Function):
    @staticmethod
    def forward(ctx, image: Tensor, padding: int) -> Tensor:
        count, channels, height, width = image.shape
        ctx.shape, ctx.padding = image.shape, padding
        shape = (count, channels, height + 2 * padding, width + 2 * padding)
        output = _room(shape, image)
        rows, tile = count * shape[2] * shape[3], _tile(channels)
        grid = (triton.cdiv(rows, tile[0]), triton.cdiv(channels, tile[1]))
        _reflect[grid](_dense(image), output, rows, height, width, channels, padding, *tile)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor):
        count, channels, height, width = ctx.shape
        of_image, tile = _room(ctx.shape, gradient), _tile(channels)
        rows = count * height * width
        grid = (triton.cdiv(rows, tile[0]), triton.cdiv(channels, tile[1]))
        _reflect_backward[grid](_dense(gradient), of_image, rows, height, width, channels, ctx.padding, *tile)
        return of_image, None


@triton.jit
def _reflect(
    image, output, rows, height, width, channels, padding, PIXELS: tl.constexpr, CHANNELS: tl.constexpr
):
    pixel = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    x = tl.abs(pixel % (width + 2 * padding) - padding)
    y = tl.abs(pixel // (width + 2 * padding) % (height + 2 * padding) - padding)
    x = width - 1 - tl.abs(width - 1 - x)
    y = height - 1 - tl.abs(height - 1 - y)
    number = pixel // ((width + 2 * padding) * (height + 2 * padding))
    source = ((number.to(tl.int64) * height + y) * width + x)[:, None] * channels + channel[None, :]
    target = pixel.to(tl.int64)[:, None] * channels + channel[None, :]
    there = (pixel < rows)[:, None] & (channel < channels)[None, :]
    tl.store(output + target, tl.load(image + source, mask=there, other=0.0), mask=there)


@triton.jit
def _reflect_backward(
    gradient, output, rows, height, width, channels, padding, PIXELS: tl.constexpr, CHANNELS: tl.constexpr
):
    """The sum over all places, up to three along each axis, to which a pixel went."""
    pixel = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    x, y = pixel % width, pixel // width % height
    number = (pixel // (width * height)).to(tl.int64)
    inside = (pixel < rows)[:, None] & (channel < channels)[None, :]
    total = tl.zeros((PIXELS, CHANNELS), tl.float32)
    for i in tl.static_range(3):
        row, rows_there = _went_to(y, height, padding, i)
        if tl.max(rows_there.to(tl.int32)) > 0:  # most tiles are far from the edges
            for j in tl.static_range(3):
                column, columns_there = _went_to(x, width, padding, j)
                place = (number * (height + 2 * padding) + row) * (width + 2 * padding) + column
                there = inside & (rows_there & columns_there)[:, None]
                source = gradient + place[:, None] * channels + channel[None, :]
                total += tl.load(source, mask=there, other=0.0).to(tl.float32)
    tl.store(output + pixel.to(tl.int64)[:, None] * channels + channel[None, :], total, mask=inside)


@triton.jit
def _went_to(place, side, padding, way: tl.constexpr):
    """Where along an axis a place is found in the padded image, and whether: itself, or mirrored."""
    if way == 0:
        return place + padding, place >= 0
    if way == 1:
        return padding - place, (place >= 1) & (place <= padding)
    return padding + 2 * (side - 1) - place, (place >= side - 1 - padding) & (place <= side - 2)


def _room(shape: tuple[int, ...], like: Tensor) -> Tensor:
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=torch.channels_last)


def _dense(image: Tensor) -> Tensor:
    return image.contiguous(memory_format=torch.channels_last)
