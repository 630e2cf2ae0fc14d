"""Color conversions beside kornia, scikit-image and OpenCV, in one run.

    python benchmarks/bench_color.py [--threads N]

kornia and scikit-image are timed if they can be imported (`pip install kornia scikit-image`); what is missing
is said. OpenCV interpolates in tables: its largest difference from exact values is printed too.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np
import torch

from cyclecolor import color
from cyclecolor.hardware import keep_memory

try:
    import kornia
except ImportError:
    kornia = None
try:
    import skimage.color
except ImportError:
    skimage = None

CASES = {"16 x 256 px": (16, 256, 256), "12 megapixels": (1, 3000, 4000)}


def contenders(space: str, rgb: torch.Tensor) -> dict[str, tuple[Callable, Callable]]:
    """For each library, to the space and back, of one batch in the layout that the library likes."""
    pixels = rgb.permute(0, 2, 3, 1).reshape(-1, rgb.shape[3], 3).numpy().copy()
    ours = getattr(color, f"rgb_to_{space}"), getattr(color, f"{space}_to_rgb")
    name = space.capitalize()
    codes = getattr(cv2, f"COLOR_RGB2{name}"), getattr(cv2, f"COLOR_{name}2RGB")
    values, image = ours[0](rgb), cv2.cvtColor(pixels, codes[0])
    found = {
        "ours": (lambda: ours[0](rgb), lambda: ours[1](values)),
        "OpenCV": (lambda: cv2.cvtColor(pixels, codes[0]), lambda: cv2.cvtColor(image, codes[1])),
    }
    if skimage:
        theirs = getattr(skimage.color, f"rgb2{space}"), getattr(skimage.color, f"{space}2rgb")
        found["scikit-image"] = (lambda: theirs[0](pixels), lambda: theirs[1](image))
    if kornia:
        to, back = getattr(kornia.color, f"rgb_to_{space}"), getattr(kornia.color, f"{space}_to_rgb")
        found["kornia"] = (lambda: to(rgb), lambda: back(values))
    return found


def main() -> None:
    """Measure in turns, and say medians and ratios to ours."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    keep_memory()
    print(f"{options.threads} threads, load {os.getloadavg()[0]:.1f}, torch {torch.__version__}")
    for name, module in (("kornia", kornia), ("scikit-image", skimage)):
        print(f"{name} {module.__version__ if module else 'is missing: pip install ' + name}")
    for case, (count, height, width) in CASES.items():
        rgb = torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0))
        for space in ("lab", "luv"):
            found = contenders(space, rgb)
            for way, word in enumerate(("to", "from")):
                times = {name: [] for name in found}
                for _ in range(options.rounds):
                    for name, ways in found.items():
                        start = time.perf_counter()
                        ways[way]()
                        times[name].append(time.perf_counter() - start)
                ours = statistics.median(times["ours"])
                line = [f"{n} {statistics.median(t) * 1e3:.0f} ms" for n, t in times.items()]
                ratio = [f"{n} {statistics.median(t) / ours:.2f} x" for n, t in times.items() if n != "ours"]
                print(f"{case}, {word} {space}: {', '.join(line)}; over ours: {', '.join(ratio)}", flush=True)
    lab, exact = (
        cv2.cvtColor(rgb[0].permute(1, 2, 0).numpy(), cv2.COLOR_RGB2Lab),
        color.rgb_to_lab(rgb.double()),
    )
    print(f"largest error, Lab: OpenCV {np.abs(lab - exact[0].permute(1, 2, 0).numpy()).max():.3f}, "
          f"ours {(color.rgb_to_lab(rgb) - exact).abs().max():.5f}")  # fmt: skip


if __name__ == "__main__":
    main()
