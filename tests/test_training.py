"""Resuming, checkpoints, data order."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from conftest import PAPER, tiny_experiment
from PIL import Image

from cyclecolor.checkpoint import average_checkpoint, export_checkpoint, read_checkpoint
from cyclecolor.cli.main import main
from cyclecolor.config import Data
from cyclecolor.data import PairedDataset, ScenePile, UnpairedDataset, batches, open_piles
from cyclecolor.data.augment import Augment, Tones
from cyclecolor.errors import CycleColorError
from cyclecolor.inference import ChromaColorizer, load
from cyclecolor.networks import FusionGenerator
from cyclecolor.training import Trainer, summarize, train
from cyclecolor.training.ema import average_of
from cyclecolor.training.held_out import some_photos
from cyclecolor.training.schedule import rate_scale
from cyclecolor.training.step import StepResult


def test_resumed_equals_uninterrupted_with_batch_statistics(tmp_path):
    network = {"type": "fusion", "stages": 1, "width": 4}
    experiment = tiny_experiment(G_color=network, G_gray=network, num_steps=4)
    whole = read_checkpoint(train(experiment, tmp_path / "whole"))

    first = Trainer(experiment, tmp_path / "parts")
    steps = first._walk()
    for _ in range(2):
        first.advance(*next(steps))
    first.save()
    parts = read_checkpoint(train(experiment, tmp_path / "parts"))

    assert whole.tensors.keys() == parts.tensors.keys()
    assert all(torch.equal(whole.tensors[name], parts.tensors[name]) for name in whole.tensors)
    logs = [(tmp_path / run / "log.jsonl").read_text().splitlines() for run in ("whole", "parts")]
    assert logs[0][2:] == logs[1]


def test_starting_from_another_run_takes_its_averaged_color_generator(tmp_path):
    first = train(tiny_experiment(), tmp_path / "first")
    export_checkpoint(read_checkpoint(first), tmp_path / "small.safetensors")
    weights = read_checkpoint(tmp_path / "small.safetensors").averaged("G_color")
    second = Trainer(tiny_experiment(seed=1, init=str(tmp_path / "small.safetensors")), tmp_path / "s")
    for networks in (second.method.networks, {"G_color": second.averages["G_color"].module}):
        state = networks["G_color"].state_dict()
        assert state.keys() == weights.keys()
        assert all(torch.equal(state[name], weights[name].to(state[name])) for name in state)
    for changes, reason in (({"space": "luv"}, "'space': 'lab'"), ({"G_color": {"stages": 1}}, "stages")):
        experiment = tiny_experiment(init=str(first), **changes)
        with pytest.raises(CycleColorError, match=reason):
            Trainer(experiment, tmp_path / "refused")


def test_what_makes_whole_images_is_no_start_and_no_teacher(tmp_path):
    """Its G_color has the same settings, and another number of channels."""
    first = train(tiny_experiment(**PAPER, num_steps=1), tmp_path / "first")
    changes = {"G_color": PAPER["G_color"], "method": "regression"}
    with pytest.raises(CycleColorError, match=r"its G_color was made with \{'space': 'rgb'\}"):
        Trainer(tiny_experiment(init=str(first), **changes), tmp_path / "second")
    changes |= {"method": "distillation", "teachers": [str(first)]}
    with pytest.raises(CycleColorError, match=r"the colors of .* are \{'space': 'rgb'"):
        Trainer(tiny_experiment(**changes), tmp_path / "third")


def test_a_run_that_is_refused_lets_others_in(tmp_path):
    """Another process may hold the folder then."""
    train(tiny_experiment(num_steps=1), tmp_path)
    with pytest.raises(CycleColorError, match="trained with other settings"):
        train(tiny_experiment(num_steps=1, batch_size=3), tmp_path)
    code = "import sys; from cyclecolor.training import RunLock; RunLock(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, tmp_path], check=True)


def test_statistics_of_the_start_are_kept_if_wanted(tmp_path):
    first = train(tiny_experiment(), tmp_path / "first")
    start = read_checkpoint(first).averaged("G_color")

    def trained(**changes) -> dict[str, torch.Tensor]:
        experiment = tiny_experiment(init=str(first), seed=1, num_steps=2, **changes)
        run_dir = tmp_path / f"run{len(changes)}"
        return read_checkpoint(train(experiment, run_dir)).averaged("G_color")

    kept, moved = trained(keep_statistics=True), trained()
    statistics = [name for name in start if "running_" in name]
    assert statistics
    for name in statistics:
        assert torch.equal(kept[name], start[name])
        assert not torch.equal(moved[name], start[name])
    weights = [name for name in start if name.endswith("weight")]
    assert all(torch.equal(kept[name], moved[name]) for name in weights)  # a batch is normalized by its own
    assert any(not torch.equal(kept[name], start[name]) for name in weights)
    with pytest.raises(CycleColorError, match="set init too"):
        tiny_experiment(keep_statistics=True)


def test_how_an_encoder_learned_before_does_not_matter_to_who_starts_from_it(tmp_path, monkeypatch):
    """Nor are ImageNet's weights, which may not be here, asked for, but for `G_gray`."""
    asked = []
    monkeypatch.setattr(FusionGenerator, "load_imagenet", lambda generator: asked.append(generator))
    network = {"encoder": "resnet18", "stages": 1, "width": 4}
    first = train(tiny_experiment(num_steps=1, G_color=network, G_gray=network), tmp_path / "first")
    assert not asked
    learner = {**network, "pretrained": True, "encoder_rate": 0.5}
    second = Trainer(tiny_experiment(init=str(first), G_color=learner, G_gray=learner), tmp_path / "second")
    second.close()
    gray = list(second.method.networks["G_gray"].modules())
    assert len(asked) == 1
    assert any(module is asked[0] for module in gray)


