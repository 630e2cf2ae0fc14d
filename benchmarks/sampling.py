"""A sample of the mutants that mutmut makes of some files, each tried on the tests that call its function.

All happens in one session of pytest: modules and tests are loaded once, and a mutant is tried in a fork of
that, in which its code is put in the place of the function's. So it costs its tests alone. In a first fork
every function writes down which tests call it. Processes that tests start anew see nothing of this.
"""

import difflib
import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from calls import calls_of, in_a_fork, put, run, watched

ROOT = Path(__file__).resolve().parent.parent
# The test files that are about a folder, those of the smallest parts first.
TESTS = {
    "checkpoint": "tensor_files imported trust statistics pretrained training resuming",
    "color": "color metrics painting audit film hints",
    "evaluation": "metrics distributions content audit evaluate doctor perceptual plots report systems",
    "files": "files photos formats trust translate",
    "film": "film any_film matching content doctor",
    "inference": "painting hints imported pretrained onnx systems encoders translate",
    "methods": "losses methods matching any_film content paper_cyclegan seeds",
    "photos": "tiff pages metadata misread makers photos luma formats",
    "training": "training losses seeds statistics watch copies event_files report resuming processes",
    "translation": "translate pages tars luma",
}


class Mutant(NamedTuple):
    """A function, `path:class.name`; the source of its file; what is different."""

    function: str
    source: str
    change: str


def telling_mutants(path: str, text: str) -> Iterator[tuple[str, Any, Any]]:
    """The function, the module and the mutation of each mutant of a file.

    Without those that put None somewhere or leave out an argument: nearly all of these end in an error at
    once, whatever is tested.
    """
    import libcst
    from mutmut.mutation.file_mutation import create_mutations, group_by_top_level_node

    def holds(node: libcst.CSTNode) -> tuple[int, int]:
        """How many Nones there are, below 0, and how many arguments are given."""
        nodes = [node]
        for node in nodes:
            nodes.extend(node.children)
        nones = sum(isinstance(node, libcst.Name) and node.value == "None" for node in nodes)
        return -nones, sum(len(node.args) for node in nodes if isinstance(node, libcst.Call))

    module, mutations, *_ = create_mutations(path, text)
    classes = [node for node in module.body if isinstance(node, libcst.ClassDef)]
    class_of = {method: f"{node.name.value}." for node in classes for method in node.body.body}
    for function, of_function in group_by_top_level_node(mutations).items():
        if not isinstance(function, libcst.FunctionDef):
            continue
        for mutation in of_function:
            before, after = holds(mutation.original_node), holds(mutation.mutated_node)
            if all(now >= then for now, then in zip(after, before, strict=True)):
                yield f"{path}:{class_of.get(function, '')}{function.name.value}", module, mutation


def sampled(root: Path, paths: list[Path], count: int, seed: int) -> list[Mutant]:
    """Some mutants of files and folders, in the order of the files."""
    from mutmut.mutation.file_mutation import deep_replace

    everything: list[tuple[str, Any, Any]] = []
    for path in paths:
        for file in sorted((root / path).rglob("*.py")) if (root / path).is_dir() else [root / path]:
            text = file.read_text(encoding="utf-8")
            everything += telling_mutants(file.relative_to(root).as_posix(), text)
    chosen = []
    for number in sorted(random.Random(seed).sample(range(len(everything)), min(count, len(everything)))):
        function, module, mutation = everything[number]
        source = deep_replace(module, mutation.original_node, mutation.mutated_node).code
        diff = [*difflib.unified_diff(module.code.splitlines(), source.splitlines(), n=0, lineterm="")][3:]
        chosen.append(Mutant(function, source, "\n".join([function, *(f"     {line}" for line in diff)])))
    return chosen


class Trial:
    """A plugin of pytest that tries mutants in place of running the tests that were collected."""

    def __init__(self, mutants: list[Mutant], budget: float, minutes: float, calls: Path | None):
        self.mutants, self.budget, self.minutes, self.kept = mutants, budget, minutes, calls
        self.survivors: list[Mutant] = []

    def pytest_runtestloop(self, session) -> bool:
        """Find out which tests call what, then try all."""
        folders = {"/".join(mutant.function.split("/")[:2]) for mutant in self.mutants}
        found = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
        files = [path.relative_to(ROOT).as_posix() for path in found]
        calls = calls_of(session, ROOT, files, self.minutes, self.kept)
        for number, mutant in enumerate(self.mutants, 1):
            tests = calls.of(mutant.function, self.budget)
            expected = sum(calls.seconds[test] for test in tests)
            seen = self._noticed(session, mutant, tests, expected) if tests else ""
            print(f"{number:4} {'noticed ' if seen else 'SURVIVED'} {mutant.change}")
            print(f"     by {seen}" if seen else f"     {len(tests)} tests, {expected:.1f} s", flush=True)
            self.survivors += [] if seen else [mutant]
        print(f"{len(self.mutants) - len(self.survivors)} of {len(self.mutants)} noticed", flush=True)
        return True

    def _noticed(self, session, mutant: Mutant, tests: list[str], expected: float) -> str:
        """What noticed a mutant: a test, or that it does not end; nothing if the tests pass."""
        items = {item.nodeid: item for item in session.items}

        def work() -> None:
            path, _, name = mutant.function.partition(":")
            try:
                put(path, mutant.source, only=name)
            except Exception as error:
                said.write_text(f"import: {error}", encoding="utf-8")
                return
            watcher = watched(session)
            for test in tests:
                run(items[test])
                if watcher.failed:
                    said.write_text(watcher.failed[0], encoding="utf-8")
                    return

        with tempfile.TemporaryDirectory() as folder:
            said = Path(folder) / "said"
            ended = in_a_fork(work, 120 + 20 * expected, int(30 + 5 * expected))
            return said.read_text(encoding="utf-8") if said.exists() else "" if ended else "it does not end"


def try_sample(mutants: list[Mutant], options: dict[str, Any]) -> list[Mutant]:
    """Try mutants; say what comes of each, and return those that no test noticed."""
    import pytest

    folders = list(dict.fromkeys(mutant.function.split("/")[1] for mutant in mutants))
    names = dict.fromkeys(name for folder in folders for name in TESTS[folder].split())
    trial = Trial(mutants, **options)
    quiet = ["-q", "-s", "-p", "no:cacheprovider"]
    os.chdir(ROOT)
    code = pytest.main([*quiet, *(f"tests/test_{name}.py" for name in names)], plugins=[trial])
    if code:
        raise SystemExit(f"pytest ends with {code}")
    return trial.survivors
