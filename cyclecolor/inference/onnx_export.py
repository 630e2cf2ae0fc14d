"""A generator as an ONNX file: the network alone, for images of any number and size, and checked."""

import copy
import json
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..color import RGBSpace
from ..errors import CycleColorError, of_extra
from ..files import atomic_write
from ..networks import FilmGenerator
from ..networks.film_generator import KNOTS, STARTS
from ..ops.conv_by_rows import ConvFromFew, ConvToFew
from ..ops.instance_norm import EPSILON, InstanceNorm
from ..ops.winograd import WinogradConv2d
from .colorizer import Colorizer

TRACED = (2, 48, 80)  # number, height and width of the images that the network is followed on
# Images on which the file must agree with the network.
CHECKED = ((1, 17, 23), (3, 64, 64), (2, 96, 131), (1, 301, 200), (1, 1024, 768), (1, 768, 1024))
TOLERANCE = 1e-4  # of outputs in [-1, 1]
DYNAMIC = {0: "batch", 2: "height", 3: "width"}


def export_onnx(colorizer: Colorizer, name: str, path: Path) -> float:
    """Write `G_color` or `G_gray` as ONNX; what a program must know to use it is in the file's metadata.

    Its input `image` is what the network sees, (batch, channels, height, width) in [-1, 1]; its output
    `output` is what it makes. A film also takes its noise, as `_Film` has it. Saturation, emphasis, balance,
    guided lines and denoising are not in it.

    Returns
    -------
    float
        The largest difference from the network on `CHECKED` sizes.

    Raises
    ------
    CycleColorError
        If a package of the extra `onnx` is missing, the checkpoint has no such network, or the file would
        not do what the network does; then nothing is written.
    """
    with of_extra("onnx"):
        import onnx
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    network = _plain(colorizer.generator(name))
    model = _followed(network)
    facts = {key: json.dumps(value) for key, value in _facts(colorizer, name).items()}
    onnx.helper.set_model_props(model, facts)
    onnx.checker.check_model(model, full_check=True)
    _check_sizes(model.graph.input)
    for axis, size in DYNAMIC.items():  # named by formulas of the exporter's
        made = f"output_{size}" if axis else size
        model.graph.output[0].type.tensor_type.shape.dim[axis].dim_param = made
    content = model.SerializeToString()
    worst = _worst_difference(content, network)
    if not worst <= TOLERANCE:
        raise CycleColorError(f"{path}: not written, as it would differ from the network by {worst:.1e}")
    atomic_write(path, lambda file: file.write(content))
    return worst


def _facts(colorizer: Colorizer, name: str) -> dict[str, Any]:
    """What a program must know to use the network."""
    stride = getattr(colorizer.generators[name], "stride", 1)
    own = colorizer.space
    space = {} if isinstance(own, RGBSpace) else {"chroma_scale": own.chroma_scale}
    return {
        "generator": name,
        "space": colorizer.space.name,
        **space,
        "size": colorizer.size,
        "stride": stride,
        "saturation": colorizer.saturation,
        "emphasis": colorizer.experiment.emphasis,
        "balance": colorizer.experiment.balance,
        "checkpoint": colorizer.name,
    }


def _plain(generator: nn.Module) -> nn.Module:
    """A copy on the CPU whose layers are PyTorch's own, not those that are quicker here."""
    network = copy.deepcopy(generator).float().cpu().to(memory_format=torch.contiguous_format)
    for module in network.modules():
        if isinstance(module, WinogradConv2d | ConvFromFew | ConvToFew):
            module.__class__ = nn.Conv2d  # type: ignore[assignment]  # their base
        for child, layer in module.named_children():
            if isinstance(layer, InstanceNorm):
                setattr(module, child, _PlainNorm(layer.slope))
            elif isinstance(layer, nn.AdaptiveAvgPool2d):
                assert isinstance(layer.output_size, int)
                setattr(module, child, _PlainMeans(layer.output_size))
    if isinstance(network, FilmGenerator):
        network = _Film(network)
    return network.eval().requires_grad_(False)


