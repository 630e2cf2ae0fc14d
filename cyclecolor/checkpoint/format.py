"""Checkpoints: one safetensors file each, its header holding the rest as JSON. No pickle anywhere.

Tensors are named `networks/G_color/...`, `ema/G_color/...`, `optimizers/G/...`, `pools/color/...`; the
file that `cyclecolor export` makes holds `ema/` alone. One file appears whole or not at all.

Files come from strangers too: `read_checkpoint` believes nothing, opens no path that a file names, and
takes memory only for tensors that the experiment in the file calls for.
"""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from ..config import Experiment, parse_experiment
from ..errors import CycleColorError
from ..files import atomic_write
from .migrations import UNSEALED, VERSIONS, digest_of_version_1, modern_experiment, modern_names
from .safetensors_file import TensorFile, TensorFileError, sealed_bytes
from .schema import check_tensors

FORMAT = "cyclecolor-checkpoint-4"
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
    data: dict[str, Any]
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
            version = file.metadata["format"]
            table = modern_experiment(header.pop("experiment"), version)
            experiment = parse_experiment(table, source="its experiment")
            names = {entry.name: entry.name for entry in file.entries}
            if version != FORMAT:
                names = modern_names(names, experiment, version)
            entries = [replace(e, name=names[e.name]) for e in file.entries if e.name in names]
            check_tensors(entries, experiment)
            # Left out are moments, twice the size of their weights, and biases, far smaller with theirs.
            if sum(e.size for e in file.entries) > 4 * sum(e.size for e in entries):
                raise TensorFileError("it holds more than its experiment has")
            tensors = dict(file.read())
    except OSError as error:
        raise CycleColorError(f"{path}: cannot be read: {error.strerror}") from None
    except (TensorFileError, CycleColorError) as error:
        raise CycleColorError(f"{path}: not a whole checkpoint: {str(error)[:200]}") from None
    unsealed = header.pop("sha256", None)
    if unsealed and digest_of_version_1(tensors) != unsealed:
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


def _header(file: TensorFile) -> dict[str, Any]:
    """What the JSON says: `experiment`, still to be parsed, and the other parts of a checkpoint."""
    version, text = file.metadata.get("format"), file.metadata.get("cyclecolor", "")
    if version not in (FORMAT, *VERSIONS):
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
