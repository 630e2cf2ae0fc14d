"""A run loses nothing: killed, signalled, on a full disk, with photos and workers gone."""

import csv
import errno
import multiprocessing
import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from contextlib import closing
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from conftest import KINDS, tiny_experiment
from PIL import Image

from cyclecolor.checkpoint import best_of, checkpoints_in, drop_temporaries, read_checkpoint
from cyclecolor.cli.main import main
from cyclecolor.data import FolderPile, PairedDataset
from cyclecolor.errors import CycleColorError
from cyclecolor.methods import METHODS
from cyclecolor.training import Interrupted, RunLock, Trainer, train
from cyclecolor.training import trainer as training
from cyclecolor.training.step import average_gradients, backward
from cyclecolor.training.stopping import Stop

NETWORK = {"type": "resnet", "width": 4, "blocks": 1}


def small(**changes):
    """The least that has every part: two generators, two discriminators, pools that fill and swap."""
    return tiny_experiment(
        **{"G_color": NETWORK, "G_gray": NETWORK, "ema": 0.9, "data": {"size": 16}, **changes}
    )


def same(one: Path, other: Path) -> bool:
    first, second = read_checkpoint(one), read_checkpoint(other)
    return (
        first.tensors.keys() == second.tensors.keys()
        and all(torch.equal(first.tensors[name], second.tensors[name]) for name in first.tensors)
        and first.watch == second.watch
        and first.score == second.score
    )


def stopping_after(step: int):
    """A `say` for a training that gets SIGTERM in the step after `step`."""

    class Stopping(Trainer):
        def advance(self, *batches):
            if self.step == step:
                os.kill(os.getpid(), signal.SIGTERM)
            return super().advance(*batches)

    return Stopping


RUNS = {
    **KINDS,
    "film_resnet": {"G_gray": {"type": "film_resnet"}, "match_steps": 2},
    "distillation": {
        "method": "distillation",
        "teachers": ["default"],
        "G_color": {"stages": 1, "width": 4},
    },
}


# Pools (3 images) fill up in step 2; the rate decays from step 3; epochs of 3 photos end in mid-step.
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("kind", RUNS)
def test_stopped_anywhere_equals_never_stopped(tmp_path, photo_folder, kind, workers):
    data = {"gray": str(photo_folder), "color": str(photo_folder), "size": 16, "workers": workers}
    experiment = small(**RUNS[kind], accumulate=2, batch_size=1, num_steps=5, data=data)
    whole = train(experiment, tmp_path / "whole")
    for step in (0, 1, 2, 3):
        with pytest.raises(Interrupted) as stopped:
            stopping_after(step)(experiment, tmp_path / "parts").run()
        assert stopped.value.exit_code == 143
    assert same(whole, train(experiment, tmp_path / "parts"))


def test_accumulated_gradients_are_those_of_the_whole_batch():
    method = METHODS["regression"](small(), device=torch.device("cpu"))
    whole = {name: torch.randint(256, (4, 3, 16, 16), dtype=torch.uint8) for name in ("gray", "color")}
    halves = [{name: images[i : i + 2] for name, images in whole.items()} for i in (0, 2)]
    gradients = []
    for batches in ([whole], halves):
        for batch in batches:
            backward(method, batch)
        norm = average_gradients(method, len(batches))["G"]
        gradients.append(torch.cat([p.grad.flatten() for p in method.G_color.parameters()]))
        assert norm.item() == pytest.approx(gradients[-1].norm().item(), rel=1e-5)
        method.optimizers["G"].zero_grad()
    assert (gradients[0] - gradients[1]).norm() < 1e-5 * gradients[0].norm()


