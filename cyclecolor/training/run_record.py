"""`RunRecord`: what a run's folder says of the run."""

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

from ..checkpoint import checkpoints_in, open_checkpoint, read_score
from ..config import Experiment, valid_keys

MAX_JSON = 4 << 20  # bytes of a file of scores
STEP = re.compile(r"step_(\d+)\.safetensors")


@dataclass(frozen=True)
class RunRecord:
    """A run on disk; nothing of it is changed.

    Attributes
    ----------
    folder : Path
    name : str
        On the page.
    experiment : Experiment
    step : int
        Of the newest whole checkpoint.

    Raises
    ------
    CycleColorError
        From `of`, if the folder has no whole checkpoint.
    """

    folder: Path
    name: str
    experiment: Experiment
    step: int

    @classmethod
    def of(cls, *folders: Path) -> list["RunRecord"]:
        """Of runs' folders, each once; names are the shortest ends of their paths that differ."""
        opened = {folder.resolve(): open_checkpoint(folder)[1] for folder in folders}
        ends = (["/".join(folder.parts[-length:]) for folder in opened] for length in count(1))
        names = next(names for names in ends if len(set(names)) == len(opened))
        return [
            cls(folder, name, checkpoint.experiment, checkpoint.step)
            for name, (folder, checkpoint) in zip(names, opened.items(), strict=True)
        ]

    @cached_property
    def losses(self) -> dict[str, list[tuple[int, float]]]:
        """By name, the step and the value of each line of the log; lines that are none are passed over."""
        losses = defaultdict(list)
        path = self.folder / "log.jsonl"
        for line in path.read_bytes().splitlines() if path.is_file() else ():
            try:
                values = json.loads(line)
                step = int(values.pop("step"))
                found = {name: float(value) for name, value in values.items()}
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                continue
            for name, value in found.items():
                losses[name].append((step, value))
        return dict(losses)

    @cached_property
    def checkpoints(self) -> dict[int, Path]:
        """By step, oldest first."""
        paths = checkpoints_in(self.folder)
        return {int(match[1]): path for path in paths if (match := STEP.fullmatch(path.name))}

    @property
    def held_out(self) -> list[tuple[int, float]]:
        """The error of scaled chroma on held-out photos, of the checkpoints that have one."""
        scores = {step: read_score(path) for step, path in self.checkpoints.items()}
        return [(step, score) for step, score in scores.items() if score is not None]

    @property
    def images_per_second(self) -> float | None:
        """Between the oldest and the newest checkpoint, by when they were written; pauses count."""
        steps = sorted(self.checkpoints)
        if len(steps) < 2:
            return None
        seconds = self.checkpoints[steps[-1]].stat().st_mtime - self.checkpoints[steps[0]].stat().st_mtime
        images = (steps[-1] - steps[0]) * self.experiment.batch_size * self.experiment.accumulate
        return images / seconds if seconds > 0 else None

    @cached_property
    def evaluations(self) -> dict[str, dict[str, Any]]:
        """What `evaluate --json` and `audit --json` have written into the folder, by name of the file."""
        found = {}
        for path in sorted(self.folder.glob("*.json")):
            try:
                record = json.loads(path.read_bytes()) if path.stat().st_size <= MAX_JSON else None
            except (OSError, ValueError, RecursionError):
                continue
            if isinstance(record, dict) and ("scores" in record or "figures" in record):
                found[path.name] = record
        return found

    @cached_property
    def changes(self) -> dict[str, tuple[object, object]]:
        """Settings that are not the defaults: key to default and value."""
        settings = {key: (_at(Experiment(), key), _at(self.experiment, key)) for key in valid_keys()}
        return {key: both for key, both in settings.items() if both[0] != both[1]}


def _at(experiment: Experiment, key: str) -> object:
    value: object = experiment
    for part in key.split("."):
        value = getattr(value, part)
    return value