class _PlainNorm(nn.Module):
    """`InstanceNorm` in elementary operations."""

    def __init__(self, slope: float):
        super().__init__()
        self.slope = slope

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        centered = features - features.mean(dim=(2, 3), keepdim=True)
        normed = centered * torch.rsqrt(centered.square().mean(dim=(2, 3), keepdim=True) + EPSILON)
        return F.leaky_relu(normed, self.slope)


class _PlainMeans(nn.Module):
    """`nn.AdaptiveAvgPool2d`, for images of any size, which the exporter takes to be of one."""

    def __init__(self, side: int):
        super().__init__()
        self.side = side

    def forward(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, side, side)."""
        height, width = image.shape[-2:]
        return self._shares(height) @ image @ self._shares(width).T

    def _shares(self, length: int) -> Tensor:
        """Of a row of pixels, the share of each in each mean: (side, length)."""
        edges, places = torch.arange(self.side + 1)[:, None] * length, torch.arange(length)
        within = (places >= edges[:-1] // self.side) & (places * self.side < edges[1:])
        return within / within.sum(dim=1, keepdim=True)


class _Film(nn.Module):
    """A film whose random numbers are given, since every program draws its own."""

    def __init__(self, film: FilmGenerator):
        super().__init__()
        self.film = film

    def forward(self, image: Tensor, scatter: Tensor, grain: Tensor, unevenness: Tensor) -> Tensor:
        """Gray (N, 1, H, W) of lightness and chroma (N, 3, H, W) and of the noise of `_inputs`."""
        noise = iter((grain, unevenness))  # in the order in which a film asks for it
        return self.film.shown(image, self.film.numbers(image, scatter), lambda shape, device: next(noise))


def _inputs(network: nn.Module, count: int, height: int, width: int) -> dict[str, tuple[int, ...]]:
    """The shape of each input, for a number of images of one size."""
    if isinstance(network, _Film):
        return {
            "image": (count, 3, height, width),
            "scatter": (count, len(STARTS)),
            "grain": (count, 1, height, width),
            "unevenness": (count, 1, KNOTS, KNOTS),
        }
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
    return {"image": (count, first.in_channels, height, width)}


def _dynamic(name: str) -> dict[int, str]:
    return DYNAMIC if name in ("image", "grain") else {0: "batch"}


def _followed(network: nn.Module) -> Any:
    """The network as an ONNX model (`onnx.ModelProto`)."""
    inputs = {name: torch.zeros(shape) for name, shape in _inputs(network, *TRACED).items()}
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    before = [logger.level for logger in loggers]
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what the exporter does on its own behalf
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        network(*inputs.values())  # so that `constant` keeps numbers, none of what the exporter has for them
        try:
            program: Any = torch.onnx.export(
                network,
                tuple(inputs.values()),
                dynamo=True,
                dynamic_shapes=tuple(_dynamic(name) for name in inputs),
                input_names=list(inputs),
                output_names=["output"],
                verbose=False,
            )
        finally:
            for logger, level in zip(loggers, before, strict=True):
                logger.setLevel(level)
    return program.model_proto


def _check_sizes(inputs: Any) -> None:
    """Inputs (of `onnx.ValueInfoProto`) must take any number of images of any size."""
    for value in inputs:
        sides = value.type.tensor_type.shape.dim
        fixed = [name for axis, name in _dynamic(value.name).items() if sides[axis].dim_param != name]
        if fixed:
            raise CycleColorError(f"not written, as the file would have one {' and '.join(fixed)} only")


def _worst_difference(content: bytes, network: nn.Module) -> float:
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    random, worst = np.random.default_rng(0), 0.0
    for size in CHECKED:
        shapes = _inputs(network, *size)
        given = {name: random.standard_normal(shape, np.float32) for name, shape in shapes.items()}
        given["image"] = random.uniform(-1, 1, shapes["image"]).astype(np.float32)
        (ours,) = session.run(["output"], given)
        with torch.inference_mode():
            theirs = network(*map(torch.from_numpy, given.values())).numpy()
        if ours.shape != theirs.shape:
            raise CycleColorError(f"not written, as the file makes {ours.shape} of {shapes['image']}")
        worst = max(worst, float(np.abs(ours - theirs).max()))
    return worst
