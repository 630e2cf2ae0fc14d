"""How the time of a training step grows with pixels and with the batch, and a drawing of it."""

import multiprocessing
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from contenders import GPU

from cyclecolor.config import Experiment
from cyclecolor.hardware import keep_memory, pick_device, use_bfloat16
from cyclecolor.methods import METHODS
from cyclecolor.training import TrainingStep

SIZES, BATCH_SIZES = (64, 96, 128, 192, 256, 384, 512), (1, 2, 4, 8, 16, 32)
# Steps before the clock starts: kernels are built, pools fill, and on a GPU the step is recorded.
WARM_UP = 60 if GPU else 1


def growth(threads: int, path: Path | None) -> Iterator[tuple[str, str]]:
    """Of step time with pixels and with batch, drawn to `path`."""
    cases = [*((size, 2) for size in SIZES), *((64, n) for n in BATCH_SIZES)]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply(scaling, (cases, threads))
    print("scaling: size, batch, s/step, ns/pixel")
    for size, n, seconds in found:
        print(f"  {size:>4} {n:>3} {seconds:8.4f} {seconds / n / size**2 * 1e9:8.0f}")
    curves = {
        "pixels of an image, 64 to 512 px, batches of 2": [(s * s, t) for s, n, t in found[: len(SIZES)]],
        "batch, 1 to 32, 64 px": [(n, t) for s, n, t in found[len(SIZES) :]],
    }
    for title, points in curves.items():
        yield f"step time against {title}: furthest from a line", f"{line_through(points)[2]:.0%}"
    if path:
        plot(curves, path)


def scaling(cases: list[tuple[int, int]], threads: int) -> list[tuple[int, int, float]]:
    """(size, batch size, seconds of a step) of our default networks for each case, on random images."""
    torch.set_num_threads(threads)
    keep_memory()
    return [(size, batch_size, seconds_of_step(size, batch_size)) for size, batch_size in cases]


def seconds_of_step(size: int, batch_size: int) -> float:
    """The shorter of two steps."""
    torch.manual_seed(0)
    device, experiment = pick_device(), Experiment()
    bfloat16 = use_bfloat16("auto", device)
    method = METHODS[experiment.method](experiment, device=device, bfloat16=bfloat16)
    for network in method.networks.values():
        network.to(memory_format=torch.channels_last)
    shape = (batch_size, 3, size, size)
    batch = {name: torch.randint(256, shape, dtype=torch.uint8) for name in ("gray", "color")}
    take_step, times = TrainingStep(method), []
    for number in range(WARM_UP + 2):
        start = time.perf_counter()
        take_step(number, batch)  # its losses are numbers: it has waited for a GPU
        times.append(time.perf_counter() - start)
    return min(times[-2:])


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
