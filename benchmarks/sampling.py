"""A sample of the mutants that mutmut makes of some files, each tried on the tests that call its function.

All happens in one session of pytest: modules and tests are loaded once, and a mutant is tried in a fork of
that, in which its code is put in the place of the function's. So it costs its tests alone. In a first fork
every function writes down which tests call it. Processes that tests start anew see nothing of this.
"""

import ast
import builtins
import difflib
import importlib
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
# The test files that are about a folder, those of the smallest parts first.
TESTS = {
    "checkpoint": "imported trust statistics pretrained training resuming",
    "color": "color metrics painting audit film hints",
    "evaluation": "metrics distributions content audit evaluate doctor perceptual paper_cyclegan",
    "files": "files photos formats trust translate",
    "film": "film any_film matching content doctor",
    "inference": "painting hints imported pretrained onnx systems encoders translate",
    "methods": "losses methods matching any_film content paper_cyclegan seeds",
    "photos": "tiff pages metadata misread makers photos luma formats",
    "training": "training losses seeds statistics watch resuming processes",
    "translation": "translate pages tars",
}


class Mutant(NamedTuple):
    """A function, `path:class.name`; the source of its file; what is different."""

    function: str
    source: str
    change: str


class Calls(NamedTuple):
    """Tests by the function that they call, and the seconds of each test that passed."""

    tests: dict[str, list[str]]
    seconds: dict[str, float]

    def of(self, function: str, budget: float) -> list[str]:
        """The tests that call a function, the quickest first, of so many seconds in all."""
        chosen, spent = [], 0.0
        for test in sorted(self.tests.get(function, []), key=lambda test: (self.seconds[test], test)):
            spent += self.seconds[test]
            if not chosen or spent <= budget:
                chosen.append(test)
        return chosen


class Watcher:
    """A plugin of pytest that keeps how long tests take, and which do not pass."""

    def __init__(self):
        self.seconds: dict[str, float] = {}
        self.failed: list[str] = []

    def pytest_runtest_logreport(self, report):
        """Add the seconds of fixtures and of the test itself."""
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0) + report.duration
        if report.outcome != "passed":
            self.failed.append(report.nodeid)


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


def functions_of(names: dict[str, Any], module: str) -> dict[str, FunctionType]:
    """The functions and methods of a module that mutmut breaks, by name: those with no decorator of ours."""
    found = {name: value for name, value in names.items() if isinstance(value, FunctionType)}
    for of_class in [value for value in names.values() if isinstance(value, type)]:
        if of_class.__module__ == module:
            for name, value in vars(of_class).items():
                value = getattr(value, "__func__", value)
                if isinstance(value, FunctionType):
                    found[f"{of_class.__name__}.{name}"] = value
    return {name: value for name, value in found.items() if value.__module__ == module}


def module_of(path: str) -> ModuleType:
    """A module by its path."""
    return importlib.import_module(".".join(Path(path).with_suffix("").parts).removesuffix(".__init__"))


def put(path: str, source: str | ast.Module, only: str = "") -> None:
    """Give the functions of a loaded module, or one of them, the code of another source."""
    module = module_of(path)
    names = {"__name__": module.__name__, "__package__": module.__package__, "__file__": module.__file__}
    exec(compile(source, str(module.__file__), "exec"), names)
    new, old = functions_of(names, module.__name__), functions_of(vars(module), module.__name__)
    if only and only not in old:
        raise SystemExit(f"{path}: {only} cannot be replaced")
    for name, function in old.items():
        if name in new and only in ("", name):
            function.__code__ = new[name].__code__
            function.__defaults__, function.__kwdefaults__ = new[name].__defaults__, new[name].__kwdefaults__


def telling(path: str, source: str) -> ast.Module:
    """A source whose functions tell that they are called."""
    tree = ast.parse(source)
    for place in [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))]:
        for node in place.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                name = node.name if place is tree else f"{place.name}.{node.name}"
                told = ast.parse(f"__called__({f'{path}:{name}'!r})").body[0]
                node.body.insert(1 if ast.get_docstring(node) is not None else 0, told)
    return ast.fix_missing_locations(tree)


