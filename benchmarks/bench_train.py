"""Training speed beside the CycleGAN that everybody uses, in one run.

    python benchmarks/bench_train.py [--quick] [--threads N] [--plot FILE.svg] [--original FOLDER]
                                     [--json docs/results/train.json]

The reference (`reference.py`) is as plain as it is commonly run: float32, batches of 1, six generator passes.
Against it stand `paper_cyclegan`, the same algorithm as `experiments/paper_cyclegan.toml` has it, and
`default`, our default experiment, both run by the package's own trainer. `--original` names a clone of
pytorch-CycleGAN-and-pix2pix, whose own networks then take the place of the reference's.

Contenders are processes that take turns, so that all see the same machine; their first step, whose arithmetic
is counted, is not timed. A GPU is used if there is one, and then the same algorithm is also timed in batches
of 16, as nobody gives a GPU single images by choice.

docs/results/SPEED.md has what was measured, each table with its commit.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from contenders import GPU, PAPER, Contender, memory_per_image, race, write_photos
from record import Origin, told
from reference import Reference
from step_time import growth

from cyclecolor.config import load_experiment
from cyclecolor.files import write_json
from cyclecolor.hardware import pick_device, use_bfloat16
from cyclecolor.methods import METHODS
from cyclecolor.training.step import backward

TOLERANCE = 1e-4  # of the check that both compute the same losses, relative


def main() -> None:
    """Measure, and say the ratios last."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer turns")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--plot", type=Path, help="where to draw step times, as SVG")
    parser.add_argument("--original", default="", help="folder of a clone of pytorch-CycleGAN-and-pix2pix")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    options = parser.parse_args()
    origin = Origin()
    with tempfile.TemporaryDirectory() as folder:
        write_photos(Path(folder))
        difference = largest_difference(64)
        print(f"same losses from the same weights: to {difference:.1e} (at most {TOLERANCE:.0e})")
        if difference > TOLERANCE:
            sys.exit("reference and paper_cyclegan do not compute the same")
        rows = {}
        for what, ratio in measure(Path(folder), options):
            print(f"  -> {what}: {ratio}", flush=True)
            rows[what] = ratio
    record = origin() | {"threads": options.threads, "difference": difference, "rows": rows}
    if options.json:
        write_json(record, options.json)
    print(f"\n{table(record)}")


def table(record: dict[str, Any]) -> str:
    """Where the figures come from, and a row a figure."""
    same = f"the same losses from the same weights to {record['difference']:.1e}"
    threads = f"{record['threads']} thread{'s' if record['threads'] > 1 else ''}"
    rows = [f"| {what} | {ratio} |" for what, ratio in record["rows"].items()]
    return "\n".join([f"{told(record)}; {threads}; {same}.", "", "| | |\n|---|--:|", *rows])


def largest_difference(size: int) -> float:
    """Largest relative difference of any loss of a step from the same weights and images."""
    experiment, device = load_experiment(PAPER), torch.device("cpu")
    ours, reference = METHODS[experiment.method](experiment, device=device), Reference(device)
    for name, network in reference.networks.items():
        weights = (p for p in ours.networks[name].parameters() if p.ndim > 1)
        for parameter in network.parameters():  # biases, of which ours have fewer, start from zero
            parameter.data.copy_(next(weights) if parameter.ndim > 1 else torch.zeros(()))
    batch = {name: torch.randint(256, (1, 3, size, size), dtype=torch.uint8) for name in ("gray", "color")}
    found, wanted = backward(ours, batch), reference.step(*ours.read(batch))
    return max(abs(found[name].item() / wanted[name].item() - 1) for name in wanted)


