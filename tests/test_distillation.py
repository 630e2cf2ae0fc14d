"""Learning from other networks: what of them, which ones, and that a run goes on with them."""

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from conftest import tiny_experiment

from cyclecolor.checkpoint import export_checkpoint, read_checkpoint
from cyclecolor.cli.main import main
from cyclecolor.color import SPACES
from cyclecolor.config import parse_experiment
from cyclecolor.data import render_scene
from cyclecolor.errors import CycleColorError
from cyclecolor.inference import load
from cyclecolor.training import Trainer, train


@pytest.fixture(scope="module")
def teachers(tmp_path_factory):
    """Two networks, trained for a step from two seeds."""
    folder = tmp_path_factory.mktemp("teachers")
    return [
        str(train(tiny_experiment(method="regression", num_steps=1, seed=seed), folder / str(seed)))
        for seed in (1, 2)
    ]


def taught(teachers, **changes):
    """A tiny training that learns from them."""
    return tiny_experiment(method="distillation", teachers=teachers, **changes)


def test_it_comes_to_answer_as_their_mean(teachers, tmp_path):
    weights = {"lambda_regression": 0.0}
    fast = {"learning_rate": 5e-3, "ema": 0.0, "decay_from": 0.0, "save_every": 1000}
    scenes = np.stack([render_scene(9, i, size=32) for i in range(8)])
    gray = SPACES["lab"].gray(torch.from_numpy(scenes).permute(0, 3, 1, 2) / 255)
    mean = torch.stack([load(path).chroma(gray) for path in teachers]).mean(dim=0)
    far = []
    for steps in (1, 80):
        path = train(taught(teachers, weights=weights, num_steps=steps, **fast), tmp_path / str(steps))
        far.append((load(path).chroma(gray) - mean).abs().mean())
    assert far[1] < far[0] / 3


def test_teachers_do_not_learn_and_are_not_saved(teachers, tmp_path):
    trainer = Trainer(taught(teachers, num_steps=3), tmp_path)

    def weights():
        return [w.clone() for teacher in trainer.method.teachers for w in teacher.state_dict().values()]

    before, path = weights(), trainer.run()
    assert all(torch.equal(one, other) for one, other in zip(before, weights(), strict=True))
    groups = {"/".join(name.split("/")[:2]) for name in read_checkpoint(path).tensors}
    assert groups == {"networks/G_color", "ema/G_color", "optimizers/G"}


def test_teachers_of_another_size_or_space_are_refused(teachers, tmp_path):
    with pytest.raises(CycleColorError, match=r"colors of .*step_.* are .*'stride': 4.*those of G_color .*2"):
        Trainer(taught(teachers, G_color={"stages": 2, "width": 8, "stride": 2}), tmp_path / "size")
    with pytest.raises(CycleColorError, match=r"'space': 'lab'.*'space': 'luv'"):
        Trainer(taught(teachers, space="luv"), tmp_path / "space")


@pytest.mark.parametrize(
    "table", [{"method": "distillation"}, {"method": "regression", "teachers": ["default"]}]
)
def test_teachers_and_the_method_go_together(table):
    with pytest.raises(CycleColorError, match="go together"):
        parse_experiment(table, source="here")


def test_a_teacher_that_is_not_there_is_one_line(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text('num_steps = 1\nmethod = "distillation"\nteachers = ["default", "nowhere"]\n')
    result = CliRunner().invoke(main, ["train", str(path), "--run-dir", str(tmp_path / "run")])
    assert result.exit_code == 2
    assert "nowhere: no file, run folder or released checkpoint of that name" in result.output


def test_a_released_file_names_its_teachers_without_folders(teachers, tmp_path):
    path = train(taught(teachers, num_steps=1), tmp_path / "run")
    export_checkpoint(read_checkpoint(path), tmp_path / "small.safetensors")
    names = read_checkpoint(tmp_path / "small.safetensors").experiment.teachers
    assert names == ("step_00000001.safetensors", "step_00000001.safetensors")
