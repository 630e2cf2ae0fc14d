"""Checkpoints: one safetensors file each, its header holding the rest as JSON. No pickle anywhere.

Tensors are named `networks/G_color/...`, `ema/G_color/...`, `optimizers/G/...`, `pools/color/...`; the
file that `cyclecolor export` makes holds `ema/` alone. One file appears whole or not at all.

Files come from strangers too: `read_checkpoint` believes nothing, opens no path that a file names, and
takes memory only for tensors that the experiment in the file calls for.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import sha256
from math import prod
from pathlib import Path

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from .config import Experiment, parse_experiment
from .earlier import modern_names
from .errors import CycleColorError
from .methods import build_generator, method_of
from .photos import atomic_write
from .tensorfile import Entry, TensorFile, TensorFileError, sealed_bytes

# In a clone, and where a wheel puts it.
PACKAGE = Path(__file__).resolve().parent
RELEASED = (PACKAGE.parent / "checkpoints", PACKAGE / "checkpoints")

FORMAT = "cyclecolor-checkpoint-3"
UNSEALED = "cyclecolor-checkpoint-1"  # its checksum is in the JSON and covers the tensors alone
FORMATS = (UNSEALED, "cyclecolor-checkpoint-2", FORMAT)
MAX_JSON = 64 << 10  # characters; some 2,000 are used
MAX_STEP = 1 << 32


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
    watch : dict of str to float
        What the watch over the run remembers (`training/watch.py`).
    score : float, optional
        Error on held-out photos, where it was measured; less is better.
    resumable : bool
        Whether training can go on from it; not if an earlier version had other optimizers.
    """

    experiment: Experiment
    step: int
    data: dict
    tensors: dict[str, Tensor]
    watch: dict[str, float] = field(default_factory=dict)
    score: float | None = None
    resumable: bool = True

    def below(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names start with `prefix/`, under the rest of their names."""
        start = len(prefix) + 1
        return {n[start:]: t for n, t in self.tensors.items() if n.startswith(prefix + "/")}

    def averaged(self, name: str) -> dict[str, Tensor]:
        """The averaged weights of a generator, as its network loads them; empty if it is not there."""
        prefix = f"ema/{name}/module."
        return {n.removeprefix(prefix): t for n, t in self.tensors.items() if n.startswith(prefix)}


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint atomically, sealed with a SHA-256 over all of it."""
    tensors = {name: t.detach().cpu().contiguous() for name, t in checkpoint.tensors.items()}
    header = {
        "step": checkpoint.step,
        "experiment": checkpoint.experiment.model_dump(),
        "data": checkpoint.data,
        "watch": checkpoint.watch,
        "score": checkpoint.score,
    }
    content = sealed_bytes(tensors, {"format": FORMAT, "cyclecolor": json.dumps(header)})
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
        with open(path, "rb") as opened:
            file = TensorFile(opened)
            header = _header(file)
            experiment = parse_experiment(header.pop("experiment"), source="its experiment")
            names = {entry.name: entry.name for entry in file.entries}
            if file.metadata["format"] != FORMAT:
                names = modern_names(names, experiment)
            entries = [replace(e, name=names[e.name]) for e in file.entries if e.name in names]
            _check_tensors(entries, experiment)
            # Left out are moments, twice the size of their weights, and biases, far smaller with theirs.
            if sum(e.size for e in file.entries) > 4 * sum(e.size for e in entries):
                raise TensorFileError("it holds more than its experiment has")
            tensors = dict(file.read())
    except OSError as error:
        raise CycleColorError(f"{path}: cannot be read: {error.strerror}") from None
    except (TensorFileError, CycleColorError) as error:
        raise CycleColorError(f"{path}: not a whole checkpoint: {str(error)[:200]}") from None
    unsealed = header.pop("sha256", None)
    if unsealed and _digest(tensors) != unsealed:
        raise CycleColorError(f"{path}: not a whole checkpoint: damaged: its checksum does not match")
    resumable = all(name in names for name in tensors if name.startswith("optimizers/"))
    tensors = {name: tensors[old] for old, name in names.items()}
    return Checkpoint(experiment=experiment, tensors=tensors, resumable=resumable, **header)


def read_score(path: Path) -> float | None:
    """A checkpoint's score from its header alone; none if it has none or cannot be read."""
    try:
        with open(path, "rb") as opened:
            return _header(TensorFile(opened))["score"]
    except (OSError, TensorFileError):
        return None


def export_checkpoint(checkpoint: Checkpoint, path: Path, **look: float | None) -> None:
    """Write the averaged generators alone, in half precision: what translation needs.

    `vividness` and `restraint`, where given, take the place of the experiment's.

    Of what was trained on or started from, names are kept: where it lies is its owner's affair.
    """
    tensors = {f"ema/{name}": _half(t) for name, t in checkpoint.below("ema").items()}
    data = checkpoint.experiment.data
    names = {key: Path(value).name for key in ("root", "gray", "color") if (value := getattr(data, key))}
    changes = {"data": data.model_copy(update=names)}
    changes |= {name: value for name, value in look.items() if value is not None}
    if checkpoint.experiment.init:
        changes["init"] = Path(checkpoint.experiment.init).name
    experiment = checkpoint.experiment.model_copy(update=changes)
    save_checkpoint(Checkpoint(experiment, checkpoint.step, checkpoint.data, tensors), path)


def _say(text: str) -> None:
    print(f"cyclecolor: {text}", file=sys.stderr)


def open_checkpoint(path: Path | None, say: Callable[[str], None] = _say) -> tuple[Path, Checkpoint]:
    """Find and read a checkpoint: a file, the newest whole one of a run's folder, or a released one by name.

    By default that is the one called `default`.

    Raises
    ------
    CycleColorError
        If there is none, or none is whole.
    """
    if path is None or not (path.suffix or path.exists()):
        name = path or "default"
        path = next((p for folder in RELEASED if (p := folder / f"{name}.safetensors").is_file()), None)
        if path is None:
            message = f"{name}: no file, run folder or released checkpoint of that name"
            raise CycleColorError(message, exit_code=2)
    if not path.is_dir():
        return path, read_checkpoint(path)
    paths = sorted(path.glob("checkpoints/step_*.safetensors")) or sorted(path.glob("step_*.safetensors"))
    if not paths:
        raise CycleColorError(f"{path}: no checkpoint in this folder", exit_code=2)
    if found := newest_whole(paths, say):
        return found
    raise CycleColorError(f"{path}: no checkpoint is whole")


def newest_whole(paths: list[Path], say: Callable[[str], None]) -> tuple[Path, Checkpoint] | None:
    """The last of some checkpoints, oldest first, that is whole; why the ones after it are not is said."""
    for older, path in reversed(list(enumerate(paths))):
        try:
            return path, read_checkpoint(path)
        except CycleColorError as error:
            say(f"{error}; trying the one before it" if older else str(error))
    return None


@lru_cache(maxsize=8)
def expected_tensors(experiment: Experiment, *, of_export: bool = False) -> dict[str, Tensor]:
    """Every tensor of a run of this experiment but its pools, by name, without memory (on `meta`).

    For what `export_checkpoint` wrote, the generators' alone: to make discriminators and optimizers takes a
    second, in which torch imports its compiler.
    """
    networks, optimizers = {}, {}
    with torch.device("meta"), _WithoutValues():
        count, step = torch.tensor(0), torch.tensor(0.0)
        if of_export:
            networks = {name: build_generator(name, experiment) for name in GENERATORS}
        else:
            method = method_of(experiment)(experiment, device=torch.device("meta"))
            networks, optimizers = method.networks, method.optimizers
    tensors: dict[str, Tensor] = {}
    for name, network in networks.items():
        state = network.state_dict()
        tensors |= {f"networks/{name}/{key}": tensor for key, tensor in state.items()}
        if name in GENERATORS:
            tensors |= {f"ema/{name}/module.{key}": tensor for key, tensor in state.items()}
            tensors[f"ema/{name}/n_averaged"] = count
    for name, optimizer in optimizers.items():
        for i, parameter in enumerate(p for group in optimizer.param_groups for p in group["params"]):
            slots = {**dict.fromkeys(MOMENTS, parameter), "step": step}
            tensors |= {f"optimizers/{name}/{i}/{slot}": tensor for slot, tensor in slots.items()}
    return tensors


class _WithoutValues(TorchFunctionMode):
    """Leaves out initial values: there are none on `meta`, where torch imports its compiler to set them."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        name, kwargs = getattr(function, "__name__", ""), kwargs or {}
        if name.removeprefix("kaiming_") in ("normal_", "uniform_", "div_"):
            return args[0] if args else kwargs["tensor"]
        return function(*args, **kwargs)


GENERATORS = ("G_color", "G_gray")
MOMENTS = ("exp_avg", "exp_avg_sq")


def _header(file: TensorFile) -> dict:
    """What the JSON says: `experiment`, still to be parsed, and the other parts of a checkpoint."""
    version, text = file.metadata.get("format"), file.metadata.get("cyclecolor", "")
    if version not in FORMATS:
        raise TensorFileError("not a checkpoint of cyclecolor, or of a later version")
    if len(text) > MAX_JSON:
        raise TensorFileError("its settings are too long")
    try:
        header = json.loads(text)
        parts = {key: header[key] for key in ("experiment", "step", "data")}
        parts["watch"], parts["score"] = header.get("watch", {}), header.get("score")
        if version == UNSEALED:
            parts["sha256"] = header["sha256"]
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        raise TensorFileError("its settings are not what a checkpoint has") from None
    if version != UNSEALED and "sha256" not in file.metadata:
        raise TensorFileError("it has no checksum")
    if not (
        type(parts["step"]) is int
        and 0 <= parts["step"] < MAX_STEP
        and all(isinstance(parts[key], dict) for key in ("experiment", "data", "watch"))
        and all(isinstance(value, float) for value in parts["watch"].values())
        and isinstance(parts["score"], float | None)
    ):
        raise TensorFileError("its settings are not what a checkpoint has")
    return parts


def _check_tensors(entries: list[Entry], experiment: Experiment) -> None:
    """Names, shapes and types must be those of the experiment; what is there must be complete."""
    groups = {_group(entry.name) for entry in entries}
    expected = expected_tensors(experiment, of_export=all(group.startswith("ema/") for group in groups))
    pool = experiment.discriminator.pool_size * 3 * experiment.data.size**2
    for entry in entries:
        if entry.name.startswith("pools/"):
            fits = len(entry.shape) == 4 and prod(entry.shape) <= pool and entry.dtype == torch.float32
        else:
            fits = (like := expected.get(entry.name)) is not None and (
                entry.shape == tuple(like.shape)
                and entry.dtype.is_floating_point == like.dtype.is_floating_point
            )
        if not fits:
            raise TensorFileError(f"its tensor {entry.name[:80]!r} is not one of its experiment")
    present = {entry.name for entry in entries}
    missing = [n for n in expected if _group(n) in groups and n not in present]
    if missing:
        raise TensorFileError(f"its tensor {missing[0]!r} is missing")


def _group(name: str) -> str:
    return "/".join(name.split("/", 2)[:2])


def _half(tensor: Tensor) -> Tensor:
    return tensor.half() if tensor.is_floating_point() else tensor


def _digest(tensors: dict[str, Tensor]) -> str:
    """The checksum of format 1."""
    digest = sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name}:{tensor.dtype}:{list(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