@pytest.mark.parametrize("method", ["cyclegan", "pix2pix", "regression"])
def test_one_step_of_single_images_is_one_of_a_batch(tmp_path, method):
    changes = {
        "method": method,
        # Noise is drawn for each part; 8 bits turn a rounding error into a level.
        "bottleneck": {"noise": 0.0, "quantize": False},
        # Spectral norms are estimated anew in every pass: more passes, a better estimate.
        "discriminator": {"layers": 1, "width": 8, "pool_size": 0, "spectral_norm": False},
        "data": {"size": 32},
    }
    moments = []
    for size, accumulate in ((4, 1), (2, 2), (1, 4)):
        experiment = small(batch_size=size, accumulate=accumulate, **changes)
        trainer = Trainer(experiment, tmp_path / str(size))
        trainer.advance(*next(trainer._walk()))
        slots = [slot["exp_avg"] for o in trainer.method.optimizers.values() for slot in o.state.values()]
        moments.append(torch.cat([slot.flatten() for slot in slots]))
    for parts in moments[1:]:
        assert ((parts - moments[0]).norm() / moments[0].norm()).item() < 5e-3


@pytest.mark.parametrize(
    ("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGUSR1", 128 + signal.SIGUSR1)]
)
def test_signals_save_and_leave(tmp_path, name, code):
    process = start(tmp_path, "--set", "data.workers=1")
    # To the whole group, as Ctrl-C and job schedulers do: loader processes must not fall over.
    os.killpg(process.pid, getattr(signal, name))
    process.join()
    said = (tmp_path / "said").read_text()
    assert process.exitcode == code, said
    assert "stopped and saved" in said
    assert checkpoints_in(tmp_path / "run")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
@pytest.mark.parametrize(
    "moment", ["first step", "later step", "due step", "last step", "validation", "save"]
)
def test_a_signal_at_any_moment_loses_nothing(tmp_path, monkeypatch, moment, number):
    def signalled(work, at: int):
        calls = []

        def do(*arguments):
            calls.append(arguments)
            if len(calls) == at:
                os.kill(os.getpid(), number)
            return work(*arguments)

        return do

    experiment = small(method="regression", save_every=2)
    whole = train(experiment, tmp_path / "whole")
    trainer = Trainer(experiment, tmp_path / "run")
    with monkeypatch.context() as patch:
        place, work, at = {
            "first step": (trainer, "advance", 1),
            "later step": (trainer, "advance", 3),
            "due step": (trainer, "advance", 4),
            "last step": (trainer, "advance", 6),
            "validation": (training, "chroma_error", 1),
            "save": (training, "save_checkpoint", 1),
        }[moment]
        patch.setattr(place, work, signalled(getattr(place, work), at))
        with pytest.raises(Interrupted) as stopped, closing(trainer):
            trainer.run()
    assert stopped.value.exit_code == 128 + number
    step = {"first step": 1, "due step": 4, "last step": 6}.get(moment, 3)
    assert read_checkpoint(checkpoints_in(tmp_path / "run")[-1]).step == step
    assert same(whole, train(experiment, tmp_path / "run"))
    assert best_of(tmp_path / "run").name == best_of(tmp_path / "whole").name


def test_a_last_checkpoint_without_a_score_gets_one(tmp_path):
    """A run that was stopped early ends there when fewer steps are asked for."""
    experiment = small(method="regression", save_every=10)
    trainer = Trainer(experiment, tmp_path)
    walk = trainer._walk()
    for _ in range(2):
        trainer.advance(*next(walk))
    assert read_checkpoint(trainer.save()).score is None
    last = train(small(method="regression", save_every=10, num_steps=2), tmp_path)
    assert read_checkpoint(last).score > 0


