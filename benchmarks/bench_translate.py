"""How fast `cyclecolor translate` is, beside the least that could be done: decode and encode the same files.

    python benchmarks/bench_translate.py [--quick] [PART...] [--json docs/results/translate.json]

Parts: cold, stages, large, small, luma, growth, memory, scans. Pictures are made here (noise of all scales,
much like film), no two alike, so that no color was met before by accident; rivals run in turns, and medians
are printed with their ratio. Pin it to the cores to be measured: `taskset -c 0,1 python ...`.

docs/results/TRANSLATE.md has the tables, docs/results/translate.json their figures; tests/test_numbers.py
compares them.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image
from record import Origin
from translate_tables import table

from cyclecolor.files import write_json
from cyclecolor.hardware import keep_memory
from cyclecolor.inference import load
from cyclecolor.photos import Metadata, Photo, read_photo, write_photo
from cyclecolor.translation import Job, Options
from cyclecolor.translation.manifest import file_sha256

MEGA = 1_000_000
BASES = 4


@cache
def noise(megapixels: float, seed: int) -> np.ndarray:
    """(H, W) uint8, 4:3, with detail at every scale."""
    height, width = round((megapixels * MEGA * 3 / 4) ** 0.5), round((megapixels * MEGA * 4 / 3) ** 0.5)
    rng = np.random.default_rng(seed)
    image = np.full((height, width), 128, np.float32)
    for octave in range(2, 11):
        layer = rng.standard_normal((3 * 2**octave // 4, 2**octave), np.float32)
        if layer.shape[1] < width:
            image += 60 * 1.5**-octave * cv2.resize(layer, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(image, 0, 255).astype(np.uint8)


def film(megapixels: float, number: int) -> np.ndarray:
    """(H, W) uint8: two of a few pictures, mixed and turned differently for each number."""
    first, second = (noise(megapixels, (number + i) % BASES) for i in range(2))
    share = 0.5 + 0.4 * np.cos(number)
    mixed = cv2.addWeighted(first, share, np.roll(second, 97 * number, axis=1), 1 - share, number % 40 - 20)
    return mixed[::-1].copy() if number % 2 else mixed


def make_folder(folder: Path, numbers: range, megapixels: float) -> Path:
    """Gray JPEGs."""
    folder.mkdir()
    for number in numbers:
        Image.fromarray(film(megapixels, number)).save(folder / f"{number:05}.jpg", quality=92)
    return folder


def copy(path: Path, output: Path) -> None:
    """Decode a file and encode it as a color JPEG, and nothing else."""
    with Image.open(path) as image:
        image.convert("RGB").save(output / path.name, quality=95, subsampling="4:4:4")


def copy_folder(source: Path, output: Path, workers: int) -> float:
    """Seconds to copy all files of a folder."""
    output.mkdir()
    begun = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda path: copy(path, output), sorted(source.iterdir())))
    return time.perf_counter() - begun


def translate_folder(source: Path, output: Path, colorizer, workers: int, **options) -> float:
    """Seconds to translate a folder, manifest and fsync and all."""
    begun = time.perf_counter()
    outcomes = list(Job(source, output, colorizer, Options(workers=workers, overwrite=True, **options)).run())
    assert all(outcome.status == "translated" for outcome in outcomes)
    return time.perf_counter() - begun


def throughput(work: Path, name: str, count: int, megapixels: float, turns: int) -> dict[str, Any]:
    """Photos a second beside copying; each turn has photos of its own, and the first one is not counted."""
    colorizer, workers = load(), len(os.sched_getaffinity(0))
    copied, translated = [], []
    for turn in range(turns + 1):
        source = make_folder(work / f"{name}{turn}", range(turn * count, (turn + 1) * count), megapixels)
        copied.append(count / copy_folder(source, work / f"{name}{turn}_copy", workers))
        seconds = translate_folder(source, work / f"{name}{turn}_color", colorizer, workers)
        translated.append(count / seconds)
    ratios = [ours / theirs for ours, theirs in zip(translated[1:], copied[1:], strict=True)]
    return {
        "photos": count,
        "megapixels": megapixels,
        "turns": turns,
        "copied": statistics.median(copied[1:]),
        "translated": statistics.median(translated[1:]),
        "ratio": statistics.median(ratios),
        "least": min(ratios),
        "most": max(ratios),
    }


def luma(work: Path, count: int, megapixels: float, turns: int) -> dict[str, dict[str, float]]:
    """Gray JPEGs encoded anew and with their luma kept: time, size, and how far lightness lies off."""
    workers = len(os.sched_getaffinity(0))
    ways = {
        f"{'luma kept' if kept else 'encoded anew'}, {subsampling}": {
            "lossless_luma": kept,
            "subsampling": subsampling,
        }
        for kept in (False, True)
        for subsampling in ("4:4:4", "4:2:0")
    }
    colorizers = {way: load() for way in ways}  # each meets its colors for the first time
    rates, errors, sizes = ({way: [] for way in ways} for _ in range(3))
    for turn in range(turns + 1):
        source = make_folder(work / f"luma{turn}", range(turn * count, (turn + 1) * count), megapixels)
        for i, (way, options) in enumerate(ways.items()):
            output = work / f"luma{turn}_{i}"
            seconds = translate_folder(source, output, colorizers[way], workers, **options)
            rates[way].append(count / seconds)
            sizes[way].append(sum(path.stat().st_size for path in output.glob("*.jpg")) / count / MEGA)
            errors[way].append(lightness_error(source / f"{turn * count:05}.jpg", output))
    found = {}
    for way in ways:
        mean, exceeded = (statistics.median(values) for values in zip(*errors[way], strict=True))
        rate, size = statistics.median(rates[way][1:]), statistics.median(sizes[way])
        found[f"{megapixels:g} MP, {way}"] = {
            "photos/s": rate,
            "MB": size,
            "mean": mean,
            "exceeded": exceeded,
        }
    return found


def lightness_error(scan: Path, output: Path) -> tuple[float, float]:
    """Of the photo made of a scan, in 8-bit levels of gray: the mean, and what a thousandth exceeds."""
    gray = read_photo(scan).pixels[..., 0].astype(np.float32)
    color = read_photo(output / scan.name).pixels.astype(np.float32) / 255
    linear = np.where(color > 0.04045, ((color + 0.055) / 1.055) ** 2.4, color / 12.92)
    bright = linear @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    off = np.abs(
        255 * np.where(bright > 0.0031308, 1.055 * bright ** (1 / 2.4) - 0.055, 12.92 * bright) - gray
    )
    return float(off.mean()), float(np.quantile(off, 0.999))


def stages(work: Path, megapixels: float, count: int) -> dict[str, Any]:
    """Milliseconds of processor time that each part of a photo's way takes on one core."""
    source, colorizer = make_folder(work / "stages", range(count), megapixels), load()
    (work / "stages_copy").mkdir()
    spent: dict[str, list[float]] = {}

    def timed(name: str, work: Callable) -> object:
        begun = time.process_time()
        result = work()
        spent.setdefault(name, []).append(1000 * (time.process_time() - begun))
        return result

    for path in sorted(source.iterdir()):
        timed("copy", lambda path=path: copy(path, work / "stages_copy"))
        timed("decode", lambda path=path: np.asarray(Image.open(path)))
        photo = timed("read", lambda path=path: read_photo(path))
        small = timed("shrink", lambda photo=photo: colorizer._shrunk(photo.pixels))
        timed("network", lambda small=small: colorizer.colorize(Photo(small)))
        colored = timed("color in all", lambda photo=photo: colorizer.colorize(photo))
        colored = replace(colored, metadata=Metadata())
        timed("write", lambda colored=colored: write_photo(colored, work / "out.jpg"))
        timed("sha256", lambda path=path: (file_sha256(path), file_sha256(work / "out.jpg")))
    medians = {name: statistics.median(times[1:]) for name, times in spent.items()}
    return {"megapixels": megapixels, "ms": medians}


