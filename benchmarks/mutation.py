"""Break a line of the package, run the tests that should notice, and say which breaks they did not.

    python benchmarks/mutation.py                        the listed lines, and 40 sampled mutants
    python benchmarks/mutation.py --sample 300 --seed 1
    python benchmarks/mutation.py --sample 0             the listed lines alone
    python benchmarks/mutation.py --room cyclecolor/color    sampled mutants of one room alone

The lines below were broken by hand once, and no test noticed. Sampled mutants turn an operator, a comparison,
a condition or a number of the rooms below into another. Each is tried in a process of its own, which sees the
broken source in the place of one file; nothing is written. A child process that a test starts anew (not by
fork) sees the package whole. Files with compiled loops are left out: their machine code is kept on disk.

A process starts with the libraries loaded, so that a mutant costs its tests alone; one that uses more than
`--seconds` of processor time has been noticed too: it does not end.
"""

import argparse
import ast
import importlib
import os
import random
import resource
import sys
from collections.abc import Iterator
from importlib.abc import MetaPathFinder
from importlib.machinery import SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
LIBRARIES = [
    *("torch", "numpy", "cv2", "albumentations", "click", "pydantic", "safetensors", "scipy"),
    *("skimage.color", "PIL.Image", "pytest"),
]

# What is sampled, and the tests that should notice.
ROOMS = {
    "cyclecolor/methods": "test_losses.py test_methods.py test_matching.py test_paper_cyclegan.py",
    "cyclecolor/training/step.py": "test_losses.py test_seeds.py test_methods.py test_watch.py",
    "cyclecolor/training/ema.py": "test_training.py",
    "cyclecolor/color": "test_color.py test_painting.py",
    "cyclecolor/evaluation/scores.py": "test_distributions.py",
    "cyclecolor/evaluation/metrics.py": "test_metrics.py",
    "cyclecolor/files": "test_photos.py",
}


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
    Line(CYCLEGAN, "with_detail(self.damaged(real_gray))", "with_detail(real_gray)", "test_losses.py"),
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

SWAPS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult,
    ast.Lt: ast.GtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}


def changes(node: ast.AST) -> Iterator[tuple[str, object]]:
    """Fields of a node, each with another value: one mutant each."""
    match node:
        case ast.BinOp() | ast.BoolOp() if type(node.op) in SWAPS:
            yield "op", SWAPS[type(node.op)]()
        case ast.Compare(ops=[op]) if type(op) in SWAPS:
            yield "ops", [SWAPS[type(op)]()]
        case ast.UnaryOp(op=ast.USub()):
            yield "op", ast.UAdd()
        case ast.If() | ast.IfExp():
            yield "test", ast.UnaryOp(ast.Not(), node.test)
        case ast.Constant(value=bool(value)):
            yield "value", not value
        case ast.Constant(value=int(value) | float(value)):
            yield "value", value + 1


def places(text: str) -> list[tuple[int, int]]:
    """All mutants that a source has: the number of a node and of one of its changes."""
    nodes = enumerate(ast.walk(ast.parse(text)))
    return [(number, choice) for number, node in nodes for choice, _ in enumerate(changes(node))]


def mutant_at(path: str, text: str, place: tuple[int, int], tests: list[str]) -> Mutant:
    """One of them."""
    tree, (number, choice) = ast.parse(text), place
    node = list(ast.walk(tree))[number]
    before = ast.unparse(node)
    setattr(node, *list(changes(node))[choice])
    change = f"{path}:{node.lineno}: {before} -> {ast.unparse(node)}"
    return Mutant(path, ast.unparse(tree), " ".join(change.split()), tests)


def sampled(root: Path, rooms: dict[str, str], count: int, seed: int) -> list[Mutant]:
    """So many mutants of all that there are in some rooms."""
    found = []
    for room, tests in rooms.items():
        place = root / room
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            text = path.read_text()
            if "numba" not in text:
                name = path.relative_to(root).as_posix()
                found += [(name, text, where, tests.split()) for where in places(text)]
    chosen = random.Random(seed).sample(found, min(count, len(found)))
    return [mutant_at(*of) for of in chosen]


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


def main() -> int:
    """Try the listed lines, then the sample; 1 if a listed line is not noticed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sample", type=int, default=40, help="Mutants besides the listed lines.")
    parser.add_argument("--seed", type=int, default=0, help="Of the sample.")
    parser.add_argument("--room", choices=ROOMS, help="Sample this room, and break no listed line.")
    parser.add_argument("--seconds", type=int, default=300, help="Processor time of a mutant.")
    arguments = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "NO_ALBUMENTATIONS_UPDATE": "1"}
    for library in LIBRARIES:
        importlib.import_module(library)
    rooms = {arguments.room: ROOMS[arguments.room]} if arguments.room else ROOMS
    lines = [] if arguments.room else [broken(ROOT, line) for line in LINES]
    unseen = turn(ROOT, lines, arguments.seconds)
    turn(ROOT, sampled(ROOT, rooms, arguments.sample, arguments.seed), arguments.seconds)
    return bool(unseen)


if __name__ == "__main__":
    sys.exit(main())
