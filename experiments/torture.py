"""Kill a training with SIGKILL at random moments, over and over; it must end as if never killed.

    python experiments/torture.py [--kills N] [--seed S]

A run of a few steps is started again and again in one folder and killed after a random time: at start-up, in
steps, in the middle of saving (it saves after every step). Now and then the newest checkpoint is damaged,
too. When a run has come to its end, all its tensors, the watch's memory and its log must be those of a run
that was left alone, and the next run begins, until there were N kills. Exit code 1 on any difference.
"""

import argparse
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import torch

from cyclecolor.checkpoint import read_checkpoint
from cyclecolor.config import parse_experiment
from cyclecolor.training import train
from cyclecolor.training.keeping import checkpoints_in

STEPS = 10


def experiment(workers: int):
    """A CycleGAN as small as can be, with every kind of state: pools, averages, moments, statistics."""
    table = {
        "num_steps": STEPS,
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
            train(settings, run_dir, say=lambda text: None)

    process = multiprocessing.get_context("fork").Process(target=command)
    process.start()
    return process


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


def main() -> int:
    """Run it; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=0, help="loader processes")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rng = random.Random(options.seed)
    settings = experiment(options.workers)
    killed = at_save = damaged = runs = 0
    found: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole"
        began = time.monotonic()
        start(settings, whole).join()
        whole_time = time.monotonic() - began
        while killed < options.kills:
            run, runs = Path(folder) / str(runs), runs + 1
            while True:
                process = start(settings, run)
                process.join(rng.uniform(0, whole_time) if killed < options.kills else None)
                if process.exitcode is not None:
                    break
                os.kill(process.pid, signal.SIGKILL)
                process.join()
                killed += 1
                at_save += any(run.glob("checkpoints/.cyclecolor-*.tmp"))
                if rng.random() < 0.2 and len(checkpoints_in(run)) > 1:
                    damage(checkpoints_in(run)[-1], rng)
                    damaged += 1
            found += differences(whole, run) + [str(path) for path in run.rglob("*.tmp")]
    print(f"{killed} kills, {at_save} of them while saving, {damaged} newest checkpoints damaged")
    print(
        f"{runs} runs of {STEPS} steps: " + ("all bit-identical" if not found else f"DIFFERENT: {found[:5]}")
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