def measure(root: Path, options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Rows of the table: what, and its ratio; details are printed on the way."""
    common = {"root": root, "threads": options.threads}
    rounds = 2 if options.quick else 6
    yield from speed(common, rounds, options.original)
    yield from data(common, rounds)
    yield from memory(common, 256 if GPU else 128)
    if not GPU:
        yield from two_processes_beside_one(root)
    yield from growth(options.threads, options.plot)


def speed(common: dict, rounds: int, original: str) -> Iterator[tuple[str, str]]:
    """Beside the reference."""
    place, bfloat16 = "GPU" if GPU else "CPU", use_bfloat16("auto", pick_device())
    dtype = torch.bfloat16 if bfloat16 else torch.float32
    best, best_of_32 = (achievable(common["threads"], kind) for kind in (dtype, torch.float32))
    print(f"a large matrix product: {best / 1e9:.1f} GFLOP/s ({best_of_32 / 1e9:.1f} in float32)")
    for size in (128, 256):
        print(f"{size} px")
        sized = {**common, "size": size}
        plain = Contender("reference", **sized, batch_size=1, original=original)
        ours = [Contender("paper_cyclegan", **sized, batch_size=n) for n in ((1, 16) if GPU else (1,))]
        rivals = [Contender("default", **sized, batch_size=16)] if size == 256 else []
        race(plain, *ours, *rivals, rounds=rounds)
        for one in (plain, *ours, *rivals):
            name = f"{one.name}, batches of {one.batch_size}"
            yield f"s a pair of images, {size} px, {name}", f"{one.seconds:.3g}"
        for one in ours:
            n = one.batch_size
            batch = "same batch" if n == 1 else f"batches of {n}"
            what = f"same algorithm, same networks, {batch}, {size} px, {place}"
            yield what, f"{plain.seconds / one.seconds:.2f} x"
            floor = one.operations / n / best
            yield f"{what}, images/s of each pile", f"{1 / one.seconds:.1f} of {1 / floor:.1f}"
        for rival in rivals:
            yield f"default to default, {size} px", f"{plain.seconds / rival.seconds:.1f} x"
        for one in (*([] if GPU else [plain]), *ours, *rivals):  # a GPU has more than one way of float32
            share = one.operations / one.batch_size / one.seconds / (best_of_32 if one is plain else best)
            name = f"{one.name}, batches of {one.batch_size}"
            yield f"achieved over achievable arithmetic, {size} px, {name}", f"{share:.0%}"


def data(common: dict, rounds: int) -> Iterator[tuple[str, str]]:
    """Waiting for it, at the smallest usual size, where there is most."""
    for workers in (0, 8 if GPU else 2):
        print(f"data, {workers} workers, 64 px")
        sized = {"size": 64, "batch_size": 16, "workers": workers}
        (default,) = race(Contender("default", **common, **sized), rounds=3 * rounds)
        yield f"waiting for data, {workers} workers", f"{default.waiting:.2%}"


def memory(common: dict, size: int) -> Iterator[tuple[str, str]]:
    """Of the training step, for a further image of each pile."""
    print(f"memory, {size} px, batches of 2 and 6")
    names = ("reference", "paper_cyclegan", "paper_cyclegan, checkpointing", "default")
    each = {name: memory_per_image(name, size=size, **common) for name in names}
    what = f"memory per image of the training step, {size} px"
    yield f"{what}, reference", f"{each['reference'] / 1e6:.0f} MB"
    for name in names[1:]:
        yield f"{what}, {name}", f"{each[name] / each['reference']:.2f} x"


def two_processes_beside_one(root: Path) -> Iterator[tuple[str, str]]:
    """Two cores as two processes, and as two threads of one."""
    print("processes and threads, default, 64 px, batches of 16")
    one, two, apart = two_processes(root, port=29_511)
    print(f"  pairs/s: one thread {one:.1f}, two threads {two:.1f}, two processes {apart:.1f}")
    yield "two processes on two cores against one process with two threads", f"{apart / two:.2f} x"
    yield "two threads against one", f"{two / one:.2f} x"


def two_processes(root: Path, port: int) -> list[float]:
    """Image pairs a second of our default at 64 px: one thread, two threads, two processes."""
    options = {"size": 64, "batch_size": 16}
    ranks = [
        {"RANK": str(r), "LOCAL_RANK": str(r), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1",
         "MASTER_PORT": str(port)}
        for r in range(2)
    ]  # fmt: skip
    rates = []
    for threads, environments in ((1, [{}]), (2, [{}]), (1, ranks)):
        crowd = [Contender("default", root, threads=threads, environment=e, **options) for e in environments]
        rates.append(1 / race(*crowd, rounds=6, together=True)[0].seconds)
    return rates


def achievable(threads: int, dtype: torch.dtype) -> float:
    """Operations a second of a large matrix product: best of 10."""
    torch.set_num_threads(threads)
    side = 8192 if GPU else 2048
    matrix, best = torch.rand(side, side, device=pick_device()).to(dtype), 0.0
    for _ in range(10):
        start = time.perf_counter()
        float((matrix @ matrix)[0, 0])
        best = max(best, 2 * side**3 / (time.perf_counter() - start))
    return best


if __name__ == "__main__":
    main()
