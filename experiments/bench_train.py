"""Training speed beside the CycleGAN that everybody uses, in one run.

    python experiments/bench_train.py [--quick] [--threads N] [--plot FILE.svg] [--original FOLDER]

The reference (`reference.py`) is as plain as it is commonly run: float32, batches of 1, six generator passes.
Against it stand `textbook`, the same algorithm as `experiments/paper_cyclegan.toml` has it, and `default`, our
default experiment, both run by the package's own trainer. `--original` names a clone of
pytorch-CycleGAN-and-pix2pix, whose own networks then take the place of the reference's.

Contenders are processes that take turns, so that all see the same machine; their first step, whose arithmetic
is counted, is not timed. A GPU is used if there is one, and then the same algorithm is also timed in batches
of 16, as nobody gives a GPU single images by choice.
"""

import argparse
import multiprocessing
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"

import numpy as np
import torch
from PIL import Image
from reference import PHOTO_SIZE, PhotoPairs, Reference, original_networks
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

from cyclecolor.config import Experiment, load_experiment
from cyclecolor.data import render_scene
from cyclecolor.methods import held_back, method_of
from cyclecolor.training import Trainer, precision, processes
from cyclecolor.training.cuda_graph import RecordedStep, can_record
from cyclecolor.training.step import take_step

PAPER = Path(__file__).parent / "paper_cyclegan.toml"
PHOTOS = 16  # of each pile
GPU = torch.cuda.is_available()
TURN = 20 if GPU else 1  # steps
TOLERANCE = 1e-4  # of the check that both compute the same losses, relative


def write_photos(folder: Path) -> None:
    """Generated scenes as JPEG, two piles."""
    for seed, pile in enumerate(("trainA", "trainB")):
        (folder / pile).mkdir()
        for i in range(PHOTOS):
            scene = Image.fromarray(render_scene(seed, i, size=96)).resize((PHOTO_SIZE, PHOTO_SIZE))
            scene.save(folder / pile / f"{i}.jpg", quality=92)


def largest_difference(size: int) -> float:
    """Largest relative difference of any loss of a step from the same weights and images."""
    device = torch.device("cpu")
    textbook = method_of(load_experiment(PAPER))(load_experiment(PAPER), device=device)
    reference = Reference(device)
    for name, network in reference.networks.items():
        theirs, ours = network.parameters(), precision.lay_out(textbook.networks[name]).parameters()
        weights = (parameter for parameter in ours if parameter.ndim > 1)
        for parameter in theirs:  # biases, of which ours have fewer, start from zero
            parameter.data.copy_(next(weights) if parameter.ndim > 1 else torch.zeros(()))
    batch = {name: torch.randint(256, (1, 3, size, size), dtype=torch.uint8) for name in ("gray", "color")}
    ours = textbook.train_step(batch)
    wanted = reference.step(*textbook.read(batch))
    return max(abs(ours[name].item() / wanted[name].item() - 1) for name in wanted)


# Contenders.


def reference_steps(root: str, *, size: int, batch_size: int, original: str, **_):
    """Endlessly a step of the reference, and the seconds spent waiting for its data."""
    device = precision.pick_device()
    reference = Reference(device, *([original_networks(original)] if original else []))
    loader = DataLoader(PhotoPairs(root, size), batch_size, num_workers=min(4, os.cpu_count()))
    for batch, waited in waiting(loader):
        losses = reference.step(*(images.to(device) for images in batch))
        losses["D_color"].item()  # waits for a GPU
        yield waited


def our_steps(root: str, *, name: str, size: int, batch_size: int, workers: int | None = None, **_):
    """Endlessly a step of our trainer, and the seconds spent waiting for its data."""
    experiment = Experiment() if name == "default" else load_experiment(PAPER)
    data = {"root": root, "size": size, "load_size": PHOTO_SIZE, "workers": workers}
    changes = {"batch_size": batch_size, "num_steps": 10**6, "data": experiment.data.model_copy(update=data)}
    changes["checkpointing"] = name == "textbook, checkpointing"
    with tempfile.TemporaryDirectory() as run_dir, processes.joined():
        trainer = Trainer(experiment.model_copy(update=changes), Path(run_dir))
        for batches, waited in waiting(trainer._walk()):
            trainer.advance(*batches)
            yield waited