def test_other_piles_are_named_and_refused(tmp_path, photo_folder, said):
    data = {"gray": str(photo_folder / "sub"), "color": str(photo_folder), "size": 16}
    experiment = small(num_steps=2, save_every=1, data=data)
    train(experiment, tmp_path / "run")
    checkpoints_in(tmp_path / "run")[-1].unlink()
    moved = photo_folder.rename(tmp_path / "moved")
    data |= {"gray": str(moved / "sub"), "color": str(moved)}
    same_photos = small(num_steps=2, save_every=1, data=data)
    assert Trainer(same_photos, tmp_path / "run").step == 1
    for name in ("1.jpg", "2.png", "3.jpg"):
        (moved / name).unlink()
    changed = "the color pile changed from 6 to 3 photos since step 1; .*--allow-changed-data"
    with pytest.raises(CycleColorError, match=changed):
        Trainer(same_photos, tmp_path / "run")
    Image.new("RGB", (40, 40)).save(moved / "sub/5.png")
    with pytest.raises(CycleColorError, match="the gray pile changed and the color pile changed from 6"):
        Trainer(same_photos, tmp_path / "run")
    assert read_checkpoint(train(same_photos, tmp_path / "run", allow_changed_data=True)).step == 2
    assert any("the gray pile changed and the color pile changed from 6 to 3" in line for line in said)


def test_scenes_in_place_of_photos_are_refused(tmp_path, photo_folder):
    train(small(method="regression", num_steps=1), tmp_path)
    experiment = small(method="regression", num_steps=2, data={"color": str(photo_folder), "size": 16})
    with pytest.raises(CycleColorError, match="the color pile changed since step 1"):
        Trainer(experiment, tmp_path)


def test_second_interrupt_leaves_at_once(tmp_path):
    class Stuck(Trainer):
        def advance(self, *batches):
            (tmp_path / "stuck").touch()
            while signal.getsignal(signal.SIGINT) is not signal.SIG_DFL:  # the first has come
                time.sleep(0.01)
            (tmp_path / "interrupted").touch()
            signal.pause()

    process = multiprocessing.get_context("fork").Process(
        target=lambda: Stuck(small(), tmp_path / "run").run()
    )
    process.start()
    for moment in ("stuck", "interrupted"):
        while not (tmp_path / moment).exists():
            assert process.is_alive()
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGINT)
    process.join()
    assert process.exitcode == -signal.SIGINT  # which shells call 130


def test_several_processes_wait_for_each_other_after_a_second_interrupt():
    with Stop(patient=True) as stop:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.signal == signal.SIGINT


def test_second_training_is_refused_until_the_first_is_dead(tmp_path):
    process = start(tmp_path)
    with pytest.raises(CycleColorError, match=f"another training is running there .process {process.pid} "):
        RunLock(tmp_path / "run")
    process.kill()
    process.join()
    RunLock(tmp_path / "run").release()


