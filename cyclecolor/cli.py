"""The command line. Heavy imports wait inside the commands, so that `--help` answers at once."""

import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from .errors import CycleColorError


class _Commands(click.Group):
    """Turns a `CycleColorError` into one line and its exit code."""

    def invoke(self, context: click.Context):
        try:
            return super().invoke(context)
        except CycleColorError as error:
            click.echo(f"cyclecolor: {error}", err=True)
            context.exit(error.exit_code)
        except KeyboardInterrupt:
            context.exit(130)
        except (MemoryError, RuntimeError) as error:
            if not _out_of_memory(error):
                raise
            click.echo(
                "cyclecolor: too little memory; lower batch_size or data.size (or --size), or close programs",
                err=True,
            )
            context.exit(1)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cyclecolor")
def main():
    """Colour photographs without pairs."""


@main.command()
@click.argument("experiment", type=click.Path(path_type=Path))
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a setting.")
@click.option("--run-dir", type=click.Path(path_type=Path), help="Where to keep the run [runs/NAME].")
@click.option("--fresh", is_flag=True, help="Start over; the old run is moved aside, not deleted.")
def train(experiment: Path, overrides: tuple[str, ...], run_dir: Path | None, fresh: bool):
    """Train EXPERIMENT (a TOML file); the same command again goes on where it was."""
    from .config import load_experiment
    from .training import Interrupted, processes, show_result
    from .training import train as train_run

    settings = load_experiment(experiment, overrides)
    run_dir = run_dir or Path("runs") / settings.name
    with processes.joined():
        if fresh and processes.first():
            _set_aside(run_dir)
        try:
            checkpoint = train_run(settings, run_dir, say=click.echo)
        except Interrupted as interrupted:
            if processes.first():
                click.echo(f"stopped and saved in {run_dir}; the same command goes on from here")
            sys.exit(interrupted.exit_code)
        if processes.first():
            show_result(settings, run_dir, checkpoint, say=click.echo)


@main.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="[SOURCE_color beside SOURCE]")
@click.option("-c", "--checkpoint", type=click.Path(path_type=Path), help="File or run folder.")
@click.option("--direction", type=click.Choice(["to-color", "to-gray"]), default="to-color")
@click.option("--size", type=click.IntRange(16), help="Short side that the network sees, in pixels.")
@click.option("--vividness", type=click.FloatRange(0, 4), help="Factor of chroma [the checkpoint's]")
@click.option(
    "--denoise", is_flag=True, help="Take strong grain away from what the network sees, and only there."
)
@click.option("--flip-average", is_flag=True, help="Steadier colors, at twice the network's time.")
@click.option(
    "--confidence", is_flag=True, help="Also write maps of where the network is unsure, and doubt.csv."
)
@click.option(
    "--format",
    "suffix",
    type=click.Choice(["jpg", "png", "tif", "webp", "avif", "bmp"]),
    help="[as the input]",
)
@click.option(
    "--quality", type=click.IntRange(1, 100), default=95, show_default=True, help="Not of PNG or TIFF."
)
@click.option(
    "--subsampling", type=click.Choice(["4:4:4", "4:2:2", "4:2:0"]), default="4:4:4", show_default=True
)
@click.option("--lossless-luma", is_flag=True, help="Of a gray JPEG keep every bit, and add chroma alone.")
@click.option("--provenance/--no-provenance", default=True, help="Say in the metadata who made the colors.")
@click.option(
    "--max-pixels", type=click.IntRange(1), help="Refuse photos with more, before decoding [200000000]"
)
@click.option("--workers", type=click.IntRange(1), help="Photos in hand at a time [the number of cores]")
@click.option("--shard", metavar="I/N", help="Do the I-th of N parts of a folder, beside other jobs.")
@click.option("--report", is_flag=True, help="Write report.html: before and after of each photo of a folder.")
@click.option("--overwrite", is_flag=True, help="Make everything anew, and replace files that are not ours.")
def translate(source, output, checkpoint, direction, suffix, provenance, shard, report, **options):
    """Translate SOURCE, a photo or a folder of photos, at full size.

    A folder's output has a manifest.jsonl; the same command again does only what is missing or changed.
    Machines can share a folder that does not change meanwhile: `--shard 1/2` here, `--shard 2/2` there; then
    the command without it does what may be missing, and makes one manifest of all.
    """
    from tqdm import tqdm

    from .inference import Job, Options, Shard, load, provenance_of, write_report

    if shard is not None and report:
        raise CycleColorError("--report is of all parts: ask for it afterwards, without --shard", exit_code=2)
    if not source.exists():
        raise CycleColorError(f"{source}: no such file or folder", exit_code=2)
    look = {name: options.pop(name) for name in ("size", "vividness", "denoise", "flip_average")}
    colorizer = load(checkpoint, **look)
    options = Options(
        direction=direction,
        suffix=f".{suffix}" if suffix else None,
        provenance=provenance_of(colorizer, direction) if provenance else None,
        shard=None if shard is None else Shard.parse(shard),
        **{name: value for name, value in options.items() if value is not None},
    )
    job = Job(source, output or _sibling(source, direction.removeprefix("to-"), suffix), colorizer, options)
    counts, lumas = {"translated": 0, "skipped": 0, "refused": 0}, Counter()
    with (
        _stoppable() as stopped,
        tqdm(total=len(job.tasks), unit=" photos", disable=len(job.tasks) == 1) as bar,
    ):
        for outcome in job.run(stop=stopped):
            counts[outcome.status] += 1
            lumas[outcome.luma] += 1
            bar.set_postfix(refused=counts["refused"], refresh=False)
            bar.update()
            if outcome.status == "refused":
                bar.write(f"refused: {outcome.reason}", file=sys.stderr)
    if report and job.manifest:
        click.echo(
            f"report: {write_report(job.output, source, job.manifest.records.values(), progress=tqdm)}"
        )
    for kind, count in job.passed_over.most_common():
        click.echo(f"passed over as no photos: {count} {kind}")
    if options.lossless_luma:
        click.echo(f"luma of gray JPEGs kept: {lumas['kept']}; encoded anew: {lumas['encoded anew']}")
    click.echo(", ".join(f"{count} {status}" for status, count in counts.items()) + f": {job.output}")
    left = len(job.tasks) - sum(counts.values())
    if left:
        click.echo(f"stopped with {left} to go; the same command goes on from here")
    sys.exit(stopped() or (1 if counts["refused"] else 0))


