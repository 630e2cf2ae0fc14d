"""Break lines of the package, run the tests that should notice, and say which breaks they did not.

    python benchmarks/mutation.py                                    the lines listed below
    python benchmarks/mutation.py --sample 40 --seed 1 cyclecolor/color cyclecolor/evaluation/metrics.py

The lines below were broken by hand once, and no test noticed. Each is tried in a process of its own, which
sees the broken source in the place of one file; nothing is written. A process starts with the libraries
loaded, so that a mutant costs its tests alone; one that uses more than `--seconds` of processor time has been
noticed too: it does not end.

Samples are of the mutants that mutmut (3.8 or later, `pip install mutmut`) makes of some files or folders,
without those that put None in the place of something or leave out an argument: nearly all of these end in an
error at once, whatever is tested. Each meets the tests that call its function, the quickest first, of
`--budget` seconds together. Which do is found out before, by a run of the test files of its folder, which
ends after `--minutes`; `--calls` keeps what it found in a file, for the next time.

`--json docs/results/mutation.json` keeps what came of a run, in the place of what came of the same before,
and prints the table of all. tests/test_numbers.py compares it with that of docs/results/MUTATION.md.
"""

import argparse
import importlib
import json
import os
import resource
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import Any, NamedTuple

from record import commit
from sampling import sampled, try_sample

ROOT = Path(__file__).resolve().parent.parent
LIBRARIES = [
    *("torch", "numpy", "cv2", "albumentations", "click", "pydantic", "safetensors", "scipy"),
    *("skimage.color", "PIL.Image", "pytest"),
]


class Mutant(NamedTuple):
    """A file whose source is another, what is different, and the tests that should notice."""

    path: str
    source: str
    change: str
    tests: list[str]


class Line(NamedTuple):
    """A line to break: what stands there, what is put in its place, and the test that should notice."""

    path: str
    old: str
    new: str
    tests: str