def test_a_run_without_pools_goes_on(tmp_path):
    changes = {"discriminator": {"layers": 1, "width": 8, "pool_size": 0}, "decay_from": 1.0}
    train(tiny_experiment(num_steps=1, **changes), tmp_path)
    assert read_checkpoint(train(tiny_experiment(num_steps=2, **changes), tmp_path)).step == 2


def test_a_start_is_no_reason_not_to_resume(tmp_path):
    first = train(tiny_experiment(), tmp_path / "first")
    experiment = tiny_experiment(num_steps=4, save_every=2, init=str(first))
    whole = train(experiment, tmp_path / "whole")
    first.unlink()
    Path(whole).unlink()
    again = read_checkpoint(train(experiment, tmp_path / "whole"))
    assert again.step == 4


def test_different_steps_differ(tmp_path):
    paths = [
        train(tiny_experiment(num_steps=steps, decay_from=1.0), tmp_path / str(steps)) for steps in (2, 3)
    ]
    two, three = (read_checkpoint(path).tensors for path in paths)
    assert any(not torch.equal(two[name], three[name]) for name in two)


def test_workers_and_start_change_nothing():
    dataset = UnpairedDataset(
        ScenePile(1, 5, size=32), ScenePile(2, 3, size=32), augment=Augment(32, 0.5), seed=0
    )
    alone = list(batches(dataset, start=0, stop=4, batch_size=2, workers=0))
    later = list(batches(dataset, start=2, stop=4, batch_size=2, workers=0))
    shared = list(batches(dataset, start=0, stop=4, batch_size=2, workers=2))
    for one, other in [*zip(alone, shared, strict=True), *zip(alone[2:], later, strict=True)]:
        assert all(torch.equal(one[name], other[name]) for name in ("gray", "color"))


def paired(**options):
    """Pairs of generated scenes, always seen whole."""
    return PairedDataset(ScenePile(2, 3, size=32), augment=Augment(32, 1.0), seed=0, **options)


def test_a_film_shows_a_share_of_the_photos():
    plain, pairs = paired(), paired(film="all_films", film_share=0.25)
    on_film = []
    for position in range(200):
        sample, color = pairs[position], plain[position]["color"]
        assert torch.equal(sample["color"], color)
        on_film.append(not torch.equal(sample["gray"], color))
        if on_film[-1]:
            assert torch.equal(sample["gray"][0], sample["gray"][1])
    assert np.mean(on_film) == pytest.approx(0.25, abs=0.1)  # three deviations


