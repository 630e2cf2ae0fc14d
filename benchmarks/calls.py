"""Which tests call which function, and code put in the place of a function's, in a process of its own."""

import ast
import builtins
import importlib
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, NamedTuple


class Calls(NamedTuple):
    """Tests by the function that they call, and the processor seconds of each test that passed."""

    tests: dict[str, list[str]]
    seconds: dict[str, float]

    def of(self, function: str, budget: float) -> list[str]:
        """The tests that call a function, the quickest first, of so many seconds in all.

        The second case of a test waits as if it took twice as long, the third three times: cases are alike.
        """
        cases: Counter[str] = Counter()
        ordered = []
        for test in sorted(self.tests.get(function, []), key=lambda test: (self.seconds[test], test)):
            cases[name := test.partition("[")[0]] += 1
            ordered.append((cases[name] * self.seconds[test], test))
        chosen, spent = [], 0.0
        for _, test in sorted(ordered):
            if not chosen or spent + self.seconds[test] <= budget:
                chosen.append(test)
                spent += self.seconds[test]
        return chosen


def calls_of(session, root: Path, files: list[str], minutes: float, kept: Path | None) -> Calls:
    """Which tests of a session of pytest call which functions of some files.

    `kept` is a file of what is known already: tests that it does not know are run and added to it, until the
    minutes are over. A test that was changed must be known by another name, or the file be removed.
    """
    known = Calls({}, {})
    if kept and kept.exists():
        known = Calls(*json.loads(kept.read_text(encoding="utf-8")))
    here = {item.nodeid: item for item in session.items}
    items = [item for test, item in here.items() if test not in known.seconds]
    with tempfile.TemporaryDirectory() as folder:
        log, times = Path(folder) / "calls", Path(folder) / "times"
        log.touch()
        until = time.monotonic() + 60 * minutes

        def work() -> None:
            tell_calls(root, files, log)
            watcher = watched(session)
            seconds = {}
            for item in items:
                begun = sum(os.times()[:4])  # of processors: on a busy machine it is the same
                run(item)
                seconds[item.nodeid] = sum(os.times()[:4]) - begun
                if time.monotonic() > until:
                    break
            times.write_text(json.dumps([seconds, watcher.failed]), encoding="utf-8")

        in_a_fork(work, 600 + 60 * minutes, None)
        seconds, failed = json.loads(times.read_text(encoding="utf-8"))
        passed = {test: took for test, took in seconds.items() if test not in failed}
        for function, test in (line.split("\t") for line in log.read_text().splitlines()):
            if test in passed:
                known.tests.setdefault(function, []).append(test)
    print(f"{len(passed)} of {len(items)} tests passed, in {sum(passed.values()):.0f} s", flush=True)
    print(*(f"  not {test}" for test in failed), sep="\n", flush=True)
    known.seconds.update(passed)
    if kept:
        kept.write_text(json.dumps(known), encoding="utf-8")
    return Calls(
        {of: [test for test in tests if test in here] for of, tests in known.tests.items()}, known.seconds
    )


def tell_calls(root: Path, files: list[str], log: Path) -> None:
    """From now on, let every function of some files write down which test calls it: a line each, once."""
    descriptor, seen = os.open(log, os.O_WRONLY | os.O_APPEND), set()

    def called(function: str) -> None:
        line = f"{function}\t{os.environ.get('PYTEST_CURRENT_TEST', '').rpartition(' ')[0]}\n"
        if line not in seen:
            seen.add(line)
            os.write(descriptor, line.encode())

    builtins.__called__ = called
    for path in files:
        put(path, telling(path, (root / path).read_text(encoding="utf-8")))


class Watcher:
    """A plugin of pytest that keeps which tests do not pass."""

    def __init__(self):
        self.failed: list[str] = []

    def pytest_runtest_logreport(self, report):
        """Of fixtures and of the test itself."""
        if report.outcome != "passed":
            self.failed.append(report.nodeid)


def watched(session) -> Watcher:
    """A watcher of what a session runs from now on."""
    watcher = Watcher()
    session.config.pluginmanager.register(watcher)
    return watcher


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