CYCLEGAN, STEP = "cyclecolor/methods/cyclegan.py", "cyclecolor/training/seeding.py"
DATASETS, COLORIZER = "cyclecolor/data/datasets.py", "cyclecolor/inference/colorizer.py"
RATE = "test_training.py::test_every_step_is_taken_at_the_rate_of_the_schedule"
AVERAGES = "test_training.py::test_averages_are_of_buffers_too_and_count_batches_alike"
READERS = "test_photos.py::test_16_bits_that_two_readers_see_differently_are_not_believed"
POWER = "test_photos.py::test_a_name_survives_a_cut_of_power"
COPY = "test_painting.py::test_the_copy_that_a_network_sees_is_averaged"
ONE_CHANNEL = "test_painting.py::test_a_colored_pixel_anywhere_makes_three_channels"
LINES = [
    Line(CYCLEGAN, '"cycle_color": chroma_l1(', '"cycle_color": -chroma_l1(', "test_losses.py"),
    Line(CYCLEGAN, "chroma_l1(rec_chroma,", "chroma_l1(fake_chroma,", "test_losses.py"),
    Line(
        CYCLEGAN,
        "torch.cat([gray, DETAIL * (gray - blur(gray, 1.0))], dim=1)",
        "torch.cat([gray, 0 * gray], dim=1)",
        "test_losses.py",
    ),
    Line(
        CYCLEGAN,
        "discriminator_input(seen_gray.detach(),",
        "discriminator_input(real_gray,",
        "test_losses.py",
    ),
    Line(CYCLEGAN, 'self.pools["color"].query(fake_color.float())', "fake_color.detach()", "test_losses.py"),
    Line(CYCLEGAN, "real_gray = self.damaged(real_gray)", "real_gray = real_gray", "test_losses.py"),
    Line(
        CYCLEGAN,
        'crops["color"][j]',
        'crops["color"][i]',
        "test_matching.py::test_what_is_matched_is_unpaired",
    ),
    Line("cyclecolor/training/schedule.py", '["initial_lr"] * scale', '["initial_lr"]', RATE),
    Line("cyclecolor/training/trainer.py", "scale * self.watch.rate", "self.watch.rate", RATE),
    Line(STEP, "mixed_seed(seed, Stream.STEP, step)", "mixed_seed(0, Stream.STEP, step)", "test_seeds.py"),
    Line(STEP, "mixed_seed(seed, Stream.STEP, step)", "(seed << 32) + step", "test_seeds.py"),
    Line(STEP, "mixed_seed(seed, Stream.BEFORE, 0)", "mixed_seed(0, Stream.BEFORE, 0)", "test_seeds.py"),
    Line(DATASETS, "mixed_seed(self.seed, stream,", "mixed_seed(0, stream,", "test_seeds.py"),
    Line(DATASETS, "mixed_seed(self.seed, stream,", "mixed_seed(self.seed, Stream.GRAY,", "test_seeds.py"),
    Line("cyclecolor/training/ema.py", "use_buffers=True", "use_buffers=False", AVERAGES),
    Line("cyclecolor/evaluation/scores.py", "(0.025, 0.975)", "(0.05, 0.95)", "test_distributions.py"),
    Line("cyclecolor/photos/deep.py", "and _high_bytes_match(deep, image, bits)", "", READERS),
    Line("cyclecolor/files/atomic.py", "    _sync_folder(target.parent)\n", "", POWER),
    Line(
        "cyclecolor/methods/method.py",
        "F.avg_pool2d(image, stride, ceil_mode=True)",
        "image[..., ::stride, ::stride]",
        "test_losses.py",
    ),
    Line(
        COLORIZER,
        "way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR",
        "way = cv2.INTER_NEAREST",
        COPY,
    ),
    Line(
        COLORIZER,
        "(width, height), interpolation=cv2.INTER_AREA",
        "(width, height), interpolation=0",
        COPY,
    ),
    Line(COLORIZER, "for top in range(0, len(pixels), BAND):", "for top in (0,):", ONE_CHANNEL),
]


def broken(root: Path, line: Line) -> Mutant:
    """The mutant of a listed line.

    Raises
    ------
    SystemExit
        If it is no longer there, or not once: the list is to follow the code.
    """
    text = (root / line.path).read_text()
    if text.count(line.old) != 1:
        raise SystemExit(f"{line.path}: {line.old!r} is there {text.count(line.old)} times, not once")
    change = f"{line.path}: {line.old.strip()} -> {line.new.strip() or 'nothing'}"
    return Mutant(line.path, text.replace(line.old, line.new), change, line.tests.split())


class Broken(MetaPathFinder):
    """Finds one module with another source."""

    def __init__(self, root: Path, mutant: Mutant):
        self.path, self.source = root / mutant.path, mutant.source
        parts = Path(mutant.path).with_suffix("").parts
        self.name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def find_spec(self, name, path, target=None):
        """The module itself, with `get_code` of the mutant."""
        if name != self.name:
            return None
        loader = SourceFileLoader(name, str(self.path))
        loader.get_code = lambda _: compile(self.source, str(self.path), "exec")
        return spec_from_file_location(name, self.path, loader=loader)