@main.command()
@click.argument("photos", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option("--test-share", type=click.FloatRange(0, 0.9), default=0.05, show_default=True)
@click.option(
    "--gray-share",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Of the photos to train on, those for the gray pile.",
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--film", help="Grays as this built-in film shows them [their lightness].")
def prepare(photos, output, test_share, gray_share, seed, film):
    """Split a folder of colour PHOTOS into unpaired piles."""
    from tqdm import tqdm

    from .data.prepare import prepare as prepare_piles

    result = prepare_piles(
        photos,
        output,
        test_share=test_share,
        gray_share=gray_share,
        seed=seed,
        film=film,
        progress=lambda paths: tqdm(paths, unit=" photos"),
    )
    for name, count in result.counts.items():
        click.echo(f"{count:6,} {name}")
    click.echo(f"{len(result.set_aside):6,} set aside, listed in {output / 'set_aside.csv'}")
    click.echo(f"next: cyclecolor train experiments/photos.toml --set data.root={output}")


@main.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--color", type=click.Path(path_type=Path), required=True, help="The truth.")
@click.option("--gray", type=click.Path(path_type=Path), help="Scans of equal names [the truth's lightness].")
@click.option("--film", help="Score grays that this built-in film makes of the truth.")
@click.option("--pile", type=click.Path(path_type=Path), help="Colour photos to compare the colours to.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the scores here.")
@click.option("--sheet", type=click.Path(path_type=Path), help="Write a contact sheet (PNG) here.")
@click.option("--perceptual", is_flag=True, help="Score LPIPS, FID and KID too, with weights that you got.")
def evaluate(checkpoint, color, gray, film, pile, json_path, sheet, perceptual):
    """Score CHECKPOINT on photos of known colour, beside doing nothing."""
    from .evaluation.report import evaluate_folder

    evaluate_folder(
        checkpoint,
        color,
        gray=gray,
        film=film,
        pile=pile,
        json_path=json_path,
        sheet_path=sheet,
        perceptual=perceptual,
        say=click.echo,
    )


@main.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--color", type=click.Path(path_type=Path), required=True, help="Colour photos.")
@click.option("--gray", type=click.Path(path_type=Path), help="Real scans, to compare fine detail to.")
@click.option("--film", help="The built-in film that the gray pile was made with [lightness].")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the figures here.")
def audit(checkpoint, color, gray, film, json_path):
    """Test whether CHECKPOINT's cycle is honest, or hides colour in gray images; 1 if it fails."""
    from .evaluation.report import audit_folder

    passed = audit_folder(checkpoint, color, gray=gray, film=film, json_path=json_path, say=click.echo)
    sys.exit(0 if passed else 1)


@main.command()
@click.argument("gray", type=click.Path(path_type=Path))
@click.argument("color", type=click.Path(path_type=Path))
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all findings here.")
def doctor(gray, color, json_path):
    """Examine the piles GRAY and COLOR before training: bad files, twins, the gap between them."""
    from tqdm import tqdm

    from .evaluation.report import doctor_folders

    doctor_folders(
        gray,
        color,
        json_path=json_path,
        progress=lambda paths: tqdm(paths, unit=" photos", leave=False),
        say=click.echo,
    )


@main.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
def info(checkpoint):
    """Say what CHECKPOINT is and how to use it."""
    import json

    from .checkpoint import open_checkpoint
    from .inference import translator_of

    path, loaded = open_checkpoint(checkpoint)
    experiment = loaded.experiment
    click.echo(f"{path}: {experiment.method} in {experiment.space}, step {loaded.step:,}")
    click.echo(f"images seen   {loaded.step * experiment.batch_size:,} of each pile")
    click.echo(f"data          {json.dumps(loaded.data)}")
    for name in ("G_color", "G_gray"):
        tensors = loaded.averaged(name).values()
        if tensors:
            click.echo(f"{name:<13} {sum(t.numel() for t in tensors):,} parameters")
    film = translator_of(loaded).film
    if film:
        click.echo("film          " + ", ".join(f"{name} {value:.2f}" for name, value in film.items()))
    click.echo(f"experiment    {experiment.model_dump_json(exclude_defaults=True)}")
    click.echo(f"use           cyclecolor translate PHOTOS --checkpoint {path}")


@main.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
@click.option(
    "--vividness", type=click.FloatRange(0, 4), help="Factor of chroma that it will have [its experiment's]"
)
@click.option(
    "--restraint",
    type=click.FloatRange(0, 2),
    help="How much paler pale colors will be, of which it is less sure [its experiment's]",
)
@click.option(
    "--statistics",
    type=click.Path(path_type=Path),
    help="Take the batch norms' statistics anew on this folder of photos, the gray pile say",
)
def export(checkpoint, output, vividness, restraint, statistics):
    """Write CHECKPOINT's generators alone, in half precision, as one small file for release."""
    from .checkpoint import export_checkpoint, open_checkpoint

    loaded = open_checkpoint(checkpoint)[1]
    if statistics:
        from .training.statistics import renew_statistics

        loaded = renew_statistics(loaded, statistics)
    export_checkpoint(loaded, output, vividness=vividness, restraint=restraint)
    click.echo(f"{output}: {output.stat().st_size / 1e6:.1f} MB")


@main.command("import")
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
def import_(source, output):
    """Rewrite SOURCE, a generator of pytorch-CycleGAN-and-pix2pix (.pth), as safetensors."""
    from .imported import import_generator

    options = import_generator(source, output)
    click.echo(f"{output}: {options['blocks']} blocks, {options['in']} to {options['out']} channels")


def _out_of_memory(error: Exception) -> bool:
    """Whether memory ran out; torch says so in words only, with a class of its own on GPUs alone."""
    words = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in words or "can't allocate memory" in words


def _sibling(source: Path, word: str, suffix: str | None) -> Path:
    """`scans` to `scans_color`, `a.jpg` to `a_color.jpg`."""
    from .inference import output_name

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
        click.echo("\nfinishing the photos in hand; once more to end at once", err=True)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: code
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _set_aside(run_dir: Path) -> None:
    """Move an old run out of the way, unless a training is at work there."""
    from .training import RunLock

    if not run_dir.exists():
        return
    RunLock(run_dir).release()
    number = 1
    while (aside := run_dir.with_name(f"{run_dir.name}.old-{number}")).exists():
        number += 1
    run_dir.rename(aside)
    click.echo(f"the old run is now {aside}")