class Trial:
    """A plugin of pytest that tries mutants in place of running the tests that were collected."""

    def __init__(self, mutants: list[Mutant], budget: float, minutes: float, calls: Path | None):
        self.mutants, self.budget, self.minutes, self.kept = mutants, budget, minutes, calls
        self.survivors: list[Mutant] = []

    def pytest_runtestloop(self, session) -> bool:
        """Find out which tests call what, then try all."""
        calls = self._calls(session)
        for number, mutant in enumerate(self.mutants, 1):
            tests = calls.of(mutant.function, self.budget)
            expected = sum(calls.seconds[test] for test in tests)
            seen = self._noticed(session, mutant, tests, expected) if tests else ""
            print(f"{number:4} {'noticed ' if seen else 'SURVIVED'} {mutant.change}")
            print(f"     by {seen}" if seen else f"     {len(tests)} tests, {expected:.1f} s", flush=True)
            self.survivors += [] if seen else [mutant]
        print(f"{len(self.mutants) - len(self.survivors)} of {len(self.mutants)} noticed", flush=True)
        return True

    def _calls(self, session) -> Calls:
        if self.kept and self.kept.exists():
            return Calls(*json.loads(self.kept.read_text(encoding="utf-8")))
        with tempfile.TemporaryDirectory() as folder:
            log, times = Path(folder) / "calls", Path(folder) / "times"
            log.touch()
            until = time.monotonic() + 60 * self.minutes
            in_a_fork(lambda: self._tell_calls(session, log, times, until), 600 + 60 * self.minutes, None)
            seconds, failed = json.loads(times.read_text(encoding="utf-8"))
            passed = {test: took for test, took in seconds.items() if test not in failed}
            tests: dict[str, list[str]] = {}
            for function, test in (line.split("\t") for line in log.read_text().splitlines()):
                if test in passed:
                    tests.setdefault(function, []).append(test)
        print(
            f"{len(passed)} of {len(session.items)} tests passed, in {sum(passed.values()):.0f} s", flush=True
        )
        print(*(f"  not {test}" for test in failed), sep="\n", flush=True)
        if self.kept:
            self.kept.write_text(json.dumps([tests, passed]), encoding="utf-8")
        return Calls(tests, passed)

    def _tell_calls(self, session, log: Path, times: Path, until: float) -> None:
        descriptor, seen = os.open(log, os.O_WRONLY | os.O_APPEND), set()

        def called(function: str) -> None:
            line = f"{function}\t{os.environ.get('PYTEST_CURRENT_TEST', '').rpartition(' ')[0]}\n"
            if line not in seen:
                seen.add(line)
                os.write(descriptor, line.encode())

        builtins.__called__ = called
        for path in {mutant.function.split(":")[0] for mutant in self.mutants}:
            put(path, telling(path, (ROOT / path).read_text(encoding="utf-8")))
        watcher = self._watcher(session)
        for item in session.items:
            run(item)
            if time.monotonic() > until:
                break
        times.write_text(json.dumps([watcher.seconds, watcher.failed]), encoding="utf-8")

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
            watcher = self._watcher(session)
            for test in tests:
                run(items[test])
                if watcher.failed:
                    said.write_text(watcher.failed[0], encoding="utf-8")
                    return

        with tempfile.TemporaryDirectory() as folder:
            said = Path(folder) / "said"
            ended = in_a_fork(work, 120 + 20 * expected, int(30 + 5 * expected))
            return said.read_text(encoding="utf-8") if said.exists() else "" if ended else "it does not end"

    @staticmethod
    def _watcher(session) -> Watcher:
        watcher = Watcher()
        session.config.pluginmanager.register(watcher)
        return watcher


def run(item) -> None:
    """Run a test by itself: its fixtures are made for it and go with it."""
    item.ihook.pytest_runtest_protocol(item=item, nextitem=None)


def in_a_fork(work: Callable[[], None], seconds: float, processor: int | None) -> bool:
    """Whether work in a process of its own ends by itself within a time; what it started ends with it.

    Raises
    ------
    RuntimeError
        If it ends in an error.
    """
    sys.stdout.flush()
    if not (child := os.fork()):
        code, errors = 70, os.dup(2)
        try:
            os.setpgid(0, 0)
            if processor:
                resource.setrlimit(resource.RLIMIT_CPU, (processor, processor))
            nowhere = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(nowhere, stream)
            work()
            code = 0
        except (Exception, SystemExit):
            os.write(errors, traceback.format_exc().encode())
        finally:
            os._exit(code)
    until = time.monotonic() + seconds
    try:
        while not (found := os.waitpid(child, os.WNOHANG))[0]:
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)
    if os.waitstatus_to_exitcode(found[1]) == 70:
        raise RuntimeError("a process ended in an error, which is above")
    return found[1] == 0


def try_sample(mutants: list[Mutant], options: dict[str, Any]) -> list[Mutant]:
    """Try mutants; say what comes of each, and return those that no test noticed."""
    import pytest

    rooms = list(dict.fromkeys(mutant.function.split("/")[1] for mutant in mutants))
    names = dict.fromkeys(name for room in rooms for name in TESTS[room].split())
    trial = Trial(mutants, **options)
    quiet = ["-q", "-s", "-p", "no:cacheprovider"]
    os.chdir(ROOT)
    code = pytest.main([*quiet, *(f"tests/test_{name}.py" for name in names)], plugins=[trial])
    if code:
        raise SystemExit(f"pytest ends with {code}")
    return trial.survivors
