"""Generated scenes: the embedded default. Unlimited, seeded, no download, no license, known truth.

Every material has its own hue, texture, shape and place, and all draw their lightness from one range: a
gray level says nothing of the color, what stands where and how it is grained says it all.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

from ..color import lab_to_rgb

LIGHTNESS = (47.0, 75.0)  # L* of every material; wider, and sRGB cannot hold the chroma below
CONTRAST = (3.0, 6.0)  # standard deviation of the texture, in L*
HUE_SPREAD, CHROMA_SPREAD = 4.0, 0.06  # standard deviations per object: degrees, and a share
UNITS = 64  # patterns are as many units wide as a scene has pixels by default
GOLDEN = (math.sqrt(5) - 1) / 2


def render_scene(seed: int, index: int, *, size: int = 64) -> np.ndarray:
    """Render scene `index` of the series `seed`, a pure function of its arguments.

    Returns
    -------
    np.ndarray
        (size, size, 3) uint8 sRGB. Another size shows the same scene in more or less detail.
    """
    lab = torch.from_numpy(compose_scene(seed, index, size=size))
    rgb = lab_to_rgb(lab[None])[0].clamp(0, 1)
    return (rgb * 255).round().byte().permute(1, 2, 0).numpy()


def compose_scene(seed: int, index: int, *, size: int = 64) -> np.ndarray:
    """Scene `index` of the series `seed` in Lab: (3, size, size) float32, nearly all inside sRGB."""
    rng = np.random.default_rng((seed, index))
    canvas = Canvas(2 * size, rng)
    horizon = rng.uniform(0.4, 0.55)
    shore = horizon + rng.uniform(0.12, 0.22)
    sky(canvas, horizon)
    if rng.random() < 0.5:
        mountains(canvas, horizon)
    if rng.random() < 0.6:
        sea(canvas, horizon, shore)
    ground(canvas, shore)
    left = rng.uniform(0.17, 0.3)
    for center in (left, left + rng.uniform(0.42, 0.5))[: rng.integers(1, 3)]:
        (house, tree, fir)[rng.integers(3)](canvas, center, shore + rng.uniform(0.04, 0.14))
    return canvas.lab.reshape(3, size, 2, size, 2).mean(axis=(2, 4))  # antialiasing


class Canvas:
    """A Lab image under the brush.

    Attributes
    ----------
    lab : np.ndarray
        (3, side, side) float32, in Lab units.
    x, y : np.ndarray
        (side, side) float32, from the left and from the top, as shares of the side.
    rng : np.random.Generator
        Makes every choice of the scene.
    """

    def __init__(self, side: int, rng: np.random.Generator):
        self.lab = np.zeros((3, side, side), np.float32)
        self.y, self.x = (np.mgrid[:side, :side].astype(np.float32) + 0.5) / side
        self.rng = rng
        self._level = rng.random()

    def paint(self, material: str, mask: np.ndarray) -> None:
        """Lay a material over a mask (side, side): bool, or opacity in [0, 1]."""
        hue, chroma, texture = MATERIALS[material]
        hue = math.radians(hue + self.rng.normal(0, HUE_SPREAD))
        chroma *= 1 + self.rng.normal(0, CHROMA_SPREAD)
        lightness = self._next_lightness() + self.rng.uniform(*CONTRAST) * texture(self)
        color: tuple[float | np.ndarray, ...] = (lightness, chroma * math.cos(hue), chroma * math.sin(hue))
        for channel, value in zip(self.lab, color, strict=True):
            channel += mask * (value - channel)

    def _next_lightness(self) -> float:
        # The first is uniform in the range, and steps of the golden ratio, wrapped, keep every later
        # one uniform too; yet things painted in a row are never of the same lightness.
        self._level = (self._level + GOLDEN) % 1
        low, high = LIGHTNESS
        return low + (high - low) * self._level

    def disc(self, x: float, y: float, radius: float) -> np.ndarray:
        """Mask of a disc."""
        return (self.x - x) ** 2 + (self.y - y) ** 2 < radius**2

    def box(self, x: float, top: float, bottom: float, half: float) -> np.ndarray:
        """Mask of a rectangle `2 * half` wide around the vertical through `x`."""
        return (abs(self.x - x) < half) & (self.y > top) & (self.y < bottom)

    def triangle(self, x: float, tip: float, base: float, half: float) -> np.ndarray:
        """Mask of a triangle from a tip at height `tip` to a level base `2 * half` wide."""
        depth = (self.y - tip) / (base - tip)
        return (abs(self.x - x) < half * depth) & (depth < 1)

    def noise(self, rows: int, columns: int) -> np.ndarray:
        """Random field (side, side) float32, bilinear between (rows, columns) standard normal knots."""
        knots = self.rng.standard_normal((1, 1, rows, columns), dtype=np.float32)
        field = F.interpolate(torch.from_numpy(knots), self.x.shape, mode="bilinear")
        return field[0, 0].numpy()


# Things: masks of materials, from back to front.


def sky(canvas: Canvas, horizon: float) -> None:
    """Sky with, often, a sun, a cloud or two, and a balloon."""
    rng = canvas.rng
    canvas.paint("sky", np.ones_like(canvas.y))
    places = rng.permutation((0.17, 0.5, 0.83)) + rng.uniform(-0.05, 0.05, 3)
    things = (sun, cloud, balloon, cloud)
    chosen = rng.permutation(4)[: rng.integers(1, 4)]
    for x, thing in zip(places, chosen, strict=False):
        things[thing](canvas, float(x), rng.uniform(0.12, horizon - 0.26))


def sun(canvas: Canvas, x: float, y: float) -> None:
    """Disc with rays."""
    dx, dy = canvas.x - x, canvas.y - y
    rays = np.cos(10 * np.arctan2(dy, dx)) > 0.2
    disc, ring = canvas.disc(x, y, 0.068), canvas.disc(x, y, 0.125)
    canvas.paint("sun", disc | (rays & ring & ~canvas.disc(x, y, 0.085)))


def cloud(canvas: Canvas, x: float, y: float) -> None:
    """Puffs on a level base."""
    puffs = canvas.disc(x, y, 0.075)
    for side in (-1, 1):
        puffs |= canvas.disc(x + side * 0.085, y + 0.025, canvas.rng.uniform(0.04, 0.06))
    canvas.paint("cloud", puffs & (canvas.y < y + 0.05))


def balloon(canvas: Canvas, x: float, y: float) -> None:
    """Striped hot-air balloon with its basket."""
    canvas.paint("balloon", canvas.disc(x, y, 0.1) | canvas.triangle(x, y + 0.2, y + 0.05, 0.088))
    canvas.paint("wood", canvas.box(x, y + 0.15, y + 0.2, 0.028))


def mountains(canvas: Canvas, horizon: float) -> None:
    """Range of peaks on the horizon."""
    rng = canvas.rng
    peaks = np.zeros(canvas.x.shape, bool)
    for x in (0.15, 0.5, 0.85):
        top = horizon - rng.uniform(0.08, 0.2)
        peaks |= canvas.triangle(x + rng.uniform(-0.1, 0.1), top, horizon + 0.3, 0.7)
    canvas.paint("mountain", peaks)


def sea(canvas: Canvas, horizon: float, shore: float) -> None:
    """Sea and, often, a sailing boat."""
    canvas.paint("sea", canvas.y > horizon)
    if canvas.rng.random() < 0.6:
        x, deck = canvas.rng.uniform(0.15, 0.85), (horizon + shore) / 2
        canvas.paint("sail", canvas.triangle(x, deck - 0.2, deck - 0.02, 0.09))
        canvas.paint("wood", canvas.box(x, deck, deck + 0.04, 0.11 - (canvas.y - deck)))


def ground(canvas: Canvas, shore: float) -> None:
    """Rolling meadow, or sand."""
    waves = 0.03 * np.sin(6 * canvas.x + canvas.rng.uniform(0, 2 * math.pi))
    canvas.paint("meadow" if canvas.rng.random() < 0.5 else "sand", canvas.y > shore + waves)


def house(canvas: Canvas, x: float, floor: float) -> None:
    """Brick walls with a door under a shingled gable."""
    half = canvas.rng.uniform(0.13, 0.17)
    eaves = floor - canvas.rng.uniform(0.16, 0.2)
    canvas.paint("brick", canvas.box(x, eaves, floor, half))
    canvas.paint("roof", canvas.triangle(x, eaves - 0.2, eaves + 0.02, half + 0.06))
    canvas.paint("wood", canvas.box(x, floor - 0.11, floor, 0.035))


def tree(canvas: Canvas, x: float, floor: float) -> None:
    """Round crown of leaves on a trunk."""
    top = floor - canvas.rng.uniform(0.26, 0.32)
    canvas.paint("wood", canvas.box(x, top, floor, 0.028))
    crown = canvas.disc(x, top, 0.12)
    for side in (-1, 1):
        crown |= canvas.disc(x + side * 0.08, top + 0.05, 0.085)
    canvas.paint("leaves", crown)


def fir(canvas: Canvas, x: float, floor: float) -> None:
    """Three tiers of needles on a trunk."""
    canvas.paint("wood", canvas.box(x, floor - 0.08, floor, 0.028))
    tiers = [canvas.triangle(x, floor - t - 0.17, floor - t, 0.21 - 0.4 * t) for t in (0.05, 0.15, 0.25)]
    canvas.paint("leaves", np.logical_or.reduce(tiers))


# Textures: functions of the canvas to fields (side, side) of about zero mean and unit variance.

Texture = Callable[[Canvas], np.ndarray]


def plain(canvas: Canvas) -> np.ndarray:
    """No texture."""
    return np.zeros_like(canvas.x)


def gradient(canvas: Canvas) -> np.ndarray:
    """Lighter from the zenith to the horizon."""
    return 4 * canvas.y - 1


def bricks(canvas: Canvas) -> np.ndarray:
    """Courses of bricks between joints, every other one shifted."""
    x, y = UNITS * canvas.x, UNITS * canvas.y
    joints = (y % 4 < 1) | ((x + 3 * (y // 4 % 2)) % 6 < 1)
    return np.where(joints, np.float32(2), np.float32(-0.6))


def noise(rows: int, columns: int) -> Texture:
    """Make a texture of random patches, `rows` by `columns` of them to the scene."""
    # Between its knots a bilinear field has two thirds of their standard deviation.
    return lambda canvas: 1.5 * canvas.noise(rows, columns)


def waves(right: float, down: float, *, bend: float = 0.0) -> Texture:
    """Make a texture of crests, so many per unit to the right and down, bent by `bend` radians."""

    def texture(canvas: Canvas) -> np.ndarray:
        turns = UNITS * (right * canvas.x + down * canvas.y)
        return math.sqrt(2) * np.sin(2 * math.pi * turns + bend * canvas.noise(6, 6))

    return texture


# Hue angle in degrees and chroma, both of Lab; texture of the lightness.
MATERIALS: dict[str, tuple[float, float, Texture]] = {
    "sky": (264, 34, gradient),
    "cloud": (264, 5, noise(8, 8)),
    "sun": (86, 58, plain),
    "balloon": (352, 42, waves(1 / 4, 0)),
    "mountain": (298, 28, waves(1 / 11, -1 / 22, bend=1)),
    "sea": (190, 28, waves(0, 1 / 4.5, bend=1.5)),
    "sail": (264, 5, plain),
    "meadow": (124, 44, noise(10, 64)),  # upright blades
    "sand": (72, 42, noise(64, 64)),  # fine grains
    "brick": (38, 43, bricks),
    "roof": (318, 40, waves(1 / 5, 1 / 5)),  # shingles
    "leaves": (142, 44, noise(21, 21)),
    "wood": (60, 32, plain),
}
