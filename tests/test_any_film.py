"""Films of any kind: near what emulsions there were, in wide ranges; a share of a batch is on them."""

import pytest
import torch
from conftest import tiny_experiment

from cyclecolor.config import parse_experiment
from cyclecolor.errors import CycleColorError
from cyclecolor.methods import METHODS
from cyclecolor.networks.any_film import any_film, any_numbers, emulsions
from cyclecolor.networks.film_generator import by_name, faded, spectral_weights

CPU = torch.device("cpu")


def drawn(seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    return lambda shape, device: torch.randn(shape, generator=generator)


def nothing(shape, device):
    return torch.zeros(shape)


def test_the_path_runs_from_blue_plates_to_lightness():
    raw = torch.zeros(5, 12)
    raw[:, :3] = emulsions(torch.tensor([0.0, 1 / 6, 1 / 3, 2 / 3, 1.0]), nothing).T
    weights = spectral_weights(by_name(raw)).flatten(1)
    corners = [[0.02, 0.08, 0.90], None, [0.03, 0.44, 0.53], [0.28, 0.38, 0.34], [0.2127, 0.7152, 0.0722]]
    for found, wanted in zip(weights, corners, strict=True):
        if wanted:
            torch.testing.assert_close(found, torch.tensor(wanted), atol=2e-3, rtol=0)
    assert weights[0, 2] > weights[1, 2] > weights[2, 2]  # between two corners lies what is between them


def test_no_film_sees_red_best_and_blue_hardly():
    """Which a match of gray statistics alone has found: red 0.67, green 0.31, blue 0.01."""
    weights = spectral_weights(by_name(any_numbers(4000, CPU, drawn()))).flatten(1)
    assert weights[:, 0].max() < 0.6
    assert (weights[:, 2] > 0.6).float().mean() > 0.15
    assert (weights[:, 1] > 0.6).float().mean() > 0.05


def test_fading_is_within_its_ranges_and_most_prints_are_fresh():
    raw = by_name(any_numbers(4000, CPU, drawn()))
    for end, least, most in (("black", 0.005, 0.33), ("white", 0.005, 0.28)):
        shares = faded(raw[end]).flatten()
        assert least - 1e-3 < shares.min() < shares.max() < most + 1e-3
        # Squares of uniform numbers: their median is a quarter of the way.
        assert shares.median().item() == pytest.approx(least + (most - least) / 4, abs=0.01)


def test_a_share_of_the_photos_is_on_films_of_any_kind(monkeypatch):
    experiment = tiny_experiment(G_gray={"type": "film"}, any_film=0.5, batch_size=4)
    method = METHODS["cyclegan"](experiment, device=CPU)
    linear = torch.rand(4, 3, 32, 32)
    color = method.space.color(linear)
    one = method.networks["G_gray"].eval()  # without noise of its own
    grays = method.on_films(color)
    assert torch.equal(grays[2:], one(color[2:]))
    assert (grays[:2] - one(color[:2])).abs().mean() > 0.02
    assert torch.equal(method.found(grays), grays[2:])


@pytest.mark.parametrize(("count", "found"), [(1, 1), (2, 1), (4, 1), (10, 1), (20, 2)])
def test_of_nine_tenths_on_any_film_one_photo_at_least_is_on_the_film_that_is_learned(count, found):
    experiment = tiny_experiment(G_gray={"type": "film"}, any_film=0.9, batch_size=4)
    method = METHODS["cyclegan"](experiment, device=CPU)
    assert len(method.found(torch.zeros(count, 1, 4, 4))) == found


def test_the_discriminator_judges_the_film_that_is_learned_alone():
    experiment = tiny_experiment(G_gray={"type": "film"}, any_film=0.5, batch_size=4)
    method = METHODS["cyclegan"](experiment, device=CPU)
    seen = []
    method.networks["D_gray"].register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    images = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    method.losses({"gray": images, "color": images})
    assert seen == [2, 4, 2]  # the generator's fakes; then real scans and fakes of the pool


def test_without_a_share_nothing_changes():
    experiment = tiny_experiment(G_gray={"type": "film"}, batch_size=4)
    method = METHODS["cyclegan"](experiment, device=CPU)
    color = method.space.color(torch.rand(4, 3, 32, 32))
    one = method.networks["G_gray"].eval()
    assert torch.equal(method.on_films(color), one(color))
    assert torch.equal(method.found(color), color)


def test_photos_of_one_place_differ_by_their_films():
    grays = any_film(torch.rand(1, 3, 16, 16).expand(8, -1, -1, -1), drawn())
    assert grays.shape == (8, 1, 16, 16)
    assert (grays[0] - grays[1:]).abs().mean(dim=(1, 2, 3)).min() > 0.01


def test_an_experiment_with_any_film_can_be_trained_on_pairs_too():
    assert parse_experiment({"any_film": 0.5, "method": "regression"}, source="here").any_film == 0.5


def test_a_generator_of_gray_that_is_no_film_is_refused():
    with pytest.raises(CycleColorError, match="any_film is for"):
        parse_experiment({"any_film": 0.5, "G_gray": {"type": "resnet"}}, source="here")
