"""Two processes on one batch do what one does, whatever the method; and they stop and resume together."""

import multiprocessing
import os
import signal
import socket
from contextlib import closing
from pathlib import Path

import pytest
import torch
from conftest import tiny_experiment
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from cyclecolor import distributed
from cyclecolor.checkpoint import read_checkpoint
from cyclecolor.config import Experiment
from cyclecolor.distributed import process_group
from cyclecolor.errors import CycleColorError
from cyclecolor.methods import cyclegan
from cyclecolor.training import Interrupted, Trainer, train, trainer
from cyclecolor.training.state import state_tensors

FUSION = {"type": "fusion", "stages": 1, "width": 4}
SLOW = 1e-9


@pytest.fixture(autouse=True)
def few_crops(monkeypatch):
    """A film is matched to eight crops at a time."""
    monkeypatch.setattr(cyclegan, "MATCH_BATCH", 8)


def small(**changes):
    """Every source of difference: batch statistics, noise of guard and film, pools that swap.

    But for the guard's 8 bits: a last digit that tips a level over makes two runs of one process differ too.
    And at next to no rate: Adam steps as far down a slope that is but rounding as down any other, and from
    there two runs part. Its moments, the averages, statistics and pools are those of every step all the same.
    """
    least = {"G_color": FUSION, "G_gray": {"type": "film_resnet"}, "batch_size": 4, "num_steps": 4}
    judges = {"layers": 1, "width": 8, "pool_size": 3, "learning_rate": SLOW}
    least |= {"learning_rate": SLOW, "discriminator": judges}
    least |= {"data": {"size": 32}, "bottleneck": {"quantize": False}, "match_steps": 2}
    return tiny_experiment(**{**least, **changes})


