"""How fast `cyclecolor translate` is, beside the least that could be done: decode and encode the same files.

    python benchmarks/bench_translate.py [--quick] [PART...]

Parts: cold, stages, large, small, luma, growth, memory, scans. Pictures are made here (noise of all scales,
much like film), no two alike, so that no color was met before by accident; rivals run in turns, and medians
are printed with their ratio. Pin it to the cores to be measured: `taskset -c 0,1 python ...`.
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

import cv2
import numpy as np
from PIL import Image

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


def throughput(work: Path, name: str, count: int, megapixels: float, goal: float, turns: int) -> None:
    """Photos a second beside copying; each turn has photos of its own, and the first one is not counted."""
    colorizer, workers = load(), len(os.sched_getaffinity(0))
    copied, translated = [], []
    for turn in range(turns + 1):
        source = make_folder(work / f"{name}{turn}", range(turn * count, (turn + 1) * count), megapixels)
        copied.append(count / copy_folder(source, work / f"{name}{turn}_copy", workers))
        seconds = translate_folder(source, work / f"{name}{turn}_color", colorizer, workers)
        translated.append(count / seconds)
    ratios = [ours / theirs for ours, theirs in zip(translated, copied, strict=True)]
    print(
        f"{name}: {count} gray JPEGs of {megapixels:g} MP a turn, {workers} cores: copied "
        f"{statistics.median(copied[1:]):.2f}/s, translated {statistics.median(translated[1:]):.2f}/s, "
        f"ratio {statistics.median(ratios[1:]):.2f} (goal {goal}; first turn {ratios[0]:.2f}; "
        f"{min(ratios[1:]):.2f} to {max(ratios[1:]):.2f})"
    )


def luma(work: Path, count: int, megapixels: float, turns: int) -> None:
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
    for way in ways:
        mean, most = (statistics.median(values) for values in zip(*errors[way], strict=True))
        print(
            f"{way}: {statistics.median(rates[way][1:]):.2f}/s, {statistics.median(sizes[way]):.2f} MB, "
            f"lightness off by {mean:.2f} levels on average, by more than {most:.1f} in 1 of 1,000 pixels"
        )


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


def stages(work: Path, megapixels: float, count: int) -> None:
    """Milliseconds of processor time that each part of a photo's way takes on one core."""
    source, colorizer = make_folder(work / "stages", range(count), megapixels), load()
    (work / "stages_copy").mkdir()
    cv2.setNumThreads(1)
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
    parts = (f"{name} {statistics.median(times[1:]):.0f}" for name, times in spent.items())
    print(f"stages: ms of a {megapixels:g}-MP gray JPEG on one core: " + ", ".join(parts))


def cold(work: Path, turns: int) -> None:
    """One photo from the shell beside `import torch`."""
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
    torch, ours = (statistics.median(series[1:]) for series in times.values())  # the first reads the disk
    print(f"cold: import torch {torch:.2f} s, translate {ours:.2f} s, ratio {ours / torch:.2f} (goal 2)")


def memory(work: Path, count: int) -> None:
    """Resident memory along a folder of many small files."""
    (work / "many").mkdir()
    contents = [cv2.imencode(".jpg", film(0.02, i))[1].tobytes() for i in range(100)]
    for i in range(count):
        (work / "many" / f"{i:05}.jpg").write_bytes(contents[i % 100])
    job = Job(work / "many", work / "many_color", load(), Options())
    marks, begun = {count // 10: 0.0, count: 0.0}, time.perf_counter()
    for done, _ in enumerate(job.run(), 1):
        if done in marks:
            marks[done] = resident()
    early, late = marks.values()
    print(
        f"memory: after {count // 10:,} files {early:.0f} MB, after {count:,} {late:.0f} MB, "
        f"{100 * (late / early - 1):+.1f}% (goal 5%); {count / (time.perf_counter() - begun):.0f} files/s"
    )


def resident() -> float:
    """Megabytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / MEGA


def growth(work: Path, sizes: list[float], turns: int) -> None:
    """Seconds a megapixel, one photo at a time, the first not counted."""
    colorizer, rates = load(), {}
    for size in sizes:
        runs = []
        for turn in range(turns + 1):
            name = f"growth{size:g}_{turn}"
            source = make_folder(work / name, range(turn, turn + 1), size)
            runs.append(translate_folder(source, work / f"{name}_color", colorizer, 1))
        rates[size] = statistics.median(runs[1:]) / size
        noise.cache_clear()
    print("growth: ms a megapixel: " + ", ".join(f"{s:g} MP {1000 * r:.1f}" for s, r in rates.items()))


def scans(work: Path, megapixels: float) -> None:
    """Peak memory of the program on one large scan of each kind."""
    gray = film(megapixels, 0)
    deep = gray.astype(np.uint16) * 257
    for kind in ("8-bit gray", "16-bit gray", "16-bit RGB"):
        pixels = {"8": gray[..., None], "1": deep[..., None]}[kind[0]]
        if "RGB" in kind:  # a toned print
            pixels = np.concatenate([pixels, pixels, pixels // 2], axis=2)
        path = work / f"{kind.replace(' ', '_')}.tif"
        write_photo(Photo(pixels), path)
        command = [sys.executable, "-m", "cyclecolor", "translate", str(path), "--overwrite"]
        begun = time.perf_counter()
        peak = peak_memory(command)
        seconds = time.perf_counter() - begun
        print(f"scans: {megapixels:g} MP {kind} TIFF: peak {peak:.2f} GB (goal 2.5), {seconds:.1f} s in all")


def peak_memory(command: list[str]) -> float:
    """Gigabytes that a command took at most."""
    code = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=-3); "
    code += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    result = subprocess.run(
        [sys.executable, "-c", code, *command], check=True, capture_output=True, text=True
    )
    return int(result.stdout) * 1024 / 1e9


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART")
    parser.add_argument("--quick", action="store_true", help="Fewer and smaller files: does it run?")
    arguments = parser.parse_args()
    quick = arguments.quick
    cv2.setNumThreads(1)  # as `cyclecolor translate` has it
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        parts = {
            "cold": lambda: cold(work, 1 if quick else 5),
            "stages": lambda: stages(work, 1 if quick else 12, 2 if quick else 6),
            "large": lambda: throughput(work, "large", 2 if quick else 16, 12, 0.6, 1 if quick else 5),
            "small": lambda: throughput(work, "small", 8 if quick else 96, 1, 0.4, 1 if quick else 5),
            "luma": lambda: luma(work, 2 if quick else 8, 1 if quick else 12, 1 if quick else 3),
            "growth": lambda: growth(work, [1, 4] if quick else [1, 4, 12, 36, 100], 1 if quick else 3),
            "memory": lambda: memory(work, 100 if quick else 10_000),
            "scans": lambda: scans(work, 4 if quick else 100),
        }
        for name in arguments.parts or parts:
            parts[name]()
            sys.stdout.flush()


if __name__ == "__main__":
    main()