def test_every_film_of_augmentation_is_new_and_others_are_the_photos_own():
    for film, new in (("all_films", True), ("generic", True), ("worn_print", False)):
        dataset = paired(film=film)
        dataset.augment = lambda image, seed: image
        seen = {}
        for position in range(9):  # three epochs of three photos
            sample = dataset[position]
            seen.setdefault(sample["color"].numpy().tobytes(), set()).add(sample["gray"].numpy().tobytes())
        assert {len(grays) for grays in seen.values()} == {3 if new else 1}


def test_tones_change_grays_alone_and_keep_their_order():
    plain, toned = paired(), paired(tones=Tones(1.0))
    changed = 0
    for position in range(24):
        sample, color = toned[position], plain[position]["color"]
        assert torch.equal(sample["color"], color)
        assert torch.equal(sample["gray"], toned[position]["gray"])
        changed += not torch.equal(sample["gray"], color)
        before, after = color[0].flatten().long(), sample["gray"][0].flatten().long()
        assert (after[before.argsort(stable=True)].diff() >= 0).all()
    assert 15 <= changed <= 24  # an eighth stays: 21 are expected


class Numbers(ScenePile):
    """Photos that tell which they are."""

    def __getitem__(self, index):
        return torch.full((4, 4, 3), index, dtype=torch.uint8).numpy()


def test_every_photo_once_an_epoch():
    dataset = UnpairedDataset(
        Numbers(0, 7, size=4), Numbers(0, 5, size=4), augment=lambda image, seed: image, seed=0
    )
    drawn = [int(dataset[position]["gray"][0, 0, 0]) for position in range(14)]
    assert sorted(drawn[:7]) == sorted(drawn[7:]) == list(range(7))
    assert drawn[:7] != drawn[7:]


def test_every_photo_once_an_epoch_while_the_number_of_processes_changes():
    pile = Numbers(0, 12, size=4)
    dataset = UnpairedDataset(pile, pile, augment=lambda image, seed: image, seed=0)
    drawn = []
    for start, count in ((0, 2), (1, 1), (2, 2)):
        for rank in range(count):
            walk = batches(
                dataset, start=start, stop=start + 1, batch_size=4, workers=0, rank=rank, world_size=count
            )
            drawn += [int(image[0, 0, 0]) for batch in walk for image in batch["gray"]]
    assert sorted(drawn) == list(range(12))


def test_other_settings_are_refused(tmp_path):
    train(tiny_experiment(num_steps=1), tmp_path)
    with pytest.raises(CycleColorError, match="learning_rate") as refused:
        Trainer(tiny_experiment(learning_rate=1.0), tmp_path)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"\x08\0\0\0\0\0\0\0{}      "])
def test_foreign_files_are_refused(tmp_path, content):
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(CycleColorError, match=r"x\.safetensors"):
        read_checkpoint(path)


def test_exported_checkpoint_colors_alike(tmp_path):
    checkpoint = read_checkpoint(train(tiny_experiment(), tmp_path / "run"))
    export_checkpoint(checkpoint, tmp_path / "small.safetensors")
    exported = read_checkpoint(tmp_path / "small.safetensors")
    lightness = torch.rand(1, 1, 40, 40) * 2 - 1
    ours, theirs = (ChromaColorizer(c).chroma(lightness) for c in (checkpoint, exported))
    assert (ours - theirs).abs().max() < 2e-3
    assert len(exported.tensors) < len(checkpoint.tensors) / 2
    for name, tensor in exported.tensors.items():
        counts = name.endswith(("n_averaged", "num_batches_tracked"))
        assert tensor.dtype == (torch.int64 if counts else torch.float16), name
    export_checkpoint(checkpoint, tmp_path / "vivid.safetensors", saturation=1.5)
    vivid = ChromaColorizer(read_checkpoint(tmp_path / "vivid.safetensors")).chroma(lightness)
    torch.testing.assert_close(vivid, 1.5 * theirs)


