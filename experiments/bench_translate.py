"""How fast `cyclecolor translate` is, beside the least that could be done: decode and encode the same files.

    python experiments/bench_translate.py [--quick] [PART...]

Parts: large, small, cold, memory, growth, scans. Files are made here (noise of all scales, much like film);
each pair of rivals runs in turns, and medians are printed with their ratio. Pin it to the cores to be
measured: `taskset -c 0,1 python ...`.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from cyclecolor.inference import Job, Options, load
from cyclecolor.photos import Photo, write_photo

MEGA = 1_000_000


def film(megapixels: float, seed: int) -> np.ndarray:
    """(H, W) uint8, 4:3, with detail at every scale."""
    height, width = round((megapixels * MEGA * 3 / 4) ** 0.5), round((megapixels * MEGA * 4 / 3) ** 0.5)
    rng = np.random.default_rng(seed)
    image = np.full((height, width), 128, np.float32)
    for octave in range(2, 11):
        noise = rng.standard_normal((3 * 2**octave // 4, 2**octave), np.float32)
        if noise.shape[1] < width:
            image += 60 * 1.5**-octave * cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(image, 0, 255).astype(np.uint8)


def make_folder(folder: Path, count: int, megapixels: float) -> Path:
    """Gray JPEGs, a few pictures under many names."""
    folder.mkdir()
    for i in range(count):
        Image.fromarray(film(megapixels, i % 8)).save(folder / f"{i:05}.jpg", quality=92)
    return folder


def copy_folder(source: Path, output: Path, workers: int) -> float:
    """Seconds to decode and encode all files of a folder as color JPEG, and nothing else."""
    output.mkdir(exist_ok=True)

    def copy(path: Path) -> None:
        with Image.open(path) as image:
            image.convert("RGB").save(output / path.name, quality=95, subsampling="4:4:4")

    begun = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(copy, sorted(source.iterdir())))
    return time.perf_counter() - begun


def translate_folder(source: Path, output: Path, colorizer, workers: int) -> float:
    """Seconds to translate the folder, manifest and fsync and all."""
    begun = time.perf_counter()
    job = Job(source, output, colorizer, Options(workers=workers, overwrite=True))
    outcomes = list(job.run())
    assert all(outcome.status == "translated" for outcome in outcomes)
    return time.perf_counter() - begun


def throughput(work: Path, name: str, count: int, megapixels: float, goal: float, turns: int) -> None:
    """Photos a second beside copying."""
    colorizer, workers = load(), len(os.sched_getaffinity(0))
    source = make_folder(work / name, count, megapixels)
    times = {"copied": [], "translated": []}
    for _ in range(turns):
        times["copied"].append(copy_folder(source, work / f"{name}_copy", workers))
        times["translated"].append(translate_folder(source, work / f"{name}_color", colorizer, workers))
    copied, translated = (count / statistics.median(series) for series in times.values())
    print(
        f"{name}: {count} gray JPEGs of {megapixels:g} MP, {workers} cores: copied {copied:.2f}/s, "
        f"translated {translated:.2f}/s, ratio {translated / copied:.2f} (goal {goal})"
    )


def cold(work: Path, turns: int) -> None:
    """One photo from the shell beside `import torch`."""
    source = make_folder(work / "cold", 1, 1) / "00000.jpg"
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
    print(
        f"cold: import torch {torch:.2f} s, translate one.jpg {ours:.2f} s, ratio {ours / torch:.2f} (goal 2)"
    )


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
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MEGA


def growth(work: Path, sizes: list[float], turns: int) -> None:
    """Seconds a megapixel, one photo at a time."""
    colorizer, rates = load(), {}
    for size in sizes:
        source = make_folder(work / f"growth{size:g}", 1, size)
        runs = [translate_folder(source, work / f"g{size:g}", colorizer, 1) for _ in range(turns + 1)]
        rates[size] = statistics.median(runs[1:]) / size
    print("growth: ms a megapixel: " + ", ".join(f"{s:g} MP {1000 * r:.1f}" for s, r in rates.items()))


def scans(work: Path, megapixels: float) -> None:
    """Peak memory of the program on one large scan of each kind."""
    gray = film(megapixels, 0)
    deep = gray.astype(np.uint16) * 257
    kinds = {
        "8-bit gray": gray[..., None],
        "16-bit gray": deep[..., None],
        "16-bit RGB": np.dstack([deep] * 3),
    }
    kinds["16-bit RGB"][..., 2] //= 2
    for kind, pixels in kinds.items():
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
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        parts = {
            "cold": lambda: cold(work, 1 if quick else 5),
            "large": lambda: throughput(work, "large", 2 if quick else 16, 12, 0.6, 1 if quick else 5),
            "small": lambda: throughput(work, "small", 8 if quick else 96, 1, 0.4, 1 if quick else 5),
            "growth": lambda: growth(work, [1, 4] if quick else [1, 4, 12, 36, 100], 1 if quick else 3),
            "memory": lambda: memory(work, 100 if quick else 10_000),
            "scans": lambda: scans(work, 4 if quick else 100),
        }
        for name in arguments.parts or parts:
            parts[name]()


if __name__ == "__main__":
    main()
