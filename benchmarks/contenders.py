"""Contenders of `bench_train.py`: processes that take training steps in turns, and say how long they took."""

import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"

import cv2
import torch
from PIL import Image
from record import lines_of
from reference import PHOTO_SIZE, PhotoPairs, Reference, original_networks
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

from cyclecolor.config import Experiment, load_experiment
from cyclecolor.data import render_scene
from cyclecolor.distributed import process_group
from cyclecolor.hardware import keep_memory, pick_device
from cyclecolor.training import Trainer

PAPER = Path(__file__).parent.parent / "experiments/paper_cyclegan.toml"
PHOTOS = 16  # of each pile
GPU = torch.cuda.is_available()
TURN = 20 if GPU else 1  # steps


def write_photos(folder: Path) -> None:
    """Generated scenes as JPEG, two piles."""
    for seed, pile in enumerate(("trainA", "trainB")):
        (folder / pile).mkdir()
        for i in range(PHOTOS):
            scene = Image.fromarray(render_scene(seed, i, size=96)).resize((PHOTO_SIZE, PHOTO_SIZE))
            scene.save(folder / pile / f"{i}.jpg", quality=92)


def reference_steps(root: str, *, size: int, batch_size: int, original: str, workers: int | None = None, **_):
    """Endlessly a step of the reference, and the seconds spent waiting for its data."""
    device = pick_device()
    reference = Reference(device, *([original_networks(original)] if original else []))
    workers = min(4, os.cpu_count()) if workers is None else workers
    loader = DataLoader(PhotoPairs(root, size), batch_size, num_workers=workers)
    for batch, waited in waiting(loader):
        losses = reference.step(*(images.to(device) for images in batch))
        losses["D_color"].item()  # waits for a GPU
        yield waited


def our_steps(root: str, *, name: str, size: int, batch_size: int, workers: int | None = None, **_):
    """Endlessly a step of our trainer, and the seconds spent waiting for its data."""
    keep_memory()  # this and OpenCV's threads as `cyclecolor train` has them
    cv2.setNumThreads(0)
    experiment = Experiment() if name == "default" else load_experiment(PAPER)
    data = {"root": root, "size": size, "load_size": PHOTO_SIZE, "workers": workers}
    changes = {"batch_size": batch_size, "num_steps": 10**6, "data": experiment.data.model_copy(update=data)}
    changes["checkpointing"] = name == "paper_cyclegan, checkpointing"
    changes["match_steps"] = 0  # these come before the first step, and are not what is timed
    with tempfile.TemporaryDirectory() as run_dir, process_group():
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
    return next(int(x.split()[1]) * 1024 for x in lines_of("/proc/self/status") if x.startswith("VmHWM"))


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
