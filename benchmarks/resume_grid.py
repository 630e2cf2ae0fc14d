"""Stop a run at six points of its life, go on, and compare with the run left alone: bit for bit.

    python benchmarks/resume_grid.py [--json docs/results/resume.json]

The points are met with 0 and 2 loader processes, in one training process and in two (gloo): 24 cases.
Compared is the SHA-256 of the last checkpoint's file (networks, averages, optimizers, pools, the watch's
memory and the step, of which learning rates and random states are functions) and of the log. Two cases must
differ: another seed, and one step less. Exit code 1 if a case fails.

docs/results/ROBUSTNESS.md has the sentence that is printed; tests/test_numbers.py compares it with the JSON.
"""

import argparse
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import cv2
import torch
from PIL import Image
from record import Origin
from torture import experiment

from cyclecolor.checkpoint import checkpoints_in
from cyclecolor.config import Experiment
from cyclecolor.data import render_scene
from cyclecolor.distributed import process_group
from cyclecolor.files import write_json
from cyclecolor.training import Interrupted, Trainer

LOADERS, PROCESSES = (0, 2), (1, 2)
# An epoch is 12 photos, 3 steps of 4; a pool of 16 is full after step 4; the rate falls after step 5 of 10.
POINTS = {
    "pool not full": 1,
    "mid-epoch": 2,
    "end of an epoch": 3,
    "step after it": 4,
    "pool full": 5,
    "rate falling": 8,
}


def settings(folder: Path, workers: int, **changes) -> Experiment:
    """The experiment of `torture.py` on photos, so that epochs end."""
    table = experiment(workers).model_dump()
    table["data"] |= {"gray": str(folder), "color": str(folder)}
    table["discriminator"] |= {"pool_size": 16}
    table |= {"batch_size": 4, "accumulate": 1, "save_every": 100, **changes}
    return Experiment.model_validate(table)


class Stopping(Trainer):
    """Gets SIGTERM in step `stop`, all its processes at once."""

    stop = 0

    def advance(self, *batches):
        """Take a step."""
        if self.step + 1 == self.stop:
            os.kill(os.getpid(), signal.SIGTERM)
        return super().advance(*batches)


def train(chosen: Experiment, run: Path, count: int, stop: int = 0) -> None:
    """Train in `count` processes, to the end or to step `stop`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}

    def one(rank: int) -> None:
        os.environ.update(place, RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(count))
        with open(os.devnull, "w") as sys.stderr, process_group():
            trainer = Stopping(chosen, run)
            trainer.stop = stop
            try:
                trainer.run()
            except Interrupted as interrupted:
                raise SystemExit(interrupted.exit_code) from None

    started = [multiprocessing.get_context("fork").Process(target=one, args=(r,)) for r in range(count)]
    for process in started:
        process.start()
    for process in started:
        process.join()
    assert {process.exitcode for process in started} == {143 if stop else 0}


def digest(run: Path) -> str:
    """The hash of the last checkpoint and the log."""
    return sha256(checkpoints_in(run)[-1].read_bytes() + (run / "log.jsonl").read_bytes()).hexdigest()


def sentence(record: dict[str, Any]) -> str:
    """How many cases did as they must."""
    loaders, processes = (" and ".join(map(str, record[name])) for name in ("loaders", "processes"))
    cases = (
        f"{record['cases']} cases: {len(record['points'])} points of a run's life, {loaders} loader "
        f"processes, {processes} training processes (gloo)"
    )
    failed = "; ".join(record["failed"])
    return f"{cases}: {f'FAILED: {failed}' if failed else 'all the same, and the two that must differ do'}"


def main() -> int:
    """Run it; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="a file for the figures")
    options = parser.parse_args()
    origin = Origin()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)  # its threads do not live on in a forked process, which would wait for them
    cases, failed = 0, []
    with tempfile.TemporaryDirectory() as name:
        photos = Path(name) / "photos"
        photos.mkdir()
        for i in range(12):
            Image.fromarray(render_scene(5, i, size=24)).save(photos / f"{i}.png")
        for workers in LOADERS:
            for count in PROCESSES:
                folder = Path(name) / f"{workers} {count}"
                chosen = settings(photos, workers)
                train(chosen, folder / "alone", count)
                alone = digest(folder / "alone")
                print(f"{workers} loaders, {count} processes: {alone[:16]}", flush=True)
                for point, step in POINTS.items():
                    train(chosen, folder / point, count, stop=step)
                    train(chosen, folder / point, count)
                    same = digest(folder / point) == alone
                    cases += 1
                    failed += [] if same else [f"{workers} loaders, {count} processes, {point}"]
                    print(f"    {point:<16} step {step}: {'the same' if same else 'DIFFERENT'}", flush=True)
        for other in ({"seed": 1}, {"num_steps": 9}):
            train(settings(photos, 0, **other), Path(name) / "other", 1)
            differs = digest(Path(name) / "other") != digest(Path(name) / "0 1" / "alone")
            failed += [] if differs else [str(other)]
            print(f"{other}: {'differs, as it must' if differs else 'THE SAME'}")
            (Path(name) / "other").rename(Path(name) / str(other))
    record = origin() | {"cases": cases, "failed": failed, "points": [*POINTS], "loaders": LOADERS}
    record |= {"processes": PROCESSES}
    if options.json:
        write_json(record, options.json)
    print(sentence(record))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
