"""Matching: a film is found from unpaired piles; its distance is Wasserstein's."""

import pytest
import torch
from conftest import tiny_experiment

from cyclecolor.color import SPACES
from cyclecolor.data import render_scene
from cyclecolor.methods import METHODS, cyclegan
from cyclecolor.methods.film_matching import (
    DIRECTIONS,
    _directions,
    distance,
    match_film,
    measures,
    wasserstein,
)
from cyclecolor.networks import FilmGenerator
from cyclecolor.networks.film_generator import GAIN, STARTS
from cyclecolor.training import Trainer

LAB = SPACES["lab"]
SCENES = 128


def scenes(series: int) -> torch.Tensor:
    """Scenes that no other series has, as lightness and chroma."""
    photos = [torch.from_numpy(render_scene(series, i, size=32)) for i in range(SCENES)]
    return LAB.color(torch.stack(photos).movedim(-1, 1) / 255)


def test_pictures_are_looked_at_along_unit_vectors():
    found = _directions(9, torch.Generator().manual_seed(0))
    assert found.shape == (9, DIRECTIONS)
    torch.testing.assert_close(found.square().sum(dim=0), torch.ones(DIRECTIONS))


@torch.no_grad()
def film(**raw: float) -> FilmGenerator:
    generator = FilmGenerator(LAB.linear)
    for name, value in raw.items():
        generator.mean[list(STARTS).index(name)] = value / GAIN
    return generator


def batches(gray: torch.Tensor, color: torch.Tensor, steps: int):
    """Of 64 crops, unpaired."""
    for step in range(steps):
        yield (
            gray[torch.arange(step, step + 64) % SCENES],
            color[torch.arange(3 * step, 3 * step + 64) % SCENES],
        )


def test_distance_of_shifted_samples_is_the_shift():
    samples = torch.randn(500, 3, generator=torch.Generator().manual_seed(0))
    shift = torch.tensor([0.5, -1.0, 3.0])
    assert wasserstein(samples, samples[torch.randperm(500)] + shift).item() == pytest.approx(1.5)


def test_film_is_found_without_pairs():
    torch.manual_seed(0)  # the target's grain
    target, found = film(red=-2.0, green=-1.0, blue=2.0, black=-2.5), film()
    with torch.no_grad():
        gray = target(scenes(1))
    color = scenes(2)

    def apart() -> float:
        with torch.no_grad():
            return distance(found(color), gray, 0).item()

    before = apart()
    match_film(found, batches(gray, color, 60), steps=60, seed=0)
    assert apart() < before / 3
    wanted, now = target.describe(), found.describe()
    assert now["blue"] == pytest.approx(wanted["blue"], abs=0.1)
    assert now["green"] == pytest.approx(wanted["green"], abs=0.1)
    # Fading is told by black and contrast together.
    assert now["black"] > film().describe()["black"] + 0.02


def test_matching_sets_out_from_a_tenth_of_fading():
    found = film()
    match_film(found, (), steps=1, seed=0)
    assert [found.describe()[end] for end in ("black", "white")] == pytest.approx([0.1, 0.1], abs=1e-3)


def test_equal_seeds_give_equal_films_whatever_else_was_random():
    gray, color = scenes(1)[:, :1], scenes(2)
    films = []
    for seed in (0, 0, 1):
        torch.rand(7)
        films.append(film())
        match_film(films[-1], batches(gray, color, 2), steps=2, seed=seed)
    assert torch.equal(films[0].mean, films[1].mean)
    assert not torch.equal(films[0].mean, films[2].mean)


@pytest.mark.parametrize("size", [16, 17, 40])
def test_measures_of_any_size(size):
    for samples in measures(torch.zeros(3, 1, size, size), 0):
        assert samples.abs().max() < 1e-6


def test_what_is_measured_is_samples_in_32_directions():
    """Of crops and of their patches, on a grid at each of three scales; detail is two numbers a crop."""
    gray = torch.rand(3, 1, 40, 60, generator=torch.Generator().manual_seed(0))
    shapes = [tuple(samples.shape) for samples in measures(gray, 0)]
    grids = [(40 - 5) // 6 + 1, (60 - 5) // 6 + 1, (20 - 5) // 3 + 1, (30 - 5) // 3 + 1, (10 - 5) // 2 + 1, 6]
    patches = [(3 * rows * columns, 32) for rows, columns in zip(grids[::2], grids[1::2], strict=True)]
    assert shapes == [(3, 32), (3, 32), (3, 2), *patches]


@pytest.mark.parametrize(("size", "seen"), [(40, True), (64, False)])
def test_tones_are_of_all_pixels_of_a_small_crop_and_of_every_second_of_a_larger_one(size, seen):
    """In columns of black and white by turns, the second sees black alone."""
    columns = (torch.arange(size) % 2).float().expand(1, 1, size, size)
    tones = measures(columns, 0)[1]
    assert bool(tones.any()) is seen


class Places:
    """A gray and a color pile of one size, whose crops are as bright as their position says."""

    def __getitem__(self, position: int) -> dict[str, torch.Tensor]:
        crop = torch.full((3, 4, 4), 10 * position, dtype=torch.uint8)
        return {"gray": crop, "color": crop}


def test_what_is_matched_is_unpaired(monkeypatch):
    """A position of one pile meets all positions of the other, as often as its own."""
    experiment = tiny_experiment(G_gray={"type": "film"}, match_steps=20, num_steps=6)
    method, shown = METHODS["cyclegan"](experiment, device=torch.device("cpu")), []
    monkeypatch.setattr(cyclegan, "match_film", lambda film, batches, **_: shown.extend(batches))
    torch.manual_seed(0)
    method.before_training(Places(), iter)
    levels = LAB.gray(torch.arange(0, 120, 10).view(-1, 1, 1, 1).expand(-1, 3, 1, 1) / 255).flatten()
    assert len(shown) == 20
    meetings = torch.zeros(12, 12)
    for gray, color in shown:
        places = ((images[:, 0, 0, :1] - levels).abs().argmin(dim=1) for images in (gray, color))
        meetings.index_put_(tuple(places), torch.ones(len(gray)), accumulate=True)
    assert meetings.min() > 0
    own = meetings.diagonal().sum() / meetings.sum()
    assert own == pytest.approx(1 / 12, abs=0.02)  # four deviations


def test_a_run_begins_with_a_matched_film(tmp_path, said):
    experiment = tiny_experiment(G_gray={"type": "film"}, match_steps=2, num_steps=1)
    trainer = Trainer(experiment, tmp_path)
    assert any(line.startswith("the film found in the gray pile: red 0.") for line in said)
    assert trainer.method.networks["G_gray"].describe()["blue"] != film().describe()["blue"]
    averaged = trainer.averages["G_gray"].module
    assert torch.equal(averaged.mean, trainer.method.networks["G_gray"].mean)
    trainer.close()