def test_an_export_is_told_its_working_size(tmp_path):
    run, output = train(tiny_experiment(num_steps=1), tmp_path / "run"), tmp_path / "large.safetensors"
    result = CliRunner().invoke(main, ["export", str(run), str(output), "--size", "48"])
    assert result.exit_code == 0, result.output
    assert load(run).size == 32  # that of training
    assert load(output).size == 48
    assert load(output, size=64).size == 64  # a person has the last word


def test_how_colors_are_made_may_change_when_a_run_goes_on(tmp_path):
    train(tiny_experiment(num_steps=1), tmp_path)
    look = {"working_size": 48, "saturation": 1.5, "emphasis": 0.5, "balance": 0.5}
    changed = read_checkpoint(train(tiny_experiment(num_steps=2, **look), tmp_path))
    assert changed.step == 2
    assert {name: getattr(changed.experiment, name) for name in look} == look


def test_a_run_is_averaged_over_its_newest_checkpoints(tmp_path):
    newest = read_checkpoint(train(tiny_experiment(save_every=2, keep=3), tmp_path / "run"))
    last, before, first = (
        read_checkpoint(tmp_path / "run/checkpoints" / f"step_{step:08}.safetensors") for step in (6, 4, 2)
    )
    mean = average_checkpoint(tmp_path / "run", 2)
    assert (mean.step, mean.experiment) == (6, newest.experiment)
    ours, theirs, earlier = (found.averaged("G_color") for found in (mean, last, before))
    for name, tensor in ours.items():
        if tensor.is_floating_point():
            torch.testing.assert_close(tensor, (theirs[name] + earlier[name]) / 2)
        else:
            assert torch.equal(tensor, theirs[name])
    assert any(not torch.equal(ours[name], theirs[name]) for name in ours)
    assert torch.equal(
        mean.tensors["networks/G_color/output.weight"], last.tensors["networks/G_color/output.weight"]
    )
    alone = average_checkpoint(tmp_path / "run", 1).averaged("G_color")
    assert all(torch.equal(alone[name], theirs[name]) for name in alone)
    name = "output.weight"
    of_all = average_checkpoint(tmp_path / "run", 3).averaged("G_color")[name]
    torch.testing.assert_close(of_all, (theirs[name] + earlier[name] + first.averaged("G_color")[name]) / 3)
    with pytest.raises(CycleColorError, match="3 checkpoints here, and 4 are to be averaged") as error:
        average_checkpoint(tmp_path / "run", 4)
    assert error.value.exit_code == 2


def test_rate_schedule():
    assert [rate_scale(p, 0.5) for p in (0, 0.49, 0.75, 1)] == [1, 1, 0.5, 0]


def test_every_step_is_taken_at_the_rate_of_the_schedule(tmp_path):
    """Of eight steps the last four are slower; a watch that halves the rate halves what is left of it."""
    film = {"G_gray": {"type": "film"}, "learning_rate": 0.8, "film_rate": 0.5, "match_steps": 1}
    experiment = tiny_experiment(**film, method="cyclegan", num_steps=8, decay_from=0.5, data={"size": 32})
    trainer, rates = Trainer(experiment, tmp_path), []

    def take_step(step, *batches):
        groups = [group["lr"] for o in trainer.method.optimizers.values() for group in o.param_groups]
        rates.append([rate / start for rate, start in zip(groups, (0.8, 0.4, 1e-3, 1e-3), strict=True)])
        return StepResult({}, None)

    trainer.take_step = take_step
    for step in range(8):
        if step == 6:
            trainer.watch.halve_rate()
        trainer.advance({})
    trainer.close()
    for found, expected in zip(rates, (1, 1, 1, 1, 1, 0.75, 0.25, 0.125), strict=True):
        assert found == pytest.approx([expected] * 4)


def test_a_training_on_the_smallest_crops_has_a_result_to_show(tmp_path):
    experiment = tiny_experiment(method="regression", num_steps=1, data={"size": 16})
    lines = summarize(experiment, tmp_path, train(experiment, tmp_path)).splitlines()
    assert any(line.startswith("score       CIEDE2000") for line in lines)