def noticed(root: Path, mutant: Mutant, seconds: int) -> bool:
    """Whether the tests fail on a mutant."""
    if child := os.fork():
        return os.waitpid(child, 0)[1] != 0
    code = 70
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        sys.meta_path.insert(0, Broken(root, mutant))
        os.chdir(root)
        sys.path.insert(0, str(root))
        quiet = ["-x", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
        code = importlib.import_module("pytest").main([*quiet, *(f"tests/{test}" for test in mutant.tests)])
    finally:
        os._exit(int(code))


def turn(root: Path, mutants: list[Mutant], seconds: int) -> list[Mutant]:
    """Try all; say what comes of each, and return those that no test noticed.

    Raises
    ------
    SystemExit
        If their tests fail on the package as it is, so that they would notice anything.
    """
    survivors, tests = [], sorted({test for mutant in mutants for test in mutant.tests})
    if mutants and noticed(
        root, mutants[0]._replace(source=(root / mutants[0].path).read_text(), tests=tests), seconds
    ):
        raise SystemExit(f"these fail, or take too long, with nothing broken: {' '.join(tests)}")
    for number, mutant in enumerate(mutants, 1):
        seen = noticed(root, mutant, seconds)
        print(f"{number:4} {'noticed ' if seen else 'SURVIVED'} {mutant.change}", flush=True)
        survivors += [] if seen else [mutant]
    print(f"{len(mutants) - len(survivors)} of {len(mutants)} noticed", flush=True)
    return survivors


def keep(path: Path, record: dict[str, Any]) -> list[dict[str, Any]]:
    """Add a run to a file of them, in the place of one of the same paths, number and seed; all of them."""
    same = ("paths", "sample", "seed")
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    others = [run for run in known if any(run[name] != record[name] for name in same)]
    runs = sorted([*others, {"commit": commit(), **record}], key=lambda run: [run[name] for name in same])
    path.write_text(json.dumps(runs, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return runs


def table(runs: list[dict[str, Any]]) -> str:
    """A row a run, the listed lines first."""
    lines = ["| paths | draw | commit | noticed |", "|---|---|---|--:|"]
    for run in runs:
        paths = " ".join(f"`{path.removeprefix('cyclecolor/')}`" for path in run["paths"])
        draw = f"{run['sample']}, seed {run['seed']}" if paths else ""
        share = f"{run['noticed']} of {run['tried']} ({run['noticed'] / run['tried']:.0%})"
        lines.append(f"| {paths or 'the lines below'} | {draw} | {run['commit']} | {share} |")
    return "\n".join(lines)


def main() -> int:
    """Try the listed lines, or a sample; 1 if a listed line is not noticed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", nargs="*", type=Path, help="Files and folders to sample. [the listed lines]")
    parser.add_argument("--sample", type=int, default=40, help="How many mutants.")
    parser.add_argument("--seed", type=int, default=0, help="Of the sample.")
    parser.add_argument(
        "--budget", type=float, default=30, help="Processor seconds of tests for a sampled mutant."
    )
    parser.add_argument(
        "--minutes", type=float, default=30, help="Of the run that finds out what calls what."
    )
    parser.add_argument("--calls", type=Path, help="A file that keeps what that run found.")
    parser.add_argument("--seconds", type=int, default=300, help="Processor time of a listed line.")
    parser.add_argument("--json", type=Path, help="A file to which what came of it is added.")
    arguments = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "NO_ALBUMENTATIONS_UPDATE": "1"}
    path = arguments.json and arguments.json.absolute()
    asked = {"paths": [place.as_posix() for place in arguments.paths], "sample": 0, "seed": 0}
    if arguments.paths:
        os.chdir(ROOT)  # where mutmut finds its settings
        asked |= {"sample": arguments.sample, "seed": arguments.seed}
        mutants: list = sampled(ROOT, arguments.paths, arguments.sample, arguments.seed)
        options = {"budget": arguments.budget, "minutes": arguments.minutes, "calls": arguments.calls}
        survivors: list = try_sample(mutants, options)
    else:
        for library in LIBRARIES:
            importlib.import_module(library)
        mutants = [broken(ROOT, line) for line in LINES]
        survivors = turn(ROOT, mutants, arguments.seconds)
    if path:
        told = [mutant.change for mutant in survivors]
        counts = {"tried": len(mutants), "noticed": len(mutants) - len(told)}
        print(table(keep(path, {**asked, **counts, "survivors": told})))
    return bool(survivors and not arguments.paths)


if __name__ == "__main__":
    sys.exit(main())
