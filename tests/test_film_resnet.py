"""A ResNet that says on what film each photo is shown: it begins as one film, and repaints nothing."""

import numpy as np
import pytest
import torch
from conftest import tiny_experiment

from cyclecolor.checkpoint import open_checkpoint
from cyclecolor.color import SPACES
from cyclecolor.config import parse_experiment
from cyclecolor.data import render_scene
from cyclecolor.errors import CycleColorError
from cyclecolor.inference import load
from cyclecolor.networks import FilmGenerator, FilmResnet
from cyclecolor.networks.film_generator import by_name, develop
from cyclecolor.networks.film_resnet import LEEWAY
from cyclecolor.training import Trainer, train

LAB = SPACES["lab"]


@pytest.fixture(scope="module")
def color():
    """Scenes (8, 3, 40, 40) as lightness and chroma."""
    photos = np.stack([render_scene(2, i, size=40) for i in range(8)])
    return LAB.color(torch.from_numpy(photos).movedim(-1, 1) / 255)


def moved_by(scale: float) -> FilmResnet:
    """One whose last layer is not zero any more."""
    torch.manual_seed(0)
    film = FilmResnet(LAB.linear)
    torch.nn.init.normal_(film.answer.weight, std=scale)
    return film


def seeded(seed: int):
    generator = torch.Generator().manual_seed(seed)
    return lambda shape, device: torch.randn(shape, generator=generator)


def test_it_begins_as_the_film_that_it_is_given(color):
    one, resnet = FilmGenerator(LAB.linear), FilmResnet(LAB.linear)
    with torch.no_grad():
        one.mean.add_(0.05)
        one.spread.add_(0.03)
    resnet.begin_as(one)
    assert torch.equal(resnet(color, seeded(1)), one(color, seeded(1)))
    assert resnet.describe() == pytest.approx(one.describe())


def test_gradients_reach_the_resnet_once_its_last_layer_has_moved(color):
    film = FilmResnet(LAB.linear)
    film(color).mean().backward()
    assert film.answer.weight.grad.abs().sum() > 0
    assert film.stem[0].weight.grad.abs().sum() == 0
    film = moved_by(0.1)
    film(color).mean().backward()
    assert film.stem[0].weight.grad.abs().sum() > 0
    assert film.mean.grad.abs().sum() > 0


def test_scene_and_noise_both_say_which_film(color):
    film = moved_by(1.0)
    scatter = torch.randn(8, 12)
    with torch.no_grad():
        moved = film.moved(color, scatter)
        assert moved.abs().max() <= LEEWAY
        assert (moved - film.moved(color.roll(1, 0), scatter)).abs().max() > 0.05
        assert (moved - film.moved(color, scatter.roll(1, 0))).abs().max() > 0.05


def test_the_film_chosen_tells_nothing_of_color(color):
    film = moved_by(1.0)
    recolored = torch.cat([color[:, :1], -color[:, 1:]], dim=1)
    with torch.no_grad():
        assert torch.equal(film.draw(color, seeded(1)), film.draw(recolored, seeded(1)))
        assert not torch.equal(film(color, seeded(1)), film(recolored, seeded(1)))


def test_each_gray_is_what_a_film_of_its_numbers_shows(color):
    """Nothing else is repainted."""
    film = moved_by(1.0)
    with torch.no_grad():
        noise = seeded(4)
        raw = film.draw(color, noise)
        expected = develop(LAB.linear(color), by_name(raw), noise)
        assert torch.equal(film(color, seeded(4)), expected)
    assert raw.std(dim=0).min() > 0


def test_in_use_one_photo_has_one_gray_at_any_size_and_beside_any_other(color):
    film = moved_by(1.0).eval()
    with torch.no_grad():
        numbers = film.draw(color, seeded(1))
        assert torch.equal(numbers, film.draw(color, seeded(2)))
        torch.testing.assert_close(numbers[3:4], film.draw(color[3:4], seeded(1)), atol=1e-5, rtol=0)
        assert torch.equal(film(color[:1]), film(color[:1]))
        large = torch.nn.functional.interpolate(color[:1], scale_factor=3)
        assert torch.equal(film.full_size(large, color[:1]), film.full_size(large, color[:1].clone()))
        assert film.full_size(large, color[:1]).shape == (1, 1, 120, 120)


def test_it_is_described_by_a_gray_card_and_goes_on_training():
    film = moved_by(1.0)
    statistics = film.stem[1].running_mean.clone()
    numbers = film.describe()
    assert film.training
    assert torch.equal(film.stem[1].running_mean, statistics)
    assert numbers == film.describe()
    assert numbers != pytest.approx(FilmGenerator(LAB.linear).describe(), abs=1e-3)
    assert sum(numbers[name] for name in ("red", "green", "blue")) == pytest.approx(1)


def test_a_run_sets_out_from_the_film_matched_and_moves_the_resnet(tmp_path, said):
    one = Trainer(tiny_experiment(G_gray={"type": "film"}, match_steps=3, num_steps=3), tmp_path / "one")
    matched = one.method.networks["G_gray"]
    experiment = tiny_experiment(G_gray={"type": "film_resnet"}, match_steps=3, num_steps=3, any_film=0.5)
    trainer = Trainer(experiment, tmp_path / "run")
    film = trainer.method.networks["G_gray"]
    assert torch.equal(film.mean, matched.mean)
    assert torch.equal(film.spread, matched.spread)
    assert sum(line.startswith("the film found in the gray pile: red 0.") for line in said) == 2
    one.close()
    trainer.close()
    train(experiment, tmp_path / "run")
    path, checkpoint = open_checkpoint(tmp_path / "run")
    assert checkpoint.tensors["networks/G_gray/answer.weight"].abs().sum() > 0
    assert load(path).film.keys() == matched.describe().keys()


def test_a_film_makes_no_color():
    with pytest.raises(CycleColorError, match="a film makes gray"):
        parse_experiment({"G_color": {"type": "film_resnet"}}, source="x")