def start(folder: Path, *options: str) -> "multiprocessing.Process":
    """A process of its own group, in a training of a million steps, that has taken its first."""
    experiment, run = folder / "x.toml", folder / "run"
    experiment.write_text(
        "num_steps = 1_000_000\nbatch_size = 1\nmethod = 'regression'\nprecision = 'float32'\nlog_every = 1\n"
        "[data]\nsize = 16\n[G_color]\ntype = 'resnet'\nwidth = 2\nblocks = 1\n"
    )

    def command():
        os.setsid()
        with open(folder / "said", "w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        sys.stdout = sys.stderr = open(1, "w", closefd=False)  # noqa: SIM115
        main(["train", str(experiment), "--run-dir", str(run), *options])

    process = multiprocessing.get_context("fork").Process(target=command)
    process.start()
    while not (run / "log.jsonl").is_file():
        assert process.is_alive(), (folder / "said").read_text()
        time.sleep(0.02)
    return process


@pytest.mark.parametrize("damaged", [1, 2])
@pytest.mark.parametrize("how", ["flip", "cut", "empty", "header", "other"])
def test_damaged_checkpoints_give_way_to_the_one_before(tmp_path, trained, how, damaged, said):
    run = copy_run(trained, tmp_path)
    damage(checkpoints_in(run)[-damaged:], how)
    trainer = Trainer(small(), run)
    assert trainer.step == 6 - 2 * damaged
    assert sum("trying the one before" in line for line in said) == damaged
    assert len(list(run.glob("checkpoints/*.damaged"))) == damaged


def damage(paths: list[Path], how: str) -> None:
    for path in paths:
        content = bytearray(path.read_bytes())
        if how == "flip":
            content[-100] ^= 1
        elif how == "header":
            content[content.index(b"learning_rate") + 20] ^= 1
        contents = {"cut": content[: len(content) // 2], "empty": b"", "other": b"GIF89a"}
        path.write_bytes(contents.get(how, content))


@pytest.mark.parametrize("command", ["info", "evaluate", "translate", "export"])
def test_whoever_reads_a_run_takes_its_newest_whole_checkpoint(tmp_path, trained, photo_folder, command):
    (run := tmp_path / "run").mkdir()
    copy_run(trained, run)
    damage(checkpoints_in(run)[-1:], "flip")
    arguments = {
        "info": [run],
        "evaluate": [run, "--color", photo_folder, "--json", tmp_path / "scores.json"],
        "translate": [photo_folder, "-c", run],
        "export": [run, tmp_path / "small.safetensors"],
    }[command]
    done = CliRunner().invoke(main, [command, *map(str, arguments)])
    assert done.exit_code == 0, done.output
    assert "step_00000006.safetensors: not a whole checkpoint: damaged" in done.stderr
    if command == "info":
        assert "step_00000004.safetensors: cyclegan in lab, step 4" in done.stdout
    if command == "export":
        assert read_checkpoint(tmp_path / "small.safetensors").step == 4
    assert len(checkpoints_in(run)) == 3  # only a training sets damaged ones aside
    damage(checkpoints_in(run), "cut")
    done = CliRunner().invoke(main, [command, *map(str, arguments)])
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (
        1,
        f"cyclecolor: {run}: all checkpoints in this folder are damaged",
    )


def test_no_whole_checkpoint_is_an_error_and_nothing_is_touched(tmp_path, trained):
    run = copy_run(trained, tmp_path)
    for path in checkpoints_in(run):
        path.write_bytes(b"gone")
    before = sorted(p.name for p in run.rglob("*"))
    with pytest.raises(CycleColorError, match="all checkpoints are damaged"):
        Trainer(small(), run)
    assert sorted(p.name for p in run.rglob("*") if p.name != ".lock") == [n for n in before if n != ".lock"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A run of six steps with checkpoints of 2, 4 and 6."""
    run = tmp_path_factory.mktemp("trained")
    train(small(save_every=2), run)
    assert [path.stem for path in checkpoints_in(run)] == ["step_00000002", "step_00000004", "step_00000006"]
    return run


def copy_run(run: Path, target: Path) -> Path:
    folder = target / "checkpoints"
    folder.mkdir()
    for path in checkpoints_in(run):
        (folder / path.name).write_bytes(path.read_bytes())
    return target


def test_half_files_of_a_killed_training_go(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    for folder in (tmp_path, tmp_path / "checkpoints"):
        for name in (".cyclecolor-12.tmp", "12.tmp"):
            (folder / name).write_bytes(b"half")
    drop_temporaries(tmp_path)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    assert left == {"12.tmp", "checkpoints", "checkpoints/12.tmp"}


@pytest.mark.parametrize("keep", [1, 2, 3, 99])
def test_the_newest_are_kept_and_the_best_at_any_time(tmp_path, monkeypatch, keep):
    errors = iter([0.5, 0.2, 0.4, 0.3, 0.6])
    monkeypatch.setattr(training, "chroma_error", lambda *_: next(errors))
    unlink = Path.unlink

    def count_and_unlink(path, **options):
        # A checkpoint only ever goes here, so this is the least that a kill at any time can leave.
        left = [other for other in checkpoints_in(tmp_path) if other != path]
        assert sum(read_checkpoint(other).step > 0 for other in left) >= keep
        unlink(path, **options)

    monkeypatch.setattr(Path, "unlink", count_and_unlink)
    train(small(method="regression", num_steps=5, save_every=1, keep=keep), tmp_path)
    steps = [int(path.stem.removeprefix("step_")) for path in checkpoints_in(tmp_path)]
    assert steps == {1: [2, 5], 2: [2, 4, 5], 3: [2, 3, 4, 5], 99: [1, 2, 3, 4, 5]}[keep]
    assert best_of(tmp_path).stem == "step_00000002"


def test_full_disk_on_the_way_costs_a_checkpoint_not_the_training(tmp_path, monkeypatch, said):
    real, calls = os.fsync, []

    def fsync(descriptor):
        calls.append(descriptor)
        if len(calls) == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr("os.fsync", fsync)
    path = train(small(method="regression"), tmp_path)
    assert any("No space left on device" in line and "continues" in line for line in said)
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == [path.name]


def test_full_disk_at_the_end_is_an_error_and_the_one_before_stays(tmp_path, trained, monkeypatch):
    run = copy_run(trained, tmp_path)
    checkpoints_in(run)[-1].unlink()

    def fsync(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", fsync)
    with pytest.raises(CycleColorError, match=r"step_00000006.*No space left"):
        train(small(save_every=100), run)
    assert sorted(p.stem for p in (run / "checkpoints").iterdir()) == ["step_00000002", "step_00000004"]


def test_a_full_disk_costs_the_log_not_the_training(tmp_path, said):
    (tmp_path / "log.jsonl").symlink_to("/dev/full")
    train(small(method="regression"), tmp_path)
    failed = (
        f"{tmp_path}/log.jsonl: cannot be written: No space left on device; training continues without a log"
    )
    assert said.count(failed) == 1


def test_a_read_only_folder_is_named(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(CycleColorError, match=f"^{tmp_path}: cannot be written: Read-only file system$"):
        Trainer(small(), tmp_path)


def test_saved_by_the_clock(tmp_path):
    train(small(method="regression", num_steps=3, save_every=100, save_every_minutes=1e-9), tmp_path)
    assert [path.stem[-1] for path in checkpoints_in(tmp_path)] == ["1", "2", "3"]
    scores = [read_checkpoint(path).score for path in checkpoints_in(tmp_path)]
    assert scores[:2] == [None, None]  # a slower machine would have others: what is best must not differ
    assert scores[2] is not None


def test_a_log_line_that_was_cut_is_done_again(tmp_path, trained):
    run = copy_run(trained, tmp_path)
    checkpoints_in(run)[-1].unlink()
    (run / "log.jsonl").write_text('{"step": 4, "x": 1}\n{"step": 5, "x": 1}\n{"ste')
    Trainer(small(), run)
    assert (run / "log.jsonl").read_text() == '{"step": 4, "x": 1}\n'


@pytest.mark.parametrize("odd", ['{"x": 1}', "[1]", "7"])
def test_lines_of_the_log_that_name_no_step_are_dropped(tmp_path, trained, odd):
    run = copy_run(trained, tmp_path)
    (run / "log.jsonl").write_text(f'{{"step": 1, "x": 1}}\n{odd}\n')
    Trainer(small(), run).close()
    assert (run / "log.jsonl").read_text() == '{"step": 1, "x": 1}\n'


@pytest.mark.parametrize("gone", [lambda path: path.write_bytes(b"no longer a photo"), Path.unlink])
@pytest.mark.parametrize("workers", [0, 1])
def test_a_photo_gone_in_mid_run_is_replaced_and_named(tmp_path, photo_folder, workers, gone, said):
    data = {"color": str(photo_folder), "size": 16, "cache_gb": 0.0, "workers": workers}
    experiment = small(method="regression", num_steps=4, data=data)
    trainer = Trainer(experiment, tmp_path / "run")
    gone(photo_folder / "2.png")
    trainer.run()
    assert sum("2.png" in line and "takes its place" in line for line in said) == 1
    assert "photos that became unreadable during the training: 1" in said


def test_all_photos_gone_in_mid_run_is_one_line_and_an_end(tmp_path, photo_folder):
    """In a process of its own: loader processes must not keep it from ending."""
    code = """if 1:
        import shutil, sys
        from cyclecolor.cli.main import main
        from cyclecolor.training import Trainer

        folder = sys.argv.pop()

        class Losing(Trainer):
            def run(self):
                shutil.rmtree(folder)
                return super().run()

        import cyclecolor.training.trainer as trainer
        trainer.Trainer = Losing
        main()
    """
    (tmp_path / "losing.py").write_text(code)
    (tmp_path / "x.toml").write_text('method = "regression"\nnum_steps = 50\nprecision = "float32"\n')
    data = f"data={{color = '{photo_folder}', cache_gb = 0.0, workers = 1, size = 16}}"
    settings = ["--set", data, "--set", "G_color={width = 8, stages = 2}", "--set", "batch_size=2"]
    command = [sys.executable, tmp_path / "losing.py", "train", tmp_path / "x.toml"]
    command += ["--run-dir", tmp_path / "run", *settings, photo_folder]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert str(photo_folder) in done.stderr.splitlines()[-1]


def test_a_stand_in_depends_on_the_position_alone(photo_folder):
    def samples(positions):
        pile = FolderPile(photo_folder, load_size=48, cache_bytes=0)
        gone.write_bytes(b"gone")
        dataset = PairedDataset(pile, augment=lambda image, seed: image[:16, :16], seed=0)
        drawn = [dataset[position] for position in positions]
        gone.write_bytes(content)
        return drawn

    gone = photo_folder / "0.png"
    content = gone.read_bytes()
    forward, backward = samples(range(12)), samples(range(11, -1, -1))[::-1]
    assert all(torch.equal(a["color"], b["color"]) for a, b in zip(forward, backward, strict=True))
    assert sum("0.png" in sample["unreadable"] for sample in forward) == 2  # once an epoch


def test_loader_processes_that_die_are_started_anew(tmp_path, said):
    experiment = small(method="regression", num_steps=6, data={"size": 16, "workers": 2})
    whole = train(experiment, tmp_path / "whole")

    class Killing(Trainer):
        def advance(self, *batches):
            if self.step == 2:
                loaders = multiprocessing.active_children()
                assert len(loaders) == 2
                for process in loaders:
                    process.kill()
            return super().advance(*batches)

    path = Killing(experiment, tmp_path / "run").run()
    assert same(whole, path)
    assert said[-1] == "loader processes that died and were started again: 1"


def test_photos_that_cannot_be_read_are_listed_once_in_one_table(tmp_path, photo_folder, said):
    """The guards are those of translation: of pixels, of cut files, of what is no photo."""
    (photo_folder / "bad.png").write_bytes(b"bad")
    (photo_folder / "cut.jpg").write_bytes((photo_folder / "1.jpg").read_bytes()[:400])
    bomb = bytearray((photo_folder / "0.png").read_bytes())
    bomb[16:24] = struct.pack(">II", 60_000, 60_000)
    bomb[29:33] = struct.pack(">I", zlib.crc32(bomb[12:29]))
    (photo_folder / "huge.png").write_bytes(bomb)
    Image.new("CMYK", (40, 40)).save(photo_folder / "fine.jpg")
    data = {"gray": str(photo_folder), "color": str(photo_folder), "size": 16}
    trainer = Trainer(small(data=data), tmp_path / "run")
    assert len(trainer.piles["gray"]) == 7
    assert sum("6 photos set aside" in line for line in said) == 1
    table = list(csv.DictReader((tmp_path / "run" / "set_aside.csv").read_text().splitlines()))
    for pile in ("gray", "color"):
        reasons = sorted(row["reason"] for row in table if row["pile"] == pile)
        assert [Path(reason.split(":")[0]).name for reason in reasons] == ["bad.png", "cut.jpg", "huge.png"]
        assert "pixels" in reasons[2]
