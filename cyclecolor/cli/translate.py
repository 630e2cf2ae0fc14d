"""`cyclecolor translate`."""

import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from ..errors import CycleColorError
from .group import Command, device_option
from .progress import progress_bar


@click.command(cls=Command)
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Where to write. [SOURCE_color, next to SOURCE]"
)
@click.option(
    "-c",
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="A checkpoint file, a run folder, or the name of a released checkpoint. [default]",
)
@click.option(
    "--direction",
    type=click.Choice(["to-color", "to-gray"]),
    default="to-color",
    show_default=True,
    help="Color gray photos, or make color photos look like the scans that were trained on.",
)
@click.option(
    "--size",
    type=click.IntRange(16),
    help="Working size: short side, in pixels, of the copy that the network sees. [that of training]",
)
@click.option(
    "--saturation",
    type=click.FloatRange(0, 4),
    help="How strong colors are: 0 is gray, above 1 is stronger. [the checkpoint's]",
)
@click.option(
    "--denoise", is_flag=True, help="Take strong grain away from what the network sees, and only there."
)
@click.option("--flip-average", is_flag=True, help="Steadier colors, at twice the network's time.")
@click.option(
    "--hint",
    "hint_texts",
    multiple=True,
    metavar="X,Y=COLOR",
    help="The color at a pixel of the upright photo: 120,340=#a03020, or 300,80=sky:#6fa8dc. Again for more.",
)
@click.option(
    "--hints",
    "hints_path",
    type=click.Path(path_type=Path),
    help='Hints of a folder\'s photos, as JSON: {"a.jpg": ["120,340=#a03020"]}.',
)
@click.option("--doubt", is_flag=True, help="Also write maps of where the network is unsure, and doubt.csv.")
@click.option(
    "--format",
    "suffix",
    type=click.Choice(["jpg", "png", "tif", "webp", "avif", "jxl", "bmp"]),
    help="File format of the outputs. [that of each input]",
)
@click.option(
    "--quality",
    type=click.IntRange(1, 100),
    default=95,
    show_default=True,
    help="Quality of JPEG, WebP and AVIF files.",
)
@click.option(
    "--subsampling",
    type=click.Choice(["4:4:4", "4:2:2", "4:2:0"]),
    default="4:4:4",
    show_default=True,
    help="How finely JPEG and AVIF store color: 4:4:4 at full size, 4:2:0 in the smallest files.",
)
@click.option(
    "--lossless-luma", is_flag=True, help="Copy the gray of a gray JPEG bit by bit, and add only color."
)
@click.option(
    "--provenance/--no-provenance",
    default=True,
    help="Say in the metadata that colors are inferred, and by which checkpoint.",
)
@click.option(
    "--max-pixels", type=click.IntRange(1), help="Refuse photos with more pixels than this. [200000000]"
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    help="How many photos to work on at the same time. [one for each core]",
)
@click.option(
    "--shard", metavar="I/N", help="Do only part I of N of the folder, while other computers do the others."
)
@click.option("--report", is_flag=True, help="Write report.html, a page with each photo before and after.")
@click.option(
    "--overwrite", is_flag=True, help="Make everything again, and replace files that cyclecolor did not make."
)
@device_option
def translate(
    source: Path,
    output: Path | None,
    checkpoint: Path | None,
    direction: str,
    suffix: str | None,
    hint_texts: tuple[str, ...],
    hints_path: Path | None,
    provenance: bool,
    shard: str | None,
    report: bool,
    device: str | None,
    **options: Any,
) -> None:
    """Color SOURCE, a photo or a folder of photos, at full size.

    Originals are only read. For a folder, manifest.jsonl in the output says what became of each photo, and
    the same command again does only what is missing or changed. Several computers can share a folder: use
    `--shard 1/2` on one and `--shard 2/2` on the other. When both are done, the command without --shard does
    what is missing and joins their manifests.
    """
    import cv2

    from ..hardware import pick_device
    from ..inference import load
    from ..translation import Job, Options, Shard, collect_hints, provenance_of, write_report

    if shard is not None and report:
        raise CycleColorError(
            "--report shows all parts: use it at the end, in a command without --shard", exit_code=2
        )
    if not source.exists():
        raise CycleColorError(f"{source}: no such file or folder; check the path", exit_code=2)
    hints = collect_hints(source, hint_texts, hints_path)
    cv2.setNumThreads(1)  # cores are kept busy by photos side by side
    look = {name: options.pop(name) for name in ("size", "saturation", "denoise", "flip_average")}
    colorizer = load(checkpoint, device=pick_device(device), **look)
    settings = Options(
        direction=direction,
        suffix=f".{suffix}" if suffix else None,
        provenance=provenance_of(colorizer, direction) if provenance else None,
        shard=None if shard is None else Shard.parse(shard),
        **{name: value for name, value in options.items() if value is not None},
    )
    output = output or _sibling(source, direction.removeprefix("to-"), suffix)
    job = Job(source, output, colorizer, settings, hints)
    counts, lumas, notes = {"translated": 0, "skipped": 0, "refused": 0}, Counter[str](), Counter[str]()
    with (
        _stoppable() as stopped,
        progress_bar(total=len(job.tasks), unit=" photos", leave=len(job.tasks) > 1) as bar,
    ):
        for outcome in job.run(stop=stopped):
            counts[outcome.status] += 1
            lumas[outcome.luma] += 1
            notes.update({"lost": bool(outcome.lost), "warnings": bool(outcome.warnings)})
            for note in () if job.manifest else outcome.notes:
                bar.write(note)
            bar.set_postfix(refused=counts["refused"], refresh=False)
            bar.update()
            if outcome.status == "refused":
                bar.write(f"refused: {outcome.reason}", file=sys.stderr)
    if report and job.manifest:
        records = job.manifest.records.values()
        click.echo(f"report: {write_report(job.output, source, records, progress=progress_bar)}")
    for kind, count in job.passed_over.most_common():
        click.echo(f"passed over: {count} {kind}")
    for kind, words in (("lost", "that lost some metadata"), ("warnings", "read with a warning")):
        if job.manifest and notes[kind]:
            click.echo(f'photos {words}: {notes[kind]}; see "{kind}" in {job.manifest.path}')
    if settings.lossless_luma:
        click.echo(f"luma of gray JPEGs kept: {lumas['kept']}, encoded again: {lumas['encoded anew']}")
    click.echo(", ".join(f"{count} {status}" for status, count in counts.items()) + f": {job.output}")
    left = len(job.tasks) - sum(counts.values())
    if left:
        click.echo(f"stopped with {left} photos to go; the same command continues from here")
    sys.exit(stopped() or (1 if counts["refused"] else 0))


def _sibling(source: Path, word: str, suffix: str | None) -> Path:
    """`scans` to `scans_color`, `a.jpg` to `a_color.jpg`."""
    from ..translation import output_name

    source = source.resolve()
    if source.is_dir():
        return source.with_name(f"{source.name}_{word}")
    name = Path(output_name(source.name, suffix and f".{suffix}"))
    return source.with_name(f"{name.stem}_{word}{name.suffix}")


@contextmanager
def _stoppable() -> Iterator[Callable[[], int]]:
    """A function that gives 0, or once somebody asked to stop, the exit code for it (130 for Ctrl-C)."""
    code = 0

    def ask(number: int, frame: object) -> None:
        nonlocal code
        if code:
            os._exit(code)
        code = 128 + number
        click.echo("\nfinishing the photos being worked on; press Ctrl-C again to stop at once", err=True)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: code
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
