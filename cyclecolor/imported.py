"""Generators of pytorch-CycleGAN-and-pix2pix (Zhu et al.; Isola et al.), brought in as safetensors.

Known are its ResNet generators with instance normalization (`*_net_G_A.pth`, of any width and number of
blocks), from and to 1 or 3 channels. This is the one place that reads a pickle, with PyTorch's own reader of
weights, which runs no code. What comes out is read without.
"""

import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .errors import CycleColorError
from .networks import ResnetGenerator
from .photos import Photo, atomic_write
from .tensorfile import TensorFile, TensorFileError, sealed_bytes

FORMAT = "cyclecolor-imported-1"
MAX_SOURCE = 1 << 30  # bytes
MAX_WIDTH, MAX_BLOCKS = 1024, 64
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")  # kept by old versions, used by none
LUMA = (0.299, 0.587, 0.114)  # what its one-channel generators see of a colour photo (ITU-R BT.601)


class ImportedGenerator:
    """An imported generator: RGB (or gray) photos to RGB (or gray) ones, without lightness kept.

    Parameters
    ----------
    path : Path
        A file that `import_generator` wrote.

    Raises
    ------
    CycleColorError
        If it is damaged or something else.
    """

    def __init__(self, path: Path):
        try:
            with open(path, "rb") as opened:
                file = TensorFile(opened)
                self.network = _blank(_options(file.metadata))
                expected = {name: tuple(t.shape) for name, t in self.network.state_dict().items()}
                if {e.name: e.shape for e in file.entries} != expected:
                    raise TensorFileError("its tensors are not those of its generator")
                self.network.load_state_dict(dict(file.read()), assign=True)
        except OSError as error:
            raise CycleColorError(f"{path}: cannot be read: {error.strerror}", exit_code=2) from None
        except TensorFileError as error:
            raise CycleColorError(f"{path}: not an imported generator: {error}") from None
        self.network.eval()

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        """(N, 1 or 3, H, W) in [-1, 1] to the same, as the original network."""
        return self.network(images)

    def translate(self, photo: Photo) -> Photo:
        """A photo of any mode to one of the generator's channels; same size, 8 bits or 16 as it was."""
        levels = int(np.iinfo(photo.pixels.dtype).max)
        image = torch.from_numpy(photo.pixels.astype(np.float32) / levels).permute(2, 0, 1)[None]
        made = (self(2 * self._seen(image) - 1).clamp(-1, 1) + 1) / 2 * levels
        pixels = made[0].round().permute(1, 2, 0).numpy().astype(photo.pixels.dtype)
        return Photo(np.ascontiguousarray(pixels), alpha=photo.alpha, metadata=photo.metadata)

    def _seen(self, image: Tensor) -> Tensor:
        channels = self.network.encoder[0].in_channels
        if image.shape[1] == 3 and channels == 1:
            return (image * torch.tensor(LUMA).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
        return image.expand(-1, channels, -1, -1)


def import_generator(source: Path, output: Path) -> dict[str, int]:
    """Rewrite a generator's `.pth` as a safetensors file; return its width, blocks and channels.

    Raises
    ------
    CycleColorError
        If it is not such a generator, or holds more than numbers.
    """
    state = _read_weights(source)
    blocks = len({match[1] for name in state if (match := re.match(r"model\.(\d+)\.conv_block\.", name))})
    names = _names(state, blocks)
    first, last = state.get("model.1.weight"), state.get(f"model.{17 + blocks}.weight")
    if not 1 <= blocks <= MAX_BLOCKS or state.keys() != names.keys() or first.ndim != 4:
        raise CycleColorError(
            f"{source}: not a ResNet generator with instance normalization of pytorch-CycleGAN-and-pix2pix"
        )
    options = {"width": len(first), "blocks": blocks, "in": first.shape[1], "out": len(last)}
    tensors = {names[name]: tensor.float().contiguous() for name, tensor in state.items()}
    blank = _blank(_options({"format": FORMAT, "generator": json.dumps(options)}))
    if {n: t.shape for n, t in tensors.items()} != {n: t.shape for n, t in blank.state_dict().items()}:
        raise CycleColorError(f"{source}: the shapes of its weights do not fit together")
    content = sealed_bytes(tensors, {"format": FORMAT, "generator": json.dumps(options)})
    atomic_write(output, lambda file: file.write(content))
    return options


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
    layers = {"1": "encoder.0", "4": "encoder.3", "7": "encoder.6"}
    for i in range(blocks):
        layers[f"{10 + i}.conv_block.1"] = f"blocks.{i}.body.0"
        layers[f"{10 + i}.conv_block.{second}"] = f"blocks.{i}.body.3"
    layers |= {f"{10 + blocks}": "decoder.0", f"{13 + blocks}": "decoder.3", f"{17 + blocks}": "decoder.6"}
    return {
        f"model.{theirs}.{part}": f"{ours}.{part}"
        for theirs, ours in layers.items()
        for part in ("weight", "bias")
    }


def _options(metadata: dict[str, str]) -> dict[str, int]:
    try:
        options = json.loads(metadata["generator"]) if metadata["format"] == FORMAT else {}
        width, blocks, inputs, outputs = (options[key] for key in ("width", "blocks", "in", "out"))
    except (KeyError, ValueError, TypeError, RecursionError):
        raise TensorFileError("its settings are not what it has") from None
    bounds = ((width, range(1, MAX_WIDTH + 1)), (blocks, range(1, MAX_BLOCKS + 1)))
    channels = ((inputs, (1, 3)), (outputs, (1, 3)))
    if not all(type(value) is int and value in valid for value, valid in (*bounds, *channels)):
        raise TensorFileError("its generator has an impossible size")
    return options


def _blank(options: dict[str, int]) -> ResnetGenerator:
    with torch.device("meta"):
        return ResnetGenerator(
            options["in"], options["out"], width=options["width"], blocks=options["blocks"]
        )
