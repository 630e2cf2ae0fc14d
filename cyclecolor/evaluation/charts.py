"""Line charts as SVG, part of a page whose colors they follow, or files of their own."""

from collections.abc import Mapping, Sequence
from html import escape
from math import floor, isfinite, log10

WIDTH, HEIGHT = 420, 200  # units; the page scales them
LEFT, RIGHT, TOP, BOTTOM = 52, 18, 8, 22  # room for numbers, of which half the last stands right of its place
MOST_POINTS = 200  # of a line; more are averaged
TICKS = 4

Line = Sequence[tuple[float, float]]

# Of a picture that is a file of its own. Programs that show it outside of a browser know no variables: their
# first color is black.
STYLE = """<style>
svg { --line-1: #1668c7; --line-2: #d1495b; --line-3: #2a9d5c; --line-4: #8a5cd0; font: 13px sans-serif }
.page { fill: #fff } text { fill: #1a1a1a } .y { text-anchor: end; font-size: 11px }
.x { text-anchor: middle; font-size: 11px } .grid { stroke: #8884 }
.line { fill: none; stroke: #000; stroke-width: 1.8; stroke-linejoin: round; stroke-linecap: round }
</style>"""
HEAD, FOOT = 44, 24  # units of a picture above and below its chart


def line_chart(title: str, lines: Mapping[str, Line]) -> str:
    """A figure of lines by name, each (x, y) with rising x; the n-th is drawn in `--line-n`, from 1 on.

    Values that are not finite are left out. Without any, the chart is empty.
    """
    lines = {name: thinned([p for p in line if all(map(isfinite, p))]) for name, line in lines.items()}
    points = [point for line in lines.values() for point in line]
    drawn = _drawing(points, list(lines.values())) if points else ""
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}">{drawn}</svg></figure>\n'
    )


def line_picture(title: str, lines: Mapping[str, Line], x_label: str, x_end: float) -> str:
    """The same as a file of its own: SVG with a title and names of lines; x goes from 0 to `x_end`."""
    points = [point for line in lines.values() for point in line]
    points += [(x, points[0][1]) for x in (0, x_end) if points]
    drawn = _drawing(points, list(lines.values())) if points else ""
    keys = "".join(
        f'<tspan dx="{12 if number > 1 else 0}" style="fill:var(--line-{number})">{escape(name)}</tspan>'
        for number, name in enumerate(lines, 1)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEAD + HEIGHT + FOOT}" role="img" '
        f'aria-label="{escape(title)}">{STYLE}<rect class="page" width="100%" height="100%"/>'
        f'<text x="8" y="18">{escape(title)}</text><text x="8" y="36">{keys}</text>'
        f'<g transform="translate(0 {HEAD})">{drawn}</g>'
        f'<text class="x" x="{WIDTH / 2}" y="{HEAD + HEIGHT + FOOT / 2}">{escape(x_label)}</text></svg>\n'
    )


def thinned(line: Line) -> Line:
    """At most `MOST_POINTS` points: means of equally many neighbors."""
    each = -(-len(line) // MOST_POINTS)
    if each <= 1:
        return line
    parts = [line[i : i + each] for i in range(0, len(line), each)]
    return [tuple(sum(values) / len(part) for values in zip(*part, strict=True)) for part in parts]


def ticks(low: float, high: float) -> list[float]:
    """Round numbers within [low, high], about `TICKS` of them."""
    raw = (high - low) / TICKS
    power = 10.0 ** floor(log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)
    first = floor(low / step)
    return [i * step for i in range(first, first + 4 * TICKS) if low <= i * step <= high * (1 + 1e-9)]


def _drawing(points: Line, lines: Sequence[Line]) -> str:
    xs, ys = zip(*points, strict=True)
    (x_low, x_high), (y_low, y_high) = _range(xs), _range([min(0, *ys), *ys])

    def x_at(x: float) -> float:
        return LEFT + (x - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT)

    def y_at(y: float) -> float:
        return HEIGHT - BOTTOM - (y - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM)

    parts = []
    for y in ticks(y_low, y_high):
        parts.append(f'<path class="grid" d="M{LEFT} {y_at(y):.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text class="y" x="{LEFT - 5}" y="{y_at(y) + 4:.1f}">{y:g}</text>')
    for x in ticks(x_low, x_high):
        parts.append(f'<text class="x" x="{x_at(x):.1f}" y="{HEIGHT - 6}">{_count(x)}</text>')
    for number, line in enumerate(lines, 1):
        path = "L".join(f"{x_at(x):.1f} {y_at(y):.1f}" for x, y in line)
        dot = "h.01" if len(line) == 1 else ""  # with round ends, a point
        parts.append(
            f'<path class="line" style="stroke:var(--line-{number})" d="M{path}{dot}"/>' if path else ""
        )
    return "".join(parts)


def _range(values: Sequence[float]) -> tuple[float, float]:
    """Lowest and highest, apart."""
    low, high = min(values), max(values)
    return (low, high) if high > low else (low, low + max(abs(low), 1.0))


def _count(number: float) -> str:
    return f"{number / 1000:g}k" if abs(number) >= 10_000 else f"{number:g}"