def cold(work: Path, turns: int) -> dict[str, float]:
    """Seconds of one photo from the shell, and of `import torch`."""
    source = make_folder(work / "cold", range(1), 1) / "00000.jpg"
    rivals = {
        "import torch": [sys.executable, "-c", "import torch"],
        "translate": [sys.executable, "-m", "cyclecolor", "translate", str(source), "--overwrite"],
    }
    times = {name: [] for name in rivals}
    for _ in range(turns + 1):
        for name, command in rivals.items():
            begun = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            times[name].append(time.perf_counter() - begun)
    return {name: statistics.median(series[1:]) for name, series in times.items()}  # the first reads the disk


def memory(work: Path, count: int) -> dict[str, Any]:
    """Resident memory along a folder of many small files."""
    (work / "many").mkdir()
    contents = [cv2.imencode(".jpg", film(0.02, i))[1].tobytes() for i in range(100)]
    for i in range(count):
        (work / "many" / f"{i:05}.jpg").write_bytes(contents[i % 100])
    marks, begun = {count // 10: 0.0, count: 0.0}, time.perf_counter()
    for done, _ in enumerate(Job(work / "many", work / "many_color", load(), Options()).run(), 1):
        if done in marks:
            marks[done] = resident()
    return {
        "MB": {str(done): held for done, held in marks.items()},
        "files/s": count / (time.perf_counter() - begun),
    }


def resident() -> float:
    """Megabytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / MEGA


def growth(work: Path, sizes: list[int], turns: int) -> dict[str, float]:
    """Milliseconds a megapixel, one photo at a time, the first not counted."""
    colorizer, rates = load(), {}
    for size in sizes:
        runs = []
        for turn in range(turns + 1):
            name = f"growth{size}_{turn}"
            source = make_folder(work / name, range(turn, turn + 1), size)
            runs.append(translate_folder(source, work / f"{name}_color", colorizer, 1))
        rates[str(size)] = 1000 * statistics.median(runs[1:]) / size
        noise.cache_clear()
    return rates


def scans(work: Path, megapixels: float) -> dict[str, Any]:
    """Peak memory of the program on one large scan of each kind."""
    gray = film(megapixels, 0)
    deep, peaks = gray.astype(np.uint16) * 257, {}
    for kind in ("8-bit gray", "16-bit gray", "16-bit RGB"):
        pixels = {"8": gray[..., None], "1": deep[..., None]}[kind[0]]
        if "RGB" in kind:  # a toned print
            pixels = np.concatenate([pixels, pixels, pixels // 2], axis=2)
        path = work / f"{kind.replace(' ', '_')}.tif"
        write_photo(Photo(pixels), path)
        command = [sys.executable, "-m", "cyclecolor", "translate", str(path), "--overwrite"]
        peaks[kind] = peak_memory(command)
    return {"megapixels": megapixels, "GB": peaks}


def peak_memory(command: list[str]) -> float:
    """Gigabytes that a command took at most."""
    code = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=-3); "
    code += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    result = subprocess.run(
        [sys.executable, "-c", code, *command], check=True, capture_output=True, text=True
    )
    return int(result.stdout) * 1024 / 1e9


def main() -> None:
    """Run the parts that were asked for; write their figures, where they are asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART")
    parser.add_argument("--quick", action="store_true", help="Fewer and smaller files: does it run?")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    arguments = parser.parse_args()
    quick, origin, found = arguments.quick, Origin(), {}
    cv2.setNumThreads(1)  # this and memory as `cyclecolor translate` has them
    keep_memory(giant_blocks=False)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        parts = {
            "cold": lambda: cold(work, 1 if quick else 5),
            "stages": lambda: stages(work, 1 if quick else 12, 2 if quick else 6),
            "large": lambda: throughput(work, "large", 2 if quick else 16, 12, 1 if quick else 5),
            "small": lambda: throughput(work, "small", 8 if quick else 96, 1, 1 if quick else 5),
            "luma": lambda: luma(work, 2 if quick else 8, 1 if quick else 12, 1 if quick else 3),
            "growth": lambda: growth(work, [1, 4] if quick else [1, 4, 12, 36, 100], 1 if quick else 3),
            "memory": lambda: memory(work, 100 if quick else 10_000),
            "scans": lambda: scans(work, 4 if quick else 100),
        }
        for name in arguments.parts or parts:
            found[name] = parts[name]()
            record = origin() | found
            if arguments.json:
                write_json(record, arguments.json)
    print(table(record))


if __name__ == "__main__":
    main()
