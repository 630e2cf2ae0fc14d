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
    `output` is what it makes. Saturation, emphasis, balance, guided lines and denoising are not in it.

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
    channels = _channels(network)
    model = _followed(network, channels)
    facts = {key: json.dumps(value) for key, value in _facts(colorizer, name).items()}
    onnx.helper.set_model_props(model, facts)
    onnx.checker.check_model(model, full_check=True)
    _check_sizes(model.graph.input[0])
    for axis, size in DYNAMIC.items():  # named by formulas of the exporter's
        made = f"output_{size}" if axis else size
        model.graph.output[0].type.tensor_type.shape.dim[axis].dim_param = made
    content = model.SerializeToString()
    worst = _worst_difference(content, network, channels)
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
    if isinstance(generator, FilmGenerator):
        message = (
            "this checkpoint's G_gray is a film, whose grain and unevenness are drawn by PyTorch: no other "
            "program would make the same; `info` prints its numbers"
        )
        raise CycleColorError(message, exit_code=2)
    network = copy.deepcopy(generator).float().cpu().to(memory_format=torch.contiguous_format)
    for module in network.modules():
        if isinstance(module, WinogradConv2d | ConvFromFew | ConvToFew):
            module.__class__ = nn.Conv2d  # type: ignore[assignment]  # their base
        for child, layer in module.named_children():
            if isinstance(layer, InstanceNorm):
                setattr(module, child, _PlainNorm(layer.slope))
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


def _channels(network: nn.Module) -> int:
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
    return first.in_channels


def _followed(network: nn.Module, channels: int) -> Any:
    """The network as an ONNX model (`onnx.ModelProto`)."""
    count, height, width = TRACED
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    before = [logger.level for logger in loggers]
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what the exporter does on its own behalf
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        program: Any = torch.onnx.export(
            network,
            (torch.zeros(count, channels, height, width),),
            dynamo=True,
            dynamic_shapes=(DYNAMIC,),
            input_names=["image"],
            output_names=["output"],
            verbose=False,
        )
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)
    return program.model_proto


def _check_sizes(image: Any) -> None:
    """The input (`onnx.ValueInfoProto`) must take any number of images of any size."""
    fixed = [name for axis, name in DYNAMIC.items() if not image.type.tensor_type.shape.dim[axis].dim_param]
    if fixed:
        raise CycleColorError(f"not written, as the file would have one {' and '.join(fixed)} only")


def _worst_difference(content: bytes, network: nn.Module, channels: int) -> float:
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    random, worst = np.random.default_rng(0), 0.0
    for count, height, width in CHECKED:
        image = random.uniform(-1, 1, (count, channels, height, width)).astype(np.float32)
        (ours,) = session.run(["output"], {"image": image})
        with torch.inference_mode():
            theirs = network(torch.from_numpy(image)).numpy()
        if ours.shape != theirs.shape:
            raise CycleColorError(f"not written, as the file makes {ours.shape} of {image.shape}")
        worst = max(worst, float(np.abs(ours - theirs).max()))
    return worst
