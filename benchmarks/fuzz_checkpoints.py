"""Load mutated checkpoints by the thousand: each must load or be refused in a line.

    python benchmarks/fuzz_checkpoints.py [--mutants N] [--seed S] [--json docs/results/fuzz.json]

Bytes flipped, files cut, headers and settings rewritten, shapes inflated, JSON bombs; half of them with a
good checksum. Of ten mutants, eight are checkpoints, one is the newest checkpoint of a run whose one before
is whole (the run must then load), and one is an export, generators alone. They are loaded by a process of
its own, which is started anew every hundred and whenever it dies. Exit code 1 if any mutant crashes it,
takes 10 seconds of processor time or more than 1 GB, or raises anything but the package's own error.

docs/results/ROBUSTNESS.md has the sentence that is printed; tests/test_numbers.py compares it with the JSON.
"""

import argparse
import multiprocessing
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stderr
from io import StringIO
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from record import Origin

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from hostile import mutant, outcome

from cyclecolor.checkpoint import checkpoint_path, export_checkpoint, read_checkpoint
from cyclecolor.config import parse_experiment
from cyclecolor.files import write_json
from cyclecolor.training import train

BATCH, SECONDS, KIBIBYTES = 100, 10.0, 1 << 20
HANGS = 300.0  # seconds without an answer, however busy the machine
NETWORK = {"type": "resnet", "width": 2, "blocks": 1}
TINY = {
    "method": "pix2pix",
    "num_steps": 2,
    "batch_size": 2,
    "precision": "float32",
    "data": {"size": 16},
    "G_color": NETWORK,
    "discriminator": {"layers": 1, "width": 2, "pool_size": 3},
}


class Mutants:
    """Mutant k of a seed, and what comes of it."""

    def __init__(self, run_dir: Path, seed: int):
        self.run_dir, self.seed = run_dir, seed
        experiment = parse_experiment(TINY, source="fuzz")
        newest = train(experiment, run_dir)
        export_checkpoint(read_checkpoint(newest), run_dir / "export.safetensors")
        self.checkpoint = newest.read_bytes()
        self.exported = (run_dir / "export.safetensors").read_bytes()

    def outcome(self, number: int) -> str:
        """Write mutant `number` and load it."""
        rng = random.Random(self.seed * 1_000_000 + number)
        kind = ("run", "export")[number % 10] if number % 10 < 2 else "checkpoint"
        path = checkpoint_path(self.run_dir, TINY["num_steps"] + 1)
        path.write_bytes(mutant(self.exported if kind == "export" else self.checkpoint, rng))
        if kind == "run" and (result := outcome(self.run_dir)) != "loaded":
            return f"{result}, though the one before is whole"
        return outcome(path)


def load_some(mutants: Mutants, numbers: range, results: Connection) -> None:
    """Send (outcome, seconds, KiB above the start) of each."""
    start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in numbers:
        began = time.process_time()
        result = mutants.outcome(number)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start
        results.send((result, time.process_time() - began, grown))


def outcomes(mutants: Mutants, numbers: range) -> Iterator[tuple[str, float, int]]:
    """What `load_some` sends of each; `crashed` or `hung` where it does not."""
    while numbers:
        results, end = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.get_context("fork").Process(
            target=load_some, args=(mutants, numbers[:BATCH], end)
        )
        process.start()
        end.close()
        for _ in numbers[:BATCH]:
            numbers = numbers[1:]
            try:
                if results.poll(HANGS):
                    yield results.recv()
                    continue
                yield "hung", HANGS, 0
            except EOFError:
                yield "crashed", 0.0, 0
            break
        process.kill()
        process.join()


def sentence(record: dict[str, Any]) -> str:
    """What came of all, with the most processor time and memory of one."""
    counts = ", ".join(f"{count:,} {result}" for result, count in sorted(record["counts"].items()))
    return (
        f"{record['mutants']:,} mutants of seed {record['seed']}: {counts}; "
        f"slowest {record['slowest']:.1f} s, most memory {record['memory']:.0f} MiB above a process's start"
    )


def main() -> int:
    """Run it; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mutants", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="a file for the figures")
    options = parser.parse_args()
    origin = Origin()
    torch.set_num_threads(1)
    counts, failures, slowest, largest = Counter(), [], 0.0, 0
    with tempfile.TemporaryDirectory() as folder, redirect_stderr(StringIO()):
        mutants = Mutants(Path(folder), options.seed)
        for number, found in enumerate(outcomes(mutants, range(options.mutants))):
            result, seconds, grown = found
            good = result in ("loaded", "refused") and seconds < SECONDS and grown < KIBIBYTES
            counts[result if good else "wrong"] += 1
            slowest, largest = max(slowest, seconds), max(largest, grown)
            if not good:
                failures.append((number, *found))
    record = origin() | {"mutants": options.mutants, "seed": options.seed, "counts": dict(counts)}
    record |= {"slowest": slowest, "memory": largest / 1024}
    if options.json:
        write_json(record, options.json)
    print(sentence(record))
    for failure in failures[:20]:
        print("FAILED", *failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
