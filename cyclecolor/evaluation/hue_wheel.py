"""A wheel of hues as SVG: how much color lies at which hue."""

from collections.abc import Mapping
from html import escape
from math import cos, pi, sin

import torch
from torch import Tensor

from ..color import SPACES
from .charts import STYLE

HUES = 36  # sectors
MARGIN, RADIUS = 40, 150  # units
RING = (65.0, 45.0)  # lightness and chroma of the colors around it


def hue_bin(lab: Tensor) -> Tensor:
    """The sector of the wheel, 0 to `HUES` - 1, of each pixel of Lab (N, 3, H, W): (N, H, W)."""
    turn = torch.atan2(lab[:, 2], lab[:, 1]) / (2 * pi) % 1
    return (turn * HUES).long().clamp(max=HUES - 1)


def hue_wheel(hues: Mapping[str, Tensor]) -> str:
    """How much color lies at which hue: SVG of closed curves, the n-th drawn in `--line-n`.

    Parameters
    ----------
    hues : mapping of str to Tensor
        By name, (HUES,): sums of chroma. All are drawn at one scale.
    """
    highest = max(float(sums.max()) for sums in hues.values()) or 1.0
    middle = MARGIN + RADIUS
    ring = "".join(_ring_part(i, middle) for i in range(HUES))
    curves = ""
    for number, sums in enumerate(hues.values(), 1):
        places = [_at(i, RADIUS * float(value) / highest, middle) for i, value in enumerate(sums)]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        curves += f'<path class="line" style="stroke:var(--line-{number})" d="M{path}Z"/>'
    side = 2 * middle
    keys = "".join(
        f'<text x="{MARGIN}" y="{side + 16 * number}" style="fill:var(--line-{number})">{escape(name)}</text>'
        for number, name in enumerate(hues, 1)
    )
    title, view = "Chroma by hue", f"0 0 {side} {side + 16 * len(hues) + 8}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{view}" role="img" '
        f'aria-label="{title}">{STYLE}<rect class="page" width="100%" height="100%"/>'
        f'<text x="{MARGIN}" y="18">{title} (a* to the right, b* up)</text>{ring}{curves}{keys}</svg>\n'
    )


def _ring_part(sector: int, middle: float) -> str:
    """The color of a hue, outside of the curves."""
    angle = 2 * pi * (sector + 0.5) / HUES
    lab = torch.tensor([RING[0], RING[1] * cos(angle), RING[1] * sin(angle)]).view(1, 3, 1, 1)
    red, green, blue = (SPACES["lab"].fit_gamut(lab) * 255).round().long().flatten().tolist()
    (x1, y1), (x2, y2) = (_at(sector + offset, RADIUS + 6, middle) for offset in (-0.5, 0.5))
    return (
        f'<path d="M{x1:.1f} {y1:.1f}A{RADIUS + 6} {RADIUS + 6} 0 0 0 {x2:.1f} {y2:.1f}" '
        f'style="fill:none;stroke-width:10;stroke:rgb({red},{green},{blue})"/>'
    )


def _at(sector: float, radius: float, middle: float) -> tuple[float, float]:
    """The place of a sector's middle at a radius."""
    angle = 2 * pi * (sector + 0.5) / HUES
    return middle + radius * cos(angle), middle - radius * sin(angle)