def waiting(iterable):
    """Its items, each with the seconds that it took to come."""
    iterator = iter(iterable)
    while True:
        start = time.perf_counter()
        yield next(iterator), time.perf_counter() - start


def contend(pipe, root: str, threads: int, environment: dict[str, str], options: dict) -> None:
    """When ready, answer each number of steps with (seconds of each, share waiting, peak, operations)."""
    os.environ.update(environment)
    torch.set_num_threads(threads)
    steps = (reference_steps if options["name"] == "reference" else our_steps)(root, **options)
    operations = 0
    if options["counted"]:
        with FlopCounterMode(display=False) as counter:
            next(steps)
        operations = counter.get_total_flops()
    else:
        next(steps)
    if GPU:
        # Kernels are built, pools fill, and then our step is recorded.
        for _ in range(10 if options["name"] == "reference" else 60):
            next(steps)
    pipe.send(None)
    while count := pipe.recv():
        times, waits = [], []
        for _ in range(count):
            start = time.perf_counter()
            waits.append(next(steps))
            times.append(time.perf_counter() - start)
        pipe.send((times, sum(waits) / sum(times), peak_memory(), operations))
    steps.close()


def peak_memory() -> int:
    """The most bytes that this process ever held (`ru_maxrss` would start from its parent's)."""
    if GPU:
        return torch.cuda.max_memory_allocated()
    return next(int(x.split()[1]) * 1024 for x in _lines("/proc/self/status") if x.startswith("VmHWM"))


class Contender:
    """A process that steps when asked."""

    def __init__(self, name: str, root: Path, *, threads: int, environment: dict | None = None, **options):
        options = {"name": name, "original": "", "counted": True, **options}
        self.name, self.batch_size, self.times = name, options["batch_size"], []
        spawn = multiprocessing.get_context("spawn")
        self.pipe, end = spawn.Pipe()
        arguments = (end, str(root), threads, environment or {}, options)
        self.process = spawn.Process(target=contend, args=arguments)
        self.process.start()
        end.close()  # so that the other side's death is noticed

    def ask(self, count: int) -> None:
        """Begin `count` steps."""
        with suppress(BrokenPipeError):  # `hear` says why
            self.pipe.send(count)

    def hear(self) -> None:
        """Wait for what was asked."""
        times, self.waiting, self.peak, self.operations = self.answer()
        self.times += times

    def answer(self) -> tuple | None:
        """The next thing that the process has to say; at first, that it is ready."""
        try:
            return self.pipe.recv()
        except (EOFError, ConnectionError):
            self.process.join()
            sys.exit(f"{self.name} died with exit code {self.process.exitcode}; what it said is above")

    @property
    def seconds(self) -> float:
        """Median seconds for an image of each pile."""
        return statistics.median(self.times) / self.batch_size

    def close(self) -> None:
        """End the process."""
        self.pipe.send(0)
        self.process.join()


def race(*contenders: Contender, rounds: int, together: bool = False) -> list[Contender]:
    """Let contenders take turns, a step each or some on a GPU (or all at once), and say their medians."""
    for contender in contenders:
        contender.answer()
    for _ in range(rounds):
        for contender in contenders:
            contender.ask(TURN)
            if not together:
                contender.hear()
        for contender in contenders if together else ():
            contender.hear()
    for contender in contenders:
        contender.close()
        count = contender.batch_size
        counted = f"{contender.operations / count / 1e9:7.1f} GFLOP"
        peak = f"peak {contender.peak / 1e9:.2f} GB"  # of no use where operations were counted
        print(
            f"  {contender.name:<10} {contender.seconds:8.4f} s an image of each pile, batches of {count}, "
            f"{counted if contender.operations else peak}, waiting for data {contender.waiting:.2%}",
            flush=True,
        )
    return list(contenders)


