"""Generators of pytorch-CycleGAN-and-pix2pix (Zhu et al.; Isola et al.), brought in as checkpoints.

Known are its ResNet generators with instance normalization (`*_net_G_A.pth`, of any width and number of
blocks), from and to 1 or 3 channels. This is the one place that reads a pickle, with PyTorch's own reader of
weights, which runs no code. What comes out is a checkpoint in RGB with one generator.
"""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ..config import Experiment, parse_experiment
from ..errors import CycleColorError
from .format import Checkpoint, save_checkpoint
from .schema import expected_tensors

MAX_SOURCE = 1 << 30  # bytes
SIZE = 256  # pixels: the images that its generators are usually trained on
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")  # kept by old versions, used by none
LUMA = (0.299, 0.587, 0.114)  # what its one-channel generators see of a color photo (ITU-R BT.601)


def import_generator(source: Path, output: Path) -> dict[str, int]:
    """Rewrite a generator's `.pth` as a checkpoint; return its width, blocks and channels.

    What makes 3 channels becomes `G_color`, what makes 1 becomes `G_gray`. Both then see and make 3: of the
    one channel that a generator saw, its first convolution now takes the luma; the one that it made, its
    last convolution now makes three times.

    Raises
    ------
    CycleColorError
        If it is not such a generator, or holds more than numbers.
    """
    state = _read_weights(source)
    blocks = len({match[1] for name in state if (match := re.match(r"model\.(\d+)\.conv_block\.", name))})
    names = _names(state, blocks)
    first, last = state.get("model.1.weight"), state.get(f"model.{17 + blocks}.weight")
    known = blocks and state.keys() == names.keys()
    if not known or first is None or last is None or not first.ndim == last.ndim == 4:
        raise CycleColorError(
            f"{source}: not a ResNet generator with instance normalization of pytorch-CycleGAN-and-pix2pix"
        )
    options = {"width": len(first), "blocks": blocks, "in": first.shape[1], "out": len(last)}
    # A norm takes the bias before it away, so ours have one at the end alone.
    kept = {n: ours for n, ours in names.items() if ours.endswith(".weight") or ours == "decoder.4.bias"}
    tensors = _in_three_channels({ours: state[name].float() for name, ours in kept.items()})
    name = "G_gray" if options["out"] == 1 else "G_color"
    tensors = {f"ema/{name}/module.{key}": tensor for key, tensor in tensors.items()}
    tensors[f"ema/{name}/n_averaged"] = torch.tensor(0)
    experiment = _experiment(source, options)
    expected = expected_tensors(experiment, of_export=True)
    shapes = {n: t.shape for n, t in expected.items() if n.startswith(f"ema/{name}/")}
    if {n: t.shape for n, t in tensors.items()} != shapes:
        raise CycleColorError(f"{source}: the shapes of its weights do not fit together")
    data = {"imported from": "pytorch-CycleGAN-and-pix2pix"}
    save_checkpoint(Checkpoint(experiment, 0, data, tensors), output)
    return options


def _experiment(source: Path, options: dict[str, int]) -> Experiment:
    generator = {"type": "resnet", "width": options["width"], "blocks": options["blocks"]}
    table = {"method": "paper_cyclegan", "G_color": generator, "G_gray": generator, "data": {"size": SIZE}}
    return parse_experiment({"name": source.stem, **table}, source=str(source))


def _in_three_channels(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    first, last = tensors["encoder.0.weight"], tensors["decoder.4.weight"]
    if first.shape[1] == 1:
        tensors["encoder.0.weight"] = first * torch.tensor(LUMA).view(1, 3, 1, 1)
    if len(last) == 1:
        tensors["decoder.4.weight"] = last.repeat(3, 1, 1, 1)
        tensors["decoder.4.bias"] = tensors["decoder.4.bias"].repeat(3)
    return tensors


def _read_weights(source: Path) -> dict[str, Tensor]:
    try:
        _check_size(source)
        loaded = torch.load(source, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CycleColorError(f"{source}: cannot be read: {error.strerror}", exit_code=2) from None
    except CycleColorError:
        raise
    except Exception:  # whatever the reader of a damaged or hostile file comes to
        raise CycleColorError(f"{source}: not a file of weights, or it holds more than numbers") from None
    if not isinstance(loaded, Mapping) or not all(isinstance(name, str) for name in loaded):
        raise CycleColorError(f"{source}: not a network's weights by name")
    weights = {n.removeprefix("module."): t for n, t in loaded.items() if not n.endswith(STATISTICS)}
    if not all(isinstance(t, Tensor) and t.is_floating_point() for t in weights.values()):
        raise CycleColorError(f"{source}: it holds more than weights")
    return weights


def _check_size(source: Path) -> None:
    """Refuse what would unpack to more than it is: an archive of PyTorch's is not compressed."""
    size = source.stat().st_size
    if not source.is_file() or size > MAX_SOURCE:
        raise CycleColorError(f"{source}: not a file of at most {MAX_SOURCE >> 30} GiB", exit_code=2)
    if zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            if sum(member.file_size for member in archive.infolist()) > size:
                raise CycleColorError(f"{source}: a compressed archive, which PyTorch does not write")


def _names(state: dict[str, Tensor], blocks: int) -> dict[str, str]:
    """Every parameter of the original by name, with its name in `ResnetGenerator`."""
    # A generator trained with dropout has one module more between a block's convolutions.
    second = 6 if any(".conv_block.6." in name for name in state) else 5
    layers = {"1": "encoder.0", "4": "encoder.2", "7": "encoder.4"}
    for i in range(blocks):
        layers[f"{10 + i}.conv_block.1"] = f"blocks.{i}.body.0"
        layers[f"{10 + i}.conv_block.{second}"] = f"blocks.{i}.body.2"
    layers |= {f"{10 + blocks}": "decoder.0", f"{13 + blocks}": "decoder.2", f"{17 + blocks}": "decoder.4"}
    return {
        f"model.{theirs}.{part}": f"{ours}.{part}"
        for theirs, ours in layers.items()
        for part in ("weight", "bias")
    }