def together(work, count: int = 2) -> list[int]:
    """Run `work(rank)` in processes on the loopback, as `torchrun` would start them; exit codes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def one(rank: int) -> None:
        os.environ.update(
            RANK=str(rank),
            WORLD_SIZE=str(count),
            LOCAL_RANK=str(rank),
            MASTER_ADDR="127.0.0.1",
            MASTER_PORT=str(port),
        )
        try:
            with process_group():
                work(rank)
        except Interrupted as interrupted:
            raise SystemExit(interrupted.exit_code) from None
        except CycleColorError as error:
            print(error)
            raise SystemExit(error.exit_code) from None

    context = multiprocessing.get_context("fork")
    started = [context.Process(target=one, args=(rank,)) for rank in range(count)]
    for process in started:
        process.start()
    for process in started:
        process.join()
    return [process.exitcode for process in started]


def distance(one: Path, other: Path) -> float:
    """The largest distance of networks, averages, pools and either moment, as a share of their size."""
    first, second = read_checkpoint(one), read_checkpoint(other)
    assert first.tensors.keys() == second.tensors.keys()
    groups: dict[str, list[torch.Tensor]] = {}
    for name, tensor in first.tensors.items():
        place, *_, last = name.split("/")
        if last == "step":
            assert torch.equal(tensor, second.tensors[name])
            continue
        pair = torch.stack([tensor.double().flatten(), second.tensors[name].double().flatten()])
        groups.setdefault(last if place == "optimizers" else place, []).append(pair)
    pairs = [torch.cat(tensors, dim=1) for tensors in groups.values()]
    return max(((a - b).norm() / a.norm()).item() for a, b in pairs)


@pytest.mark.parametrize("method", ["cyclegan", "pix2pix", "regression"])
def test_two_processes_end_where_one_does(tmp_path, method):
    experiment = small(method=method)
    one = train(experiment, tmp_path / "1")
    assert together(lambda rank: train(experiment, tmp_path / "2")) == [0, 0]
    assert distance(one, tmp_path / "2" / "checkpoints" / one.name) < 1e-3


def test_the_distance_sees_what_is_not_shared(tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "synchronize_batch_norms", lambda network: None)
    experiment = small(method="regression")
    one = train(experiment, tmp_path / "1")
    assert together(lambda rank: train(experiment, tmp_path / "2")) == [0, 0]
    assert distance(one, tmp_path / "2" / "checkpoints" / one.name) > 0.03


def test_two_then_one_then_two_processes(tmp_path):
    run, experiment = tmp_path / "run", small(num_steps=6)
    whole = train(experiment, tmp_path / "whole")
    assert together(lambda rank: stopped_at(2, experiment, run, signal_to=1)) == [143, 143]
    saved = read_checkpoint(run / "checkpoints" / "step_00000002.safetensors").tensors
    with closing(Trainer(experiment, run)) as alone:
        found = state_tensors(alone.method, alone.averages)
        assert found.keys() == saved.keys()
        assert all(torch.equal(found[name], saved[name]) for name in saved)
    with pytest.raises(Interrupted):
        stopped_at(4, experiment, run, signal_to=0)
    assert together(lambda rank: train(experiment, run)) == [0, 0]
    assert distance(whole, run / "checkpoints" / whole.name) < 1e-3


def stopped_at(step: int, experiment: Experiment, run: Path, *, signal_to: int) -> None:
    """Train until the process of rank `signal_to`, it alone, gets SIGTERM in the step before `step`."""

    class Stopping(Trainer):
        def advance(self, *batches):
            if self.step == step - 1 and distributed.rank() == signal_to:
                os.kill(os.getpid(), signal.SIGTERM)
            return super().advance(*batches)

    with closing(Stopping(experiment, run)) as trainer:
        trainer.run()


def test_one_killed_ends_the_others_in_a_line_and_the_last_checkpoint_is_whole(tmp_path, capfd):
    class Killed(Trainer):
        def advance(self, *batches):
            if self.step == 3 and distributed.rank() == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().advance(*batches)

    experiment = small(num_steps=8, save_every=2)
    codes = together(lambda rank: Killed(experiment, tmp_path).run())
    assert codes == [1, -signal.SIGKILL]
    assert "another process of this training has ended" in capfd.readouterr().out
    assert Trainer(experiment, tmp_path).step == 2


def test_processes_that_torchrun_starts_anew_go_on(tmp_path):
    class Killed(Trainer):
        def advance(self, *batches):
            if self.step == 3 and distributed.rank() == 1 and not dead.exists():
                dead.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return super().advance(*batches)

    def work() -> None:
        with process_group():
            Killed(experiment, tmp_path / "2").run()

    def launch() -> None:
        # What `torchrun --standalone --nproc-per-node 2 --max-restarts 1` does.
        found = {"rdzv_backend": "c10d", "rdzv_endpoint": "localhost:0", "start_method": "fork"}
        numbers = {"min_nodes": 1, "max_nodes": 1, "nproc_per_node": 2, "max_restarts": 1}
        elastic_launch(LaunchConfig(**numbers, **found, monitor_interval=0.1), work)()

    dead, experiment = tmp_path / "dead", small(method="regression", save_every=2)
    whole = train(experiment, tmp_path / "1")
    launcher = multiprocessing.get_context("fork").Process(target=launch)
    launcher.start()
    launcher.join()
    assert (launcher.exitcode, dead.exists()) == (0, True)
    assert distance(whole, tmp_path / "2" / "checkpoints" / whole.name) < 1e-3


def test_a_batch_that_cannot_be_shared_is_refused(tmp_path, capfd):
    assert together(lambda rank: train(small(batch_size=3), tmp_path)) == [2, 2]
    assert "batch_size = 3 cannot be divided among 2 processes" in capfd.readouterr().out


@pytest.mark.parametrize(("device", "backend"), [("cpu", "gloo"), ("cuda", "nccl"), (None, "nccl")])
def test_processes_talk_as_their_device_wants(monkeypatch, device, backend):
    asked = []
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_device", lambda number: asked.append(number))
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda name, **_: asked.append(name))
    monkeypatch.setattr(torch.distributed, "destroy_process_group", lambda: None)
    with process_group(device and torch.device(device)):
        pass
    assert asked == ([backend] if device == "cpu" else [1, backend])