def memory_per_image(name: str, root: Path, **options) -> float:
    """Bytes that a further image of each pile adds to the peak, between batches of 2 and 6.

    Operations are not counted: what counts them keeps maps alive.
    """
    options = {**options, "counted": False}
    two, six = race(*(Contender(name, root, batch_size=n, **options) for n in (2, 6)), rounds=1)
    return (six.peak - two.peak) / 4


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
    matrix, best = torch.rand(side, side, device=precision.pick_device()).to(dtype), 0.0
    for _ in range(10):
        start = time.perf_counter()
        float((matrix @ matrix)[0, 0])
        best = max(best, 2 * side**3 / (time.perf_counter() - start))
    return best


def scaling(cases: list[tuple[int, int]], threads: int) -> list[tuple[int, int, float]]:
    """Seconds of a step of our default networks for each (size, batch size), on random images."""
    torch.set_num_threads(threads)
    precision.keep_memory()
    device, found = precision.pick_device(), []
    for size, batch_size in cases:
        torch.manual_seed(0)
        bfloat16 = precision.use_bfloat16("auto", device)
        method = method_of(Experiment())(Experiment(), device=device, bfloat16=bfloat16)
        for network in method.networks.values():
            precision.lay_out(network)
        shape = (batch_size, 3, size, size)
        batch = {name: torch.randint(256, shape, dtype=torch.uint8) for name in ("gray", "color")}
        step = RecordedStep(method) if can_record(method) else method.train_step

        def seconds(step=step, method=method, batch=batch) -> float:
            start = time.perf_counter()
            with held_back():
                losses = step(batch)
            take_step(method)
            losses["D_color"].item()  # waits for a GPU
            return time.perf_counter() - start

        seconds()
        while GPU and not step.graph:
            seconds()
        found.append((size, batch_size, min(seconds(), seconds())))
    return found


def line_through(points: list[tuple[float, float]]) -> tuple[float, float, float]:
    """The line a + b x through (x, y) with the least relative squares, and the largest relative deviation."""
    x, y = np.array(points).T
    (a, b), *_ = np.linalg.lstsq(np.stack([1 / y, x / y], axis=1), np.ones(len(x)), rcond=None)
    return a, b, np.abs((a + b * x) / y - 1).max()


def plot(curves: dict[str, list[tuple[float, float]]], path: Path) -> None:
    """Points and the lines through them, each curve in a panel of an SVG."""
    panels = []
    for number, (title, points) in enumerate(curves.items()):
        a, b, _ = line_through(points)
        x_end, y_end = max(x for x, _ in points), max(y for _, y in points)

        def place(x: float, y: float, left=60 + 360 * number, x_end=x_end, y_end=y_end) -> tuple:
            return round(left + 270 * x / x_end, 1), round(230 - 200 * y / y_end, 1)

        (x0, y0), (x1, y1) = place(0, a), place(x_end, a + b * x_end)
        left, bottom = place(0, 0)
        panels.append(
            f'<path d="M{left} 30V{bottom}H{left + 270}M{x0} {y0}L{x1} {y1}" fill="none" stroke="gray"/>'
            + "".join('<circle cx="{}" cy="{}" r="3"/>'.format(*place(x, y)) for x, y in points)
            + f'<text x="{left}" y="20">{title}</text>'
            + f'<text x="{left}" y="250">0</text><text x="{left + 240}" y="250">{x_end:,.0f}</text>'
            + f'<text x="{left - 50}" y="40">{y_end:.2f} s</text>'
        )
    start = '<svg xmlns="http://www.w3.org/2000/svg" width="760" height="260" font-family="sans-serif"'
    path.write_text(f'{start} font-size="12">{"".join(panels)}</svg>\n')


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
    place, bfloat16 = "GPU" if GPU else "CPU", precision.use_bfloat16("auto", precision.pick_device())
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
        for textbook in ours:
            n = textbook.batch_size
            batch = "same batch" if n == 1 else f"batches of {n}"
            what = f"same algorithm, same networks, {batch}, {size} px, {place}"
            yield what, f"{plain.seconds / textbook.seconds:.2f} x"
            floor = textbook.operations / n / best
            yield f"  {what}, images/s of each pile", f"{1 / textbook.seconds:.1f} of {1 / floor:.1f}"
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
    names = ("reference", "paper_cyclegan", "textbook, checkpointing", "default")
    each = {name: memory_per_image(name, size=size, **common) for name in names}
    for name in names[1:]:
        what = f"memory per image of the training step, {size} px, {name}"
        yield what, f"{each[name] / each['reference']:.2f} x"


