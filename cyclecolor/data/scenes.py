"""Generated scenes: the embedded default. Unlimited, seeded, no download, no licence, known truth.

Every material has its own hue, its own texture, its own shape and place, and a lightness drawn from one
range for all: a gray level says nothing of the colour, what is where and how it is grained says all.
"""

from collections.abc import Callable

import numpy as np
import torch

from ..color import SPACES

Random = np.random.Generator
LIGHTNESS = (40.0, 70.0)  # L*, from which every material of every scene draws its base
JITTER_HUE, JITTER_CHROMA = 4.0, 0.08  # standard deviations per scene: degrees, and as a share


def render_scene(seed: int, index: int, *, size: int = 64) -> np.ndarray:
    """Render scene `index` of the series `seed`: (size, size, 3) uint8 sRGB, a pure function."""
    rng = np.random.default_rng((seed, index))
    scene = np.zeros((3, size, size), dtype=np.float32)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    horizon = rng.uniform(0.35, 0.6)
    paint(scene, "sky", y < horizon + 0.1, rng)
    if rng.random() < 0.7:
        paint(scene, "sun", disc(x, y, rng.uniform(0.1, 0.9), rng.uniform(0.08, 0.2), 0.08), rng)
    ground = "meadow" if rng.random() < 0.5 else "sand"
    shore = rng.uniform(horizon + 0.15, 0.85)
    paint(scene, "sea", y >= horizon, rng)
    paint(scene, ground, y >= shore + 0.04 * np.sin(6 * x + rng.uniform(0, 6)), rng)
    for side in rng.permutation(2)[: rng.integers(1, 3)]:
        center = 0.25 + 0.5 * side + rng.uniform(-0.06, 0.06)
        (house if rng.random() < 0.5 else tree)(scene, x, y, center, shore, rng)
    rgb = SPACES["lab"].fit_gamut(torch.from_numpy(scene)[None])[0]
    return (rgb * 255).round().byte().permute(1, 2, 0).numpy()


def house(scene: np.ndarray, x: np.ndarray, y: np.ndarray, center: float, floor: float, rng: Random):
    """Brick walls under a shingled gable."""
    half, eaves = rng.uniform(0.13, 0.18), floor - rng.uniform(0.12, 0.2)
    paint(scene, "brick", (abs(x - center) < half) & (y > eaves) & (y < floor + 0.06), rng)
    slope = (y - eaves + 0.22) / 0.22 * (half + 0.05)
    paint(scene, "roof", (y <= eaves) & (abs(x - center) < slope), rng)


def tree(scene: np.ndarray, x: np.ndarray, y: np.ndarray, center: float, floor: float, rng: Random):
    """A round crown of leaves on a trunk."""
    top = floor - rng.uniform(0.22, 0.32)
    paint(scene, "trunk", (abs(x - center) < 0.03) & (y > top) & (y < floor + 0.05), rng)
    paint(scene, "leaves", disc(x, y, center, top, rng.uniform(0.14, 0.19)), rng)


def paint(scene: np.ndarray, material: str, mask: np.ndarray, rng: Random) -> None:
    """Lay a material over the pixels of a mask, in Lab, in place."""
    hue, chroma, texture = MATERIALS[material]
    angle = np.deg2rad(hue + rng.normal(0, JITTER_HUE))
    chroma *= 1 + rng.normal(0, JITTER_CHROMA)
    lightness = rng.uniform(*LIGHTNESS) + texture(mask.shape[0], rng)
    scene[0][mask] = lightness[mask]
    scene[1][mask] = chroma * np.cos(angle)
    scene[2][mask] = chroma * np.sin(angle)


def disc(x: np.ndarray, y: np.ndarray, center_x: float, center_y: float, radius: float):
    """Mask of a disc; coordinates are shares of the side."""
    return (x - center_x) ** 2 + (y - center_y) ** 2 < radius**2


def smooth(size: int, rng: Random) -> np.ndarray:
    """A vertical gradient of lightness."""
    return np.linspace(-1, 1, size)[:, None] * np.ones(size) * rng.uniform(-6, 6)


def plain(size: int, rng: Random) -> np.ndarray:
    """No texture at all."""
    return np.zeros((size, size))


def waves(size: int, rng: Random) -> np.ndarray:
    """Horizontal ripples."""
    y, x = np.mgrid[0:size, 0:size]
    return 7 * np.sin(1.6 * y + 1.5 * np.sin(x * rng.uniform(0.15, 0.3)))


def strokes(size: int, rng: Random) -> np.ndarray:
    """Vertical blades, a few pixels long."""
    return np.repeat(rng.normal(0, 8, (size // 4 + 1, size)), 4, axis=0)[:size]


def grain(size: int, rng: Random) -> np.ndarray:
    """Fine grain, alike in all directions."""
    return rng.normal(0, 5, (size, size))


def bricks(size: int, rng: Random) -> np.ndarray:
    """Rows of bricks, every other one shifted, with light joints."""
    y, x = np.mgrid[0:size, 0:size]
    joints = (y % 4 == 0) | ((x + 3 * (y // 4 % 2)) % 6 == 0)
    return np.where(joints, 12.0, -3.0)


def shingles(size: int, rng: Random) -> np.ndarray:
    """Diagonal stripes."""
    y, x = np.mgrid[0:size, 0:size]
    return 8 * np.sign(np.sin(1.3 * (x + y)))


def blobs(size: int, rng: Random) -> np.ndarray:
    """Soft clumps of leaves."""
    return np.kron(rng.normal(0, 9, (size // 3 + 1, size // 3 + 1)), np.ones((3, 3)))[:size, :size]


# Material: hue angle in degrees and chroma in Lab units, texture of its lightness.
MATERIALS: dict[str, tuple[float, float, Callable[[int, Random], np.ndarray]]] = {
    "sky": (265, 34, smooth),
    "sun": (85, 55, plain),
    "sea": (215, 28, waves),
    "meadow": (125, 42, strokes),
    "sand": (75, 34, grain),
    "brick": (40, 45, bricks),
    "roof": (310, 36, shingles),
    "trunk": (60, 28, plain),
    "leaves": (145, 40, blobs),
}
