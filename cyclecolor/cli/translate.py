"""`cyclecolor translate`."""

import logging
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from ..errors import CycleColorError
from ..files import shown
from ..storage import Address, Location
from .collection import Ways, collection_of, do_collection, is_of_tars, places
from .destinations import files_for
from .group import Command, device_option
from .jobs import do_jobs, jobs_of
from .paths import OutputLocation, UserLocation, UserPath, found
from .streams import INPUT, STREAM, standard_input, standard_output

FORMATS = {name: name for name in ("jpg", "png", "tif", "webp", "avif", "jxl", "bmp")}
FORMATS |= {"jpeg": "jpg", "tiff": "tif"}

logger = logging.getLogger("cyclecolor")


@click.command(cls=Command)
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...", type=UserLocation())
@click.option(
    "-o",
    "--output",
    type=OutputLocation(),
    help="File, folder or address (s3://...) to write. [SOURCE_color, next to SOURCE]",
)
@click.option(
    "-c",
    "--checkpoint",
    type=UserPath(),
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
    help="Working size: short side, in pixels, of the copy that the network sees. [the checkpoint's]",
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
    type=UserPath(),
    help='Hints of a folder\'s photos, as JSON: {"a.jpg": ["120,340=#a03020"]}.',
)
@click.option(
    "--reference",
    "reference_path",
    type=UserPath(),
    metavar="PHOTO",
    help="A color photo whose colors are to be followed where it shows the like.",
)
@click.option("--doubt", is_flag=True, help="Also write maps of where the network is unsure, and doubt.csv.")
@click.option(
    "--format",
    "suffix",
    type=click.Choice(list(FORMATS), case_sensitive=False),
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
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Who does the work: this process, or the workers of a Ray cluster.",
)
@click.option("--report", is_flag=True, help="Write report.html, a page with each photo before and after.")
@click.option(
    "--overwrite", is_flag=True, help="Make everything again, and replace files that cyclecolor did not make."
)
@device_option
def translate(
    sources: tuple[Location, ...],
    output: Location | None,
    checkpoint: Path | None,
    direction: str,
    suffix: str | None,
    hint_texts: tuple[str, ...],
    hints_path: Path | None,
    reference_path: Path | None,
    provenance: bool,
    shard: str | None,
    engine: str,
    report: bool,
    device: str | None,
    **options: Any,
) -> None:
    """Color photos and folders of photos, at full size.

    Originals are only read. For a folder, manifest.jsonl in the output says what became of each photo, and
    the same command again does only what is missing or changed. Several computers can share a folder: use
    `--shard 1/2` on one and `--shard 2/2` on the other. When both are done, the command without --shard does
    what is missing and joins their manifests.

    As SOURCE and as output, `-` is standard input and output. A SOURCE in object storage (s3://bucket/in) is
    one folder; its manifest is manifest.parquet. So is a tar of photos, or a folder of tars.
    """
    import cv2

    from ..hardware import keep_memory, pick_device
    from ..inference import load
    from ..translation import Options, Shard, collect_hints, provenance_of, read_reference

    if shard is not None and report:
        raise CycleColorError(
            "--report shows all parts: use it at the end, in a command without --shard", exit_code=2
        )
    suffix = f".{FORMATS[suffix.lower()]}" if suffix else None
    is_collection = engine != "local" or any(isinstance(place, Address) for place in (*sources, output))
    is_collection = is_collection or any(map(is_of_tars, sources))
    with ExitStack() as streams:
        photos: Sequence[Any]
        target: Any
        if is_collection:
            *photos, target = places(sources, output, direction.removeprefix("to-"), report=report)
        else:
            photos, target = _streamed(sources, output, suffix, streams)  # type: ignore[arg-type]  # paths
        if (hint_texts or hints_path) and len(photos) > 1:
            raise CycleColorError("hints are for one photo or one folder; leave the others out", exit_code=2)
        hints = collect_hints(photos[0], hint_texts, hints_path) if len(photos) == 1 else {}
        keep_memory(giant_blocks=False)
        cv2.setNumThreads(1)  # cores are kept busy by photos side by side
        look = {name: options.pop(name) for name in ("size", "saturation", "denoise", "flip_average")}
        colorizer = load(checkpoint, device=pick_device("cpu" if engine == "ray" else device), **look)
        options = {name: value for name, value in options.items() if value is not None}
        settings = Options(
            direction=direction,
            suffix=suffix,
            reference=read_reference(reference_path, colorizer, options.get("max_pixels")),
            provenance=provenance_of(colorizer, direction, reference_path) if provenance else None,
            shard=None if shard is None else Shard.parse(shard),
            **options,
        )
        if is_collection:
            ends, ways = (photos[0], target), Ways(engine, options.get("workers"), device, checkpoint, look)
            code = do_collection(collection_of(ends, ways, colorizer, settings, hints))
        else:
            jobs = jobs_of(photos, target, colorizer, settings, hints, report=report)
            names = {shown(photos[0]): INPUT} if sources[0] == STREAM else {}
            code = do_jobs(jobs, names, report=report)
    sys.exit(code)


def _streamed(
    sources: tuple[Path, ...], output: Path | None, suffix: str | None, streams: ExitStack
) -> tuple[list[Path], Path | None]:
    """Sources and output, with files in the place of standard input and output."""
    if STREAM not in sources and output != STREAM:
        return found(sources), output
    if len(sources) > 1:
        raise CycleColorError("- is for one photo; leave the other paths out", exit_code=2)
    photos = [streams.enter_context(standard_input())] if sources[0] == STREAM else found(sources)
    if len(photos) > 1 or photos[0].is_dir():
        raise CycleColorError("--output - is for one photo; name a folder", exit_code=2)
    if output in (None, STREAM):
        logger.setLevel(logging.WARNING)  # nothing but the photo goes to standard output
        target = files_for(photos, None, "color", suffix)[0]
        output = streams.enter_context(standard_output(target.suffix))
    return photos, output
