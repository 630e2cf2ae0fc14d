"""Checkpoints: one safetensors file each, its header holding the rest as JSON. No pickle anywhere.

Tensors are named `networks/G_color/...`, `ema/G_color/...`, `optimizers/G/...`, `pools/color/...`; the
file that `cyclecolor export` makes holds `ema/` alone. One file appears whole or not at all.
"""

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from .config import Experiment, parse_experiment
from .errors import CycleColorError
from .photos import atomic_write

# In a clone, and where a wheel puts it.
PACKAGE = Path(__file__).resolve().parent
RELEASED = (PACKAGE.parent / "checkpoints", PACKAGE / "checkpoints")

FORMAT = "cyclecolor-checkpoint-1"


@dataclass(frozen=True)
class Checkpoint:
    """What a training run is, at one step.

    Attributes
    ----------
    experiment : Experiment
    step : int
        Updates done.
    data : dict
        Fingerprint of each pile.
    tensors : dict of str to Tensor
        All state, by path.
    """

    experiment: Experiment
    step: int
    data: dict
    tensors: dict[str, Tensor]

    def below(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names start with `prefix/`, under the rest of their names."""
        start = len(prefix) + 1
        return {n[start:]: t for n, t in self.tensors.items() if n.startswith(prefix + "/")}


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint atomically, with a SHA-256 of its tensors."""
    tensors = {name: t.detach().cpu().contiguous() for name, t in checkpoint.tensors.items()}
    header = {
        "step": checkpoint.step,
        "experiment": checkpoint.experiment.model_dump(),
        "data": checkpoint.data,
        "sha256": _digest(tensors),
    }
    content = save(tensors, metadata={"format": FORMAT, "cyclecolor": json.dumps(header)})
    atomic_write(path, lambda file: file.write(content))


def read_checkpoint(path: Path) -> Checkpoint:
    """Read and verify a checkpoint.

    Raises
    ------
    CycleColorError
        If the file is missing, damaged, or of another program.
    """
    path = Path(path)
    if not path.is_file():
        raise CycleColorError(f"{path}: no such checkpoint file", exit_code=2)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise CycleColorError(f"{path}: not a checkpoint of cyclecolor (or of another version)")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            header = json.loads(metadata["cyclecolor"])
            experiment = parse_experiment(header["experiment"], source=str(path))
            checkpoint = Checkpoint(experiment, int(header["step"]), header["data"], tensors)
            expected = header["sha256"]
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise CycleColorError(f"{path}: damaged or not a checkpoint ({error})") from None
    if _digest(tensors) != expected:
        raise CycleColorError(f"{path}: damaged: its checksum does not match")
    return checkpoint


def export_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write the averaged generators alone, in half precision: what translation needs."""
    tensors = {f"ema/{name}": _half(t) for name, t in checkpoint.below("ema").items()}
    save_checkpoint(Checkpoint(checkpoint.experiment, checkpoint.step, checkpoint.data, tensors), path)


def find_checkpoint(path: Path | None) -> Path:
    """A checkpoint file: the one given, the newest of a run's folder, or the released one.

    Raises
    ------
    CycleColorError
        If there is none.
    """
    if path is None:
        for folder in RELEASED:
            if (folder / "default.safetensors").is_file():
                return folder / "default.safetensors"
        raise CycleColorError("no released checkpoint is installed; give one with --checkpoint", exit_code=2)
    if path.is_dir():
        newest = sorted(path.glob("**/step_*.safetensors"))[-1:]
        if not newest:
            raise CycleColorError(f"{path}: no checkpoint in this folder", exit_code=2)
        return newest[0]
    return path


def _half(tensor: Tensor) -> Tensor:
    return tensor.half() if tensor.is_floating_point() else tensor


def _digest(tensors: dict[str, Tensor]) -> str:
    digest = sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name}:{tensor.dtype}:{list(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