def two_processes_beside_one(root: Path) -> Iterator[tuple[str, str]]:
    """Two cores as two processes, and as two threads of one."""
    print("processes and threads, default, 64 px, batches of 16")
    one, two, apart = two_processes(root, port=29_511)
    print(f"  pairs/s: one thread {one:.1f}, two threads {two:.1f}, two processes {apart:.1f}")
    yield "two processes on two cores against one process with two threads", f"{apart / two:.2f} x"
    yield "two threads against one", f"{two / one:.2f} x"


def growth(threads: int, path: Path | None) -> Iterator[tuple[str, str]]:
    """Of step time with pixels and with batch, drawn to `path`."""
    sizes, batch_sizes = (64, 96, 128, 192, 256, 384, 512), (1, 2, 4, 8, 16, 32)
    cases = [*((size, 2) for size in sizes), *((64, n) for n in batch_sizes)]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply(scaling, (cases, threads))
    print("scaling: size, batch, s/step, ns/pixel")
    for size, n, seconds in found:
        print(f"  {size:>4} {n:>3} {seconds:8.4f} {seconds / n / size**2 * 1e9:8.0f}")
    curves = {
        "pixels of an image, 64 to 512 px, batches of 2": [(s * s, t) for s, n, t in found[: len(sizes)]],
        "batch, 1 to 32, 64 px": [(n, t) for s, n, t in found[len(sizes) :]],
    }
    for title, points in curves.items():
        yield f"step time against {title}: furthest from a line", f"{line_through(points)[2]:.0%}"
    if path:
        plot(curves, path)


def main() -> None:
    """Measure, and say the ratios last."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer turns")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--plot", type=Path, help="where to draw step times, as SVG")
    parser.add_argument("--original", default="", help="folder of a clone of pytorch-CycleGAN-and-pix2pix")
    options = parser.parse_args()
    name = next((x for x in _lines("/proc/cpuinfo") if x.startswith("model name")), platform.processor())
    print(f"{name}, {os.cpu_count()} cores, {options.threads} threads, load {os.getloadavg()[0]:.1f}")
    print(f"torch {torch.__version__}, python {platform.python_version()}, {precision.pick_device()}")
    with tempfile.TemporaryDirectory() as folder:
        write_photos(Path(folder))
        difference = largest_difference(64)
        print(f"same losses from the same weights: to {difference:.1e} (at most {TOLERANCE:.0e})")
        if difference > TOLERANCE:
            sys.exit("reference and textbook do not compute the same")
        start = time.perf_counter(), waited_for_cores()
        rows = []
        for what, ratio in measure(Path(folder), options):
            print(f"  -> {what.strip()}: {ratio}", flush=True)
            rows.append((what, ratio))
    waited = (waited_for_cores() - start[1]) / (time.perf_counter() - start[0])
    print(f"in {waited:.0%} of the time some process of this machine waited for a core\n")
    for what, ratio in rows:
        print(f"{what}: {ratio}")


def waited_for_cores() -> float:
    """Seconds, since the start of the machine, in which some process could run and had no core (Linux)."""
    lines = _lines("/proc/pressure/cpu")
    return int(lines[0].rsplit("=", 1)[1]) / 1e6 if lines else 0.0


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).is_file() else []


if __name__ == "__main__":
    main()
