"""Kill a training with SIGKILL at random moments, over and over; it must end as if never killed.

    python benchmarks/torture.py [--kills N] [--seed S] [--aimed SHARE] [--workers N]
                                 [--json docs/results/torture.json]

A run of a few steps is started again and again in one folder and killed after a random time, at start-up or
in steps. A share of the kills waits from there for the next save (there is one after every step) and falls
into it. Now and then the newest checkpoint is damaged, too. No kill may cost a whole checkpoint that the run
is to keep. When a run has come to its end, all its tensors, the watch's memory and its log must be those of
a run that was left alone, and the next run begins, until there were N kills. Exit code 1 on any difference.

docs/results/ROBUSTNESS.md has what was found, with its commit.
"""

import argparse
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import torch
from record import Origin

from cyclecolor.checkpoint import checkpoints_in, read_checkpoint
from cyclecolor.config import parse_experiment
from cyclecolor.errors import CycleColorError
from cyclecolor.files import write_json
from cyclecolor.training import train

STEPS = 10
SAVE = 0.002  # seconds that one takes at least


def experiment(workers: int):
    """A CycleGAN as small as can be, with every kind of state: pools, averages, moments, statistics."""
    table = {
        "num_steps": STEPS,
        "match_steps": 2,  # it comes before the first step, and is none of what is looked at
        "batch_size": 2,
        "accumulate": 2,
        "ema": 0.9,
        "precision": "float32",
        "save_every": 1,
        "log_every": 1,
        "keep": 3,
        "data": {"size": 16, "workers": workers},
        "G_color": {"type": "resnet", "width": 2, "blocks": 1},
        "G_gray": {"type": "film", "stages": 1},
        "discriminator": {"layers": 1, "width": 4, "pool_size": 8},
    }
    return parse_experiment(table, source="torture")


def start(settings, run_dir: Path) -> multiprocessing.Process:
    """The training in a process of its own; forked, so that it starts at once."""

    def command():
        with open(os.devnull, "w") as quiet:
            sys.stderr = quiet
            train(settings, run_dir)

    process = multiprocessing.get_context("fork").Process(target=command)
    process.start()
    return process


def saving(run: Path) -> bool:
    """Whether there is a half-written checkpoint."""
    return any(run.glob("checkpoints/.cyclecolor-*.tmp"))


def kill(process: multiprocessing.Process, run: Path, after: float, aim: float | None) -> bool:
    """Kill it after a time, and if `aim` is given, so many seconds into the next save; whether it lived."""
    process.join(after)
    while aim is not None and process.exitcode is None and not saving(run):
        pass
    time.sleep(aim or 0)
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


def damage(path: Path, rng: random.Random) -> None:
    """Flip a bit, or cut the file."""
    content = bytearray(path.read_bytes())
    if rng.random() < 0.5:
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    else:
        del content[rng.randrange(len(content)) :]
    path.write_bytes(content)


def differences(one: Path, other: Path) -> list[str]:
    """What is not bit for bit the same in two runs' last checkpoints and logs."""
    first, second = (read_checkpoint(checkpoints_in(run)[-1]) for run in (one, other))
    names = first.tensors.keys() | second.tensors.keys()
    missing = torch.empty(0)
    found = [
        name
        for name in sorted(names)
        if not torch.equal(first.tensors.get(name, missing), second.tensors.get(name, missing))
    ]
    found += [] if (first.step, first.watch) == (second.step, second.watch) else ["step or watch"]
    logs = [(run / "log.jsonl").read_text() for run in (one, other)]
    return found + ([] if logs[0] == logs[1] else ["log.jsonl"])


def whole_in(run: Path) -> int:
    """How many checkpoints of a run can be read."""
    count = 0
    for path in checkpoints_in(run):
        with suppress(CycleColorError):
            read_checkpoint(path)
            count += 1
    return count


class Tally:
    """What was done to the runs, and what went wrong."""

    def __init__(self):
        self.kills = self.aimed = self.saving = self.damaged = self.runs = 0
        self.found: list[str] = []


def torture(settings, run: Path, last: int, longest: float, aimed: float, rng: random.Random, tally: Tally):
    """Start a run until it comes to its end, and kill it on the way, up to the `last` kill of all."""
    whole = 0
    while True:
        process = start(settings, run)
        if tally.kills == last:
            process.join()
            return
        aim = rng.uniform(0, SAVE) if rng.random() < aimed else None
        if not kill(process, run, rng.uniform(0, longest), aim):
            return
        tally.kills += 1
        tally.aimed += aim is not None
        tally.saving += saving(run)
        before, whole = whole, whole_in(run)
        if whole < min(before, settings.keep):
            tally.found.append(f"{run}: {whole} whole checkpoints, {before} before")
        if rng.random() < 0.2 and whole > 1:
            damage(checkpoints_in(run)[-1], rng)
            whole -= 1
            tally.damaged += 1


def sentence(record: dict[str, Any]) -> str:
    """What was done to the runs, and what they are like."""
    return (
        f"{record['kills']} kills, {record['aimed']} aimed at a save, {record['saving']} left a half-written "
        f"checkpoint; {record['damaged']} newest checkpoints damaged; {record['runs']} runs of "
        f"{record['steps']} steps: {'DIFFERENT' if record['found'] else 'all bit-identical'}"
    )


def main() -> int:
    """Run it; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--aimed", type=float, default=0.5, help="share of kills that wait for a save")
    parser.add_argument("--workers", type=int, default=0, help="loader processes")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    options = parser.parse_args()
    origin = Origin()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)  # its threads do not live on in a forked process, which would wait for them
    rng, tally = random.Random(options.seed), Tally()
    settings = experiment(options.workers)
    with tempfile.TemporaryDirectory() as folder:
        alone = Path(folder) / "alone"
        began = time.monotonic()
        start(settings, alone).join()
        longest = time.monotonic() - began
        while tally.kills < options.kills:
            run = Path(folder) / str(tally.runs)
            tally.runs += 1
            torture(settings, run, options.kills, longest, options.aimed, rng, tally)
            tally.found += differences(alone, run) + [str(path) for path in run.rglob("*.tmp")]
    record = origin() | {"seed": options.seed, "steps": STEPS} | vars(tally)
    if options.json:
        write_json(record, options.json)
    print(sentence(record), *tally.found[:5], sep="\n")
    return 1 if tally.found else 0


if __name__ == "__main__":
    sys.exit(main())
