"""The tables of `bench_translate.py`, of the record that it writes."""

from collections.abc import Iterator
from typing import Any

from record import told

# Goals: shares of the speed of copying, times of torch's import, growth, gigabytes.
LARGE, SMALL, COLD, GROWTH, MEMORY, SCANS = 0.6, 0.4, 2, 0.2, 0.05, 2.5

Row = tuple[str, str, str, str, bool]  # work, compared to, goal, measured, whether that is met


def table(record: dict[str, Any]) -> str:
    """Where the figures come from, and a table for each kind of part that was run."""
    tables = [
        ("| work | compared to | goal | measured | |\n|---|--:|--:|--:|---|", [*work_rows(record)]),
        ("| part of the way (`stages`) | ms |\n|---|--:|", [*stage_rows(record)]),
        (
            "| `luma` | photos/s | MB | lightness off by, levels: mean | exceeded by 1 pixel in 1,000 |\n"
            "|---|--:|--:|--:|--:|",
            [*luma_rows(record)],
        ),
    ]
    return "\n\n".join([f"{told(record)}.", *("\n".join([header, *rows]) for header, rows in tables if rows)])


def work_rows(record: dict[str, Any]) -> Iterator[str]:
    """A row a goal."""
    rows = {
        "large": lambda of: speed(of, "large", LARGE),
        "small": lambda of: speed(of, "small", SMALL),
        "cold": cold,
        "growth": growth,
        "memory": memory,
        "scans": scans,
    }
    for name, row in rows.items():
        if name in record:
            *cells, met = row(record[name])
            yield f"| {' | '.join(cells)} | {'met' if met else 'missed'} |"


def speed(of: dict[str, Any], name: str, goal: float) -> Row:
    """Translating beside copying."""
    return (
        f"{of['photos']} gray JPEGs of {of['megapixels']} MP (`{name}`)",
        f"decoding and encoding as color JPEG: {of['copied']:.1f}/s",
        f"{goal} x",
        f"{of['ratio']:.2f} x ({of['translated']:.1f}/s; {of['least']:.2f} to {of['most']:.2f} "
        f"in {of['turns']} turns)",
        of["ratio"] >= goal,
    )


def cold(of: dict[str, float]) -> Row:
    """One photo beside the import of torch."""
    ratio = of["translate"] / of["import torch"]
    return (
        "one photo, from the shell (`cold`)",
        f"`import torch`: {of['import torch']:.2f} s",
        f"{COLD} x",
        f"{ratio:.2f} x ({of['translate']:.2f} s)",
        ratio <= COLD,
    )


def growth(of: dict[str, float]) -> Row:
    """Time a megapixel, which large photos should share."""
    last = [*of.values()][-3:]
    spread = max(last) / min(last) - 1
    return (
        "ms a megapixel, one worker (`growth`)",
        ", ".join(f"{size} MP {ms:.1f}" for size, ms in of.items()),
        f"{GROWTH:.0%}",
        f"the last {len(last)} within {spread:.0%}",
        spread <= GROWTH,
    )


def memory(of: dict[str, Any]) -> Row:
    """What is held early and late."""
    (early, first), (late, last) = of["MB"].items()
    return (
        f"{int(late):,} small files (`memory`)",
        f"after {int(early):,}: {first:.0f} MB",
        f"{MEMORY:.0%}",
        f"{last:.0f} MB, {last / first - 1:+.1%} ({of['files/s']:.0f} files/s)",
        last / first - 1 <= MEMORY,
    )


def scans(of: dict[str, Any]) -> Row:
    """The most memory, by the kind of scan."""
    return (
        f"most memory for a TIFF of {of['megapixels']} MP (`scans`)",
        "",
        f"{SCANS} GB",
        ", ".join(f"{kind} {peak:.2f} GB" for kind, peak in of["GB"].items()),
        max(of["GB"].values()) <= SCANS,
    )


def stage_rows(record: dict[str, Any]) -> Iterator[str]:
    """A row a stage: processor time on one core."""
    if of := record.get("stages"):
        yield f"| a gray JPEG of {of['megapixels']} MP, processor time on one core: | |"
        yield from (f"| {name} | {ms:.0f} |" for name, ms in of["ms"].items())


def luma_rows(record: dict[str, Any]) -> Iterator[str]:
    """A row a way to encode."""
    for way, of in record.get("luma", {}).items():
        yield f"| {way} | {of['photos/s']:.1f} | {of['MB']:.2f} | {of['mean']:.2f} | {of['exceeded']:.1f} |"
