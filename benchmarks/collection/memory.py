"""Memory of driver and workers while a collection is colored: it should not grow with what is done."""

import os
import sys
import tempfile
import time
from pathlib import Path

from .pictures import write_images
from .processes import Watch, watched
from .speed import WAYS

WORKER = "ray::RayWorker"
MARKS = 4


class Marks:
    """What processes hold when the first, second, third and last quarter of the outputs are there.

    Parameters
    ----------
    output : Path
    images : int
        That will be there.
    """

    def __init__(self, output: Path, images: int):
        self.output, self.marks = output, [images * i // MARKS for i in range(1, MARKS + 1)]
        self.found: dict[str, dict[str, int]] = {}
        self.most: dict[str, int] = {}
        self.last: dict[str, int] = {}
        self.begun, self.first = time.perf_counter(), 0.0

    def __call__(self, watch: Watch) -> None:
        """After a look at the processes."""
        if watch.pid in watch.living:
            self.last = held_by(watch)
            self.most = {who: max(held, self.most.get(who, 0)) for who, held in self.last.items()}
        done = sum(name.endswith(".jpg") for name in os.listdir(self.output))
        if done and not self.first:
            self.first = time.perf_counter() - self.begun
        while self.marks and done >= self.marks[0]:
            self.found[f"{self.marks.pop(0)} files"] = self.last


def held_by(watch: Watch) -> dict[str, int]:
    """MiB of the driver, of the largest worker, and of all others (Ray's own) together."""
    driver = [use.bytes for pid, use in watch.living.items() if pid == watch.pid]
    workers = [use.bytes for use in watch.living.values() if use.name.startswith(WORKER)]
    others = sum(use.bytes for use in watch.living.values()) - sum(driver) - sum(workers)
    held = {"driver": sum(driver), "largest worker": max(workers, default=0), "others together": others}
    return {who: count >> 20 for who, count in held.items()}


def memory(images: int, size: tuple[int, int], way: str, workers: int) -> dict:
    """MiB at each quarter of the way, and at most."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_images(folder / "in", images, size, 0)
        (folder / "out").mkdir()
        place = folder / "out" if way == "local command" else f"file://{folder}/out"
        command = [sys.executable, "-m", "cyclecolor", "translate", folder / "in", "-o", place, "-q"]
        marks = Marks(folder / "out", images)
        seconds, watch = watched([*command, "--workers", workers, *WAYS[way]], marks)
    return {
        **{"images": images, "size": size, "way": way, "workers": workers},
        "seconds": round(seconds, 1),
        "seconds to the first output": round(marks.first, 1),
        "CPU seconds": round(watch.seconds, 1),
        "MiB": marks.found,
        "MiB at most": marks.most,
    }
