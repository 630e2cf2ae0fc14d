"""Other systems than Linux, as far as one can tell from here: what they lack is taken away.

Each test runs in a process of its own. What Windows and macOS do differently beyond what they lack (names of
files, files that are open, GPUs of their own) is not seen by this.
"""

import ast
import importlib
import multiprocessing
import os
import signal
import sys
import traceback
from pathlib import Path

import filelock  # noqa: F401  (it chooses its own locks when it is imported)
import numpy as np
import pytest
import torch
from conftest import tiny_experiment
from PIL import Image
from torch.utils._python_dispatch import TorchDispatchMode

from cyclecolor.data import FolderPile, UnpairedDataset, batches
from cyclecolor.data.augment import Augment
from cyclecolor.inference import load
from cyclecolor.methods import METHODS
from cyclecolor.training import train
from cyclecolor.training.step import backward

MODULES = ("fcntl", "pwd", "grp", "resource", "termios", "pty", "tty", "syslog")
OF_OS = (
    "sched_getaffinity", "memfd_create", "fork", "forkpty", "getuid", "getpgid", "setsid",
    "killpg", "mkfifo", "chown", "statvfs", "O_DIRECTORY", "O_CLOEXEC",
)  # fmt: skip
OF_SIGNAL = ("SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGHUP", "SIGPIPE", "SIGALRM", "SIGKILL", "pthread_sigmask")


def take_away() -> None:
    """What is POSIX, from this process, and our modules, so that they are imported without it."""
    sys.modules.update(dict.fromkeys(MODULES))  # None there makes `import` fail
    for module, names in ((os, OF_OS), (signal, OF_SIGNAL)):
        for name in names:
            vars(module).pop(name, None)
    for name in [name for name in sys.modules if name.split(".")[0] == "cyclecolor"]:
        del sys.modules[name]


@pytest.fixture
def without_posix():
    """Run a function in a process where it is taken away, and check that it ends well."""

    def run(work, *arguments):
        def there():
            take_away()
            try:
                work(*arguments)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)

        process = multiprocessing.get_context("fork").Process(target=there)
        process.start()
        process.join()
        assert process.exitcode == 0

    return run


def command(*arguments: object, code: int = 0) -> str:
    """What a command says, where nothing of POSIX is there."""
    from click.testing import CliRunner

    main = importlib.import_module("cyclecolor.cli.main").main
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output + str(result.exc_info)
    return result.output


def test_commands_without_posix(without_posix, photo_folder, tmp_path):
    experiment = tmp_path / "x.toml"
    experiment.write_text(
        "num_steps = 2\nbatch_size = 2\nmethod = 'regression'\n[data]\nsize = 32\n"
        "[G_color]\nstages = 1\nwidth = 4\n"
    )
    run, out, photo = tmp_path / "run", tmp_path / "out", photo_folder / "0.png"

    def work():
        with pytest.raises(ImportError):
            importlib.import_module("fcntl")
        assert "score" in command("train", experiment, "--run-dir", run)
        assert "regression in lab, step 2" in command("info", run)
        assert "6 translated" in command("translate", photo_folder, "-o", out, "-c", run)
        assert "6 skipped" in command("translate", photo_folder, "-o", out, "-c", run, "--shard", "1/1")
        assert "6 skipped" in command("translate", photo_folder, "-o", out, "-c", run)
        assert "1 translated" in command("translate", photo, "-o", tmp_path / "one.jpg", "-c", run)
        assert "twin" in command("doctor", photo_folder, photo_folder).replace("both piles", "twin")
        command("prepare", photo_folder, "-o", tmp_path / "piles")

    without_posix(work)
    with Image.open(tmp_path / "one.jpg") as made, Image.open(photo) as source:
        assert made.size == source.size


