"""Statistics of norms, taken anew on photos of which they are known."""

import numpy as np
import pytest
import torch
from conftest import PAPER, tiny_experiment
from PIL import Image

from cyclecolor.checkpoint import read_checkpoint
from cyclecolor.color import SPACES
from cyclecolor.errors import CycleColorError
from cyclecolor.methods import METHODS
from cyclecolor.training import train
from cyclecolor.training.statistics import renew_statistics


@pytest.fixture
def flat_photos(tmp_path):
    folder = tmp_path / "flat"
    folder.mkdir()
    for i in range(3):
        Image.fromarray(np.full((40, 50, 3), 180, np.uint8)).save(folder / f"{i}.png")
    return folder


def test_statistics_are_those_of_the_photos(tmp_path, flat_photos):
    checkpoint = read_checkpoint(train(tiny_experiment(num_steps=1), tmp_path / "run"))
    renewed = renew_statistics(checkpoint, flat_photos)
    network = METHODS[checkpoint.experiment.method].build_generator("G_color", checkpoint.experiment)
    network.load_state_dict(renewed.averaged("G_color"))
    image = torch.full((1, 3, 32, 32), 180 / 255)
    with torch.inference_mode():
        maps = network.stem[0](SPACES["lab"].gray(image))
    torch.testing.assert_close(network.stem[1].running_mean, maps.mean(dim=(0, 2, 3)))
    variance = maps.expand(16, -1, -1, -1).var(dim=(0, 2, 3))
    torch.testing.assert_close(network.stem[1].running_var, variance, rtol=1e-3, atol=1e-7)


def test_nothing_else_changes(tmp_path, flat_photos):
    checkpoint = read_checkpoint(train(tiny_experiment(num_steps=1), tmp_path / "run"))
    renewed = renew_statistics(checkpoint, flat_photos)
    changed = {n for n, t in renewed.tensors.items() if not torch.equal(t, checkpoint.tensors[n])}
    assert changed
    assert all(name.startswith("ema/G_color/module.") for name in changed)
    assert {name.rsplit(".", 1)[1] for name in changed} <= {
        "running_mean",
        "running_var",
        "num_batches_tracked",
    }


def test_whole_images_have_none(tmp_path, flat_photos):
    experiment = tiny_experiment(**{**PAPER, "num_steps": 1})
    checkpoint = read_checkpoint(train(experiment, tmp_path / "run"))
    with pytest.raises(CycleColorError, match="lab or luv"):
        renew_statistics(checkpoint, flat_photos)
