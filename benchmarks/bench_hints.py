"""What hints bring: true colors at random places of photos, and CIEDE2000 of what is made of them.

    python benchmarks/bench_hints.py PHOTOS [--checkpoint default] [--count 300] [--json FILE]

Compared are our spreading of what hints change, each pixel taking the color of the nearest hint, and
"Colorization using optimization" (Levin et al., 2004); the last two from the hints alone, as they were meant,
and from what the hints change of the network's colors. All see the same hints, on a copy of short side 192.

docs/results/HINTS.md has the table, docs/results/hints.json its figures; tests/test_numbers.py compares them.
"""

import argparse
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from record import commit
from scipy.sparse import csr_matrix, eye
from scipy.sparse.linalg import splu
from torch import Tensor

from cyclecolor.color import rgb_to_lab
from cyclecolor.evaluation.metrics import ciede2000
from cyclecolor.files import write_json
from cyclecolor.inference import ChromaColorizer, Hint, load
from cyclecolor.inference.chroma_colorizer import HINT_SIDE
from cyclecolor.inference.guided import resized
from cyclecolor.photos import Photo, find_photos, read_rgb8

COUNTS = (1, 5, 20)
RIVALS = {"Levin": "Levin et al., 2004", "nearest": "nearest hint's color"}
WAYS = ("alone", "changes")
NEIGHBORS = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx]


def main() -> None:
    """Print a table; write its figures, where they are asked for."""
    options, paths, colorizer = asked(__doc__.splitlines()[0])
    found = measure([small_photo(path) for path in paths], colorizer)
    record = about(options, paths) | {"errors": {way: with_spread(errors) for way, errors in found.items()}}
    if options.json:
        write_json(record, options.json)
    print(table(record))