def test_locks_without_posix(without_posix, tmp_path):
    """Two jobs in one folder and two trainings of one run exclude each other there too."""

    def work():
        from cyclecolor.errors import CycleColorError
        from cyclecolor.training.lock import RunLock
        from cyclecolor.translation.manifest import Manifest
        from cyclecolor.translation.shard import Shard

        lock = RunLock(tmp_path / "run")
        with pytest.raises(
            CycleColorError, match=f"another training is running there .process {os.getpid()} "
        ):
            RunLock(tmp_path / "run")
        lock.release()
        RunLock(tmp_path / "run").release()

        whole = Manifest(tmp_path / "out")
        for shard in (None, Shard(1, 2)):
            with pytest.raises(CycleColorError, match="another translation writes here"):
                Manifest(tmp_path / "out", shard)
        whole.close()
        parts = [Manifest(tmp_path / "out", Shard(i, 2)) for i in (1, 2)]
        for shard in (None, Shard(1, 2), Shard(2, 2)):
            with pytest.raises(CycleColorError, match="another translation writes here"):
                Manifest(tmp_path / "out", shard)
        for part in parts:
            part.close()
        Manifest(tmp_path / "out").close()

    without_posix(work)


def test_spawned_loader_processes_give_the_same_batches(photo_folder, monkeypatch):
    """As macOS, Windows and Python 3.14 start them: nothing of the trainer is there but what is sent."""
    pile = FolderPile(photo_folder, load_size=48, cache_bytes=1e6)
    dataset = UnpairedDataset(pile, pile, augment=Augment(16, 0.5), seed=0)
    options = {"start": 0, "stop": 2, "batch_size": 2}
    here = list(batches(dataset, **options, workers=0))
    before = torch.multiprocessing.get_start_method()
    torch.multiprocessing.set_start_method("spawn", force=True)
    try:
        there = list(batches(dataset, **options, workers=1))
    finally:
        torch.multiprocessing.set_start_method(before, force=True)
    for one, other in zip(here, there, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in ("gray", "color"))


class NoFloat64(TorchDispatchMode):
    """Fails as `mps` does, which has no numbers of 64 bits."""

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        result = function(*arguments, **(keywords or {}))
        for tensor in torch.utils._pytree.tree_leaves(result):
            assert not (isinstance(tensor, torch.Tensor) and tensor.dtype == torch.float64), function
        return result


@pytest.mark.parametrize("method", ["cyclegan", "pix2pix", "regression"])
@pytest.mark.parametrize("space", ["lab", "luv"])
def test_training_asks_for_no_float64(method, space):
    experiment = tiny_experiment(method=method, space=space, G_gray={"type": "film"}, damage=True)
    built = METHODS[method](experiment, device=torch.device("cpu"))
    batch = {name: torch.randint(256, (2, 3, 32, 32), dtype=torch.uint8) for name in ("gray", "color")}
    with NoFloat64():
        backward(built, batch)
        for optimizer in built.optimizers.values():
            optimizer.step()


def test_networks_in_use_ask_for_no_float64(tmp_path):
    experiment = tiny_experiment(num_steps=1, G_gray={"type": "film"}, match_steps=1)
    colorizer = load(train(experiment, tmp_path), denoise=True, flip_average=True)
    lightness = torch.rand(1, 1, 32, 48) * 2 - 1
    with NoFloat64():
        colorizer.lines(lightness)
        colorizer.opinion(lightness)
        colorizer.colorize_lightness(lightness)
        colorizer.generators["G_gray"].full_size(lightness.expand(-1, 3, -1, -1), lightness)
    with pytest.raises(AssertionError), NoFloat64():
        lightness.double()


SLOW = {"albumentations", "torchvision", "torchmetrics"}  # to import; each is for some commands alone


def test_slow_modules_are_imported_where_they_are_used():
    package = Path(__file__).parent.parent / "cyclecolor"
    for path in package.rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            names = [alias.name for alias in getattr(node, "names", [])]
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.split(".")[0] for name in names} & SLOW, path


def test_a_photo_is_translated_without_what_trains(without_posix, tmp_path):
    Image.fromarray(np.full((20, 24), 90, np.uint8)).save(tmp_path / "a.png")

    def work():
        sys.modules.update(dict.fromkeys(SLOW))
        command("translate", tmp_path / "a.png")
        command("doctor", tmp_path, tmp_path)

    without_posix(work)
