"""Checkpoints of earlier formats: what their settings and tensors are called now.

Until format 2, convolutions before an instance norm had biases, which the norm takes away, and every ReLU
was a module of its own. Until format 3, some settings had other names, and discriminators were `judges`.
"""

import re
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import torch
from torch import Tensor

from ..config import Experiment

UNSEALED = "cyclecolor-checkpoint-1"  # its checksum is in the JSON and covers the tensors alone
WITH_BIASES = (UNSEALED, "cyclecolor-checkpoint-2")
VERSIONS = (*WITH_BIASES, "cyclecolor-checkpoint-3")

GENERATOR = re.compile(r"(.*\b(?:encoder|body|decoder)\.)([0-6])\.(weight|bias)")
DISCRIMINATOR = re.compile(r"(.*\bdiscriminators\.\d+\.)(\d+)\.(weight|bias)")
PLACES = {"0": "0", "3": "2", "6": "4"}  # in a part of a ResNet generator


def modern_experiment(table: dict[str, Any], version: str) -> dict[str, Any]:
    """The settings of a checkpoint under the names of today.

    `restraint`, which made pale colors paler for a time, is no more. Some settings had no effect, and are
    refused today: `film` and `tones` of unpaired methods, `pretrained` of the paper's generator.
    """
    table.pop("restraint", None)
    for generator in (table.get("G_color"), table.get("G_gray")):
        if isinstance(generator, dict) and generator.get("type") == "resnet":
            generator.pop("pretrained", None)
    unpaired = table.get("method", "cyclegan") in ("cyclegan", "paper_cyclegan")
    if unpaired and isinstance(data := table.get("data"), dict):
        table["data"] = {key: value for key, value in data.items() if key not in ("film", "tones")}
    if version not in VERSIONS:
        return table
    table = _renamed(table, {"guard": "bottleneck", "vividness": "saturation"})
    if table.get("space") == "rgb":
        table |= {"method": "paper_cyclegan", "space": "lab"}
    if isinstance(weights := table.get("weights"), dict):
        table["weights"] = _renamed(weights, {"vivid": "chroma_emphasis"})
    return table


def _renamed(table: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in table.items()}


def modern_names(names: Iterable[str], experiment: Experiment, version: str) -> dict[str, str]:
    """Each name with that of today; biases that are no more are left out.

    Moments are numbered by weights, so without those biases none can be told: all are left out.
    """
    found: dict[str, str | None] = {name: name.replace("/judges.", "/discriminators.") for name in names}
    if version in WITH_BIASES:
        options = experiment.discriminator
        last = 2 + 3 * options.layers
        for old, new in found.items():
            found[old] = _without_bias(str(new), last, spectral_norm=options.spectral_norm)
    gone = None in found.values()
    return {old: new for old, new in found.items() if new and not (gone and old.startswith("optimizers/"))}


def _without_bias(name: str, last: int, *, spectral_norm: bool) -> str | None:
    """The name of today, if the tensor has one; `last` is where a discriminator's last convolution was."""
    if match := GENERATOR.fullmatch(name):
        start, place, kind = match.groups()
        kept = kind == "weight" or (start.endswith("decoder.") and place == "6")
        return f"{start}{PLACES.get(place, place)}.{kind}" if kept else None
    if not spectral_norm and (match := DISCRIMINATOR.fullmatch(name)):
        start, place, kind = match[1], int(match[2]), match[3]
        kept = kind == "weight" or place in (0, last)
        return f"{start}{place - max(0, place - 2) // 3}.{kind}" if kept else None
    return name


def digest_of_version_1(tensors: dict[str, Tensor]) -> str:
    """The checksum that format 1 has in its JSON."""
    digest = sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name}:{tensor.dtype}:{list(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
