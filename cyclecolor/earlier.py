"""Checkpoints of earlier formats: what their tensors are called now.

Until format 2, convolutions before an instance norm had biases, which the norm takes away, and every ReLU
was a module of its own.
"""

import re
from collections.abc import Iterable

from .config import Experiment

GENERATOR = re.compile(r"(.*\b(?:encoder|body|decoder)\.)([0-6])\.(weight|bias)")
DISCRIMINATOR = re.compile(r"(.*\bjudges\.\d+\.)(\d+)\.(weight|bias)")
PLACES = {"0": "0", "3": "2", "6": "4"}  # in a part of a ResNet generator


def modern_names(names: Iterable[str], experiment: Experiment) -> dict[str, str]:
    """Each name with that of today; biases that are no more are left out.

    Moments are numbered by weights, so without those biases none can be told: all are left out.
    """
    options = experiment.discriminator
    last = 2 + 3 * options.layers
    found = {name: _modern(name, last, spectral_norm=options.spectral_norm) for name in names}
    gone = None in found.values()
    return {old: new for old, new in found.items() if new and not (gone and old.startswith("optimizers/"))}


def _modern(name: str, last: int, *, spectral_norm: bool) -> str | None:
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