def asked(description: str) -> tuple[argparse.Namespace, list[Path], ChromaColorizer]:
    """The command line, and the photos and the colorizer that it names."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--checkpoint", default="default")
    parser.add_argument("--count", type=int, default=300, help="photos, evenly from the folder")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    options = parser.parse_args()
    torch.set_num_threads(1)
    paths = find_photos(options.photos)
    paths = paths[:: max(1, len(paths) // options.count)][: options.count]
    return options, paths, load(options.checkpoint)


def about(options: argparse.Namespace, paths: list[Path]) -> dict[str, Any]:
    """What was measured."""
    checkpoint, folder = Path(options.checkpoint).stem, options.photos.name
    return {"commit": commit(), "checkpoint": checkpoint, "folder": folder, "photos": len(paths)}


def with_spread(errors: list[float]) -> list[float]:
    """The mean of those that are numbers, and half of its 95% interval over photos."""
    found = np.array(errors)[np.isfinite(errors)]
    return [float(found.mean()), float(1.96 * found.std() / np.sqrt(len(found)))]


def cell(mean_and_half: list[float], digits: int = 2) -> str:
    """As it stands in a table."""
    return " ± ".join(f"{number:.{digits}f}" for number in mean_and_half)


def table(record: dict[str, Any]) -> str:
    """CIEDE2000 by number of hints and by how they are spread."""
    errors = {way: cell(found) for way, found in record["errors"].items()}
    titles = ["cyclecolor", *(f"{name}, {from_}" for name in RIVALS.values() for from_ in WAYS)]
    lines = [f"| hints | {' | '.join(titles)} |", f"|--:|{'--:|' * len(titles)}"]
    lines.append(f"| 0 | {errors['no hints']} | (gray: {errors['gray']}) |{' |' * (len(titles) - 2)}")
    for count in COUNTS:
        ways = ["ours", *(f"{name}, {from_}" for name in RIVALS for from_ in WAYS)]
        lines.append(f"| {count} | {' | '.join(errors[f'{count} {way}'] for way in ways)} |")
    return "\n".join(lines)


def small_photo(path: Path) -> np.ndarray:
    """(H, W, 3) uint8 of short side `HINT_SIDE`, or less."""
    rgb = read_rgb8(path)
    scale = min(1.0, HINT_SIDE / min(rgb.shape[:2]))
    image = torch.from_numpy(rgb).permute(2, 0, 1)[None].float()
    sides = tuple(round(side * scale) for side in rgb.shape[:2])
    return resized(image, sides)[0].permute(1, 2, 0).round().byte().numpy()


def measure(photos: list[np.ndarray], colorizer: ChromaColorizer) -> dict[str, list[float]]:
    """CIEDE2000 of each photo, by number of hints and by how they are spread."""
    rows, random = defaultdict(list), np.random.default_rng(0)
    for rgb in photos:
        truth, gray = to_lab(rgb), gray_of(rgb, colorizer)
        plain = to_lab(colorizer.colorize(gray).pixels)
        rows["no hints"].append(error(plain, truth))
        rows["gray"].append(error(with_chroma(truth, 0 * truth[0, 1:]), truth))
        for count in COUNTS:
            places = np.stack([random.integers(0, side, count) for side in rgb.shape[:2]])
            hints = [Hint(x, y, "#" + rgb[y, x].tobytes().hex()) for y, x in places.T.tolist()]
            hinted = to_lab(colorizer.colorize(gray, hints).pixels)
            rows[f"{count} ours"].append(error(hinted, truth))
            both = torch.cat([truth[0, 1:], (truth - plain)[0, 1:]]).numpy()
            for name, spread in (("nearest", nearest), ("Levin", levin)):
                made = spread(both, places, truth[0, 0].numpy() / 100)
                alone, changes = torch.from_numpy(made).float().chunk(2)
                rows[f"{count} {name}, alone"].append(error(with_chroma(truth, alone), truth))
                changed = with_chroma(truth, plain[0, 1:] + changes)
                rows[f"{count} {name}, changes"].append(error(changed, truth))
    return rows


def gray_of(rgb: np.ndarray, colorizer: ChromaColorizer) -> Photo:
    """The gray photo of equal lightness."""
    samples = torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255
    lightness = colorizer.space.lightness(samples)
    gray = colorizer.space.merge(lightness, torch.zeros_like(samples[:, 1:]))
    return Photo((255 * gray[0, :1]).round().byte().permute(1, 2, 0).numpy().copy())


def nearest(chroma: np.ndarray, places: np.ndarray, _: np.ndarray) -> np.ndarray:
    """Each pixel as the nearest place: chroma (C, h, w), places (2, n)."""
    grid = np.indices(chroma.shape[1:])
    distance = ((grid[:, None] - places[..., None, None]) ** 2).sum(axis=0)
    return chroma[:, places[0], places[1]][:, distance.argmin(axis=0)]


def levin(chroma: np.ndarray, places: np.ndarray, lightness: np.ndarray) -> np.ndarray:
    """Each pixel a weighted mean of its eight neighbors, those of like lightness most (their equation 2)."""
    height, width = lightness.shape
    index = np.pad(np.arange(height * width).reshape(height, width), 1, constant_values=-1)
    around = np.stack(
        [index[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width].ravel() for dy, dx in NEIGHBORS], axis=1
    )
    there, own = around >= 0, lightness.ravel()[:, None]
    levels = np.where(there, lightness.ravel()[around], own)
    differences = (levels - own) ** 2
    # As in their code: the variance, at least 2e-6, and such that the likest neighbor weighs 0.01 or more.
    variance = 0.6 * np.concatenate([levels, own], axis=1).var(axis=1)
    closest = np.where(there, differences, np.inf).min(axis=1)
    variance = np.maximum.reduce([variance, -closest / np.log(0.01), np.full_like(variance, 2e-6)])
    weights = there * np.exp(-differences / variance[:, None])
    weights /= weights.sum(axis=1, keepdims=True)
    known = places[0] * width + places[1]
    there[known] = False
    rows = np.repeat(np.arange(len(own)), len(NEIGHBORS))[there.ravel()]
    system = eye(len(own)) - csr_matrix((weights[there], (rows, around[there])), shape=(len(own),) * 2)
    right = np.zeros((len(own), len(chroma)))
    right[known] = chroma.reshape(len(chroma), -1)[:, known].T
    return splu(system.tocsc()).solve(right).T.reshape(chroma.shape)


def with_chroma(truth: Tensor, chroma: Tensor) -> Tensor:
    """Lab (1, 3, h, w) of true lightness and chroma (2, h, w)."""
    return torch.cat([truth[:, :1], chroma[None]], dim=1)


def to_lab(rgb: np.ndarray) -> Tensor:
    """(1, 3, h, w) of (h, w, 3) uint8."""
    return rgb_to_lab(torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255)


def error(lab: Tensor, truth: Tensor) -> float:
    """Mean CIEDE2000."""
    return float(ciede2000(lab, truth).mean())


if __name__ == "__main__":
    main()
