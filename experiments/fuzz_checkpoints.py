"""Load mutated checkpoints by the thousand: each must load or be refused in a line.

    python experiments/fuzz_checkpoints.py [--mutants N] [--seed S]

Bytes flipped, files cut, headers and settings rewritten (half of them with a good checksum), shapes
inflated, JSON bombs. Every hundred are loaded by a process of its own, whose death would be noticed, as
are hangs and the memory taken. Exit code 1 if any mutant crashes, hangs for 10 seconds, raises anything but
the package's own error or takes more than 1 GB.
"""

import argparse
import multiprocessing
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from hostile import mutant, outcome

from cyclecolor.config import parse_experiment
from cyclecolor.training import train

BATCH, SECONDS, KIBIBYTES = 100, 10.0, 1 << 20
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


def load_batch(good: bytes, seed: int, numbers: range, results: multiprocessing.Queue) -> None:
    """Load some mutants; report (outcome, seconds, KiB above the start) of each."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutant.safetensors"
        start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for number in numbers:
            path.write_bytes(mutant(good, random.Random(seed * 1_000_000 + number)))
            began = time.monotonic()
            result = outcome(path)
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start
            results.put((number, result, time.monotonic() - began, grown))


def main() -> int:
    """Run it; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mutants", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        experiment = parse_experiment(TINY, source="fuzz")
        good = train(experiment, Path(folder), say=lambda text: None).read_bytes()
    context = multiprocessing.get_context("fork")
    counts, failures, slowest, largest = Counter(), [], 0.0, 0
    for first in range(0, options.mutants, BATCH):
        numbers = range(first, min(first + BATCH, options.mutants))
        results = context.Queue()
        process = context.Process(target=load_batch, args=(good, options.seed, numbers, results))
        process.start()
        for number in numbers:
            try:
                number, result, seconds, grown = results.get(timeout=60)
            except Exception:  # a queue that stays empty: the process is dead or hangs
                failures.append((number, "crashed or hung", process.exitcode))
                process.kill()
                break
            counts[result if result in ("loaded", "refused") else "wrong"] += 1
            slowest, largest = max(slowest, seconds), max(largest, grown)
            if result not in ("loaded", "refused") or seconds > SECONDS or grown > KIBIBYTES:
                failures.append((number, result, f"{seconds:.1f} s", f"{grown} KiB"))
        process.join()
    print(f"{options.mutants} mutants of a file of {len(good):,} bytes, seed {options.seed}: {dict(counts)}")
    print(f"slowest {slowest:.2f} s; most memory {largest / 1024:.0f} MiB above a process's start")
    for failure in failures[:20]:
        print("FAILED", *failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