@pytest.mark.parametrize(("side", "has_sheet"), [(1, False), (40, True)])
@pytest.mark.parametrize("folders", [("gray_train", "color_train"), ("trainA", "trainB")])
def test_a_training_without_photos_to_measure_has_a_result(tmp_path, folders, side, has_sheet):
    for folder in folders:
        (tmp_path / folder).mkdir()
        Image.new("RGB", (side, 2 * side), (200, 90, 60)).save(tmp_path / folder / "a.png")
    changes = {"method": "regression", "num_steps": 1, "data": {"size": 32, "root": str(tmp_path)}}
    experiment = tiny_experiment(**changes)
    said = summarize(experiment, tmp_path / "run", train(experiment, tmp_path / "run"))
    assert ("sheet " in said) == (tmp_path / "run/sheet.png").exists() == has_sheet
    assert "next        cyclecolor translate" in said


@pytest.mark.parametrize("given", [("gray", "color"), ("gray",), ("color",)])
def test_folders_of_their_own_come_before_those_of_the_root(tmp_path, given):
    for name in ("root/gray_train", "root/color_train", "gray", "color"):
        (tmp_path / name).mkdir(parents=True)
        Image.new("RGB", (20, 20), (200, 90, 60)).save(tmp_path / name / "a.png")
    data = Data(root=str(tmp_path / "root"), **{name: str(tmp_path / name) for name in given})
    piles = open_piles(data, paired=False)
    found = {name: pile.root.relative_to(tmp_path).as_posix() for name, pile in piles.items()}
    assert found == {name: name if name in given else f"root/{name}_train" for name in ("gray", "color")}


def test_piles_that_are_gone_at_the_end_have_no_photos_to_show(tmp_path):
    assert some_photos(Data(gray=str(tmp_path / "gone")), 3) == []


def test_a_training_on_gray_photos_has_nothing_to_score(tmp_path):
    for folder in ("gray_train", "color_train", "color_test"):
        (tmp_path / folder).mkdir()
        Image.new("RGB", (40, 40), (90, 90, 90)).save(tmp_path / folder / "a.png")
    changes = {"method": "regression", "num_steps": 1, "data": {"size": 32, "root": str(tmp_path)}}
    experiment = tiny_experiment(**changes)
    said = summarize(experiment, tmp_path / "run", train(experiment, tmp_path / "run"))
    assert "score" not in said
    assert "checkpoint " in said


def test_log_has_a_line_each_step(tmp_path):
    train(tiny_experiment(), tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]


def test_average_forgets_the_start_and_follows_its_decay():
    network = torch.nn.Linear(1, 1, bias=False)
    average = average_of(network, 0.9)
    weights = [1.0, 3.0, 5.0]
    for weight in weights:
        torch.nn.init.constant_(network.weight, weight)
        average.update_parameters(network)
    # n = 0 copies; then decay 2/11 and 3/12.
    expected = (1.0 * 2 / 11 + 3.0 * 9 / 11) * 3 / 12 + 5.0 * 9 / 12
    assert average.module.weight.item() == pytest.approx(expected, rel=1e-6)


def test_averages_are_of_buffers_too_and_count_batches_alike():
    network = torch.nn.BatchNorm2d(1)
    average = average_of(network, 0.9)
    for value in (1.0, 3.0, 5.0):
        network.running_mean.fill_(value)
        network.num_batches_tracked += 1
        average.update_parameters(network)
    expected = (1.0 * 2 / 11 + 3.0 * 9 / 11) * 3 / 12 + 5.0 * 9 / 12
    assert average.module.running_mean.item() == pytest.approx(expected, rel=1e-6)
    assert average.module.num_batches_tracked.item() == 3


def test_deterministic_asks_for_one_order_and_learns_the_same(tmp_path, monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")  # so that what is set goes with the test
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    weights = []
    try:
        for deterministic in (False, True):
            changes = {"num_steps": 2, "match_steps": 3, "G_gray": {"type": "film"}}
            experiment = tiny_experiment(deterministic=deterministic, **changes)
            path = train(experiment, tmp_path / str(deterministic))
            weights.append(read_checkpoint(path).below("networks"))
        assert torch.are_deterministic_algorithms_enabled()
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"]
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
