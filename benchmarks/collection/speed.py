"""Files per second, and processor time a file, by each engine."""

import shutil
import sys
import tempfile
from pathlib import Path

from .pictures import write_images
from .processes import watched

WAYS = {
    "local command": [],
    "threads, store to store": ["--engine", "local"],
    "ray": ["--engine", "ray"],
}


def speed(images: int, size: tuple[int, int], ways: list[str], workers: list[int]) -> dict:
    """Of the whole command, its start included, and without it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_images(folder / "in", images, size, 0)
        (folder / "one").mkdir()
        shutil.copy(folder / "in/000000.jpg", folder / "one/a.jpg")
        result: dict = {"images": images, "size": size}
        for way in ways:
            for count in workers:
                start, start_cpu = timed(folder, "one", way, count)
                whole, cpu = timed(folder, "in", way, count)
                found = result[f"{way}, {count}"] = {
                    "start": round(start, 1),
                    "CPU seconds of the start": round(start_cpu, 1),
                    "whole": round(whole, 1),
                    "files/s after the start": round((images - 1) / max(whole - start, 1e-9), 2),
                    "CPU ms a file": round(1000 * (cpu - start_cpu) / (images - 1), 1),
                }
                print(way, count, found, file=sys.stderr, flush=True)
        return result


def timed(folder: Path, source: str, way: str, workers: int) -> tuple[float, float]:
    """Seconds of one turn into an empty folder, and processor seconds of all that it starts."""
    output = folder / f"{source} {way} {workers}"
    place = output if way == "local command" else f"file://{output}"
    command = [sys.executable, "-m", "cyclecolor", "translate", folder / source, "-o", place, "-q"]
    seconds, watch = watched([*command, "--workers", workers, *WAYS[way]])
    return seconds, watch.seconds
