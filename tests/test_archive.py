"""Archives of several films: what tells them apart, how they are found, and the generator that holds them."""

import numpy as np
import pytest
import torch
from conftest import tiny_experiment

from cyclecolor.checkpoint import export_checkpoint, open_checkpoint
from cyclecolor.color import SPACES
from cyclecolor.data import render_scene
from cyclecolor.evaluation import films_sheet
from cyclecolor.inference import load
from cyclecolor.methods import archive_matching
from cyclecolor.methods.archive_matching import Archive, all_kinds, match_archive, merged
from cyclecolor.methods.crop_measures import Normalized, measures
from cyclecolor.methods.energy import attraction, best_shares, energy, repulsion
from cyclecolor.networks import FilmGenerator, FilmResnet
from cyclecolor.networks.film_generator import GAIN, STARTS, by_name, develop, faded
from cyclecolor.training import Trainer, train

LAB = SPACES["lab"]
SCENES = 192


def scenes(series: int, count: int = SCENES) -> torch.Tensor:
    """Scenes that no other series has, as lightness and chroma."""
    photos = np.stack([render_scene(series, i, size=32) for i in range(count)])
    return LAB.color(torch.from_numpy(photos).movedim(-1, 1) / 255)


@pytest.fixture(scope="module")
def color():
    return scenes(2)


def set_film(film: FilmResnet, index: int, **raw: float) -> None:
    with torch.no_grad():
        for name, value in raw.items():
            film.means[index, list(STARTS).index(name)] = value / GAIN


def two_films(share: float) -> FilmResnet:
    """A blue-sensitive film, and a panchromatic one that has faded."""
    film = FilmResnet(LAB.linear)
    set_film(film, 0, red=-2.4, green=-2.0, blue=2.5)
    set_film(film, 1, red=0.3, green=-0.6, blue=1.5, black=-2.9, white=-2.9)
    film.shares.copy_(torch.tensor([share, 1 - share, 0, 0, 0, 0]))
    return film


def test_energy_distance_by_closed_form():
    """On a line, it is twice the integral of the squared difference of distribution functions."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(1, 1500, 1, generator=generator), torch.randn(1500, 1, generator=generator) + 1
    own = repulsion(y[None])[0, 0]
    found = energy(attraction(x, y), repulsion(x), torch.ones(1)) - own
    # E|X - Y| of N(0, 1) and N(m, 1): 2 phi(m / sqrt 2) sqrt 2 + m (2 Phi(m / sqrt 2) - 1).
    m, normal = torch.tensor(1.0), torch.distributions.Normal(0.0, 1.0)
    between = 2 * 2**0.5 * normal.log_prob(m / 2**0.5).exp() + m * (2 * normal.cdf(m / 2**0.5) - 1)
    assert found.item() == pytest.approx((2 * between - 4 / torch.pi**0.5).item(), abs=0.07)


def test_shares_of_a_mixture_are_found():
    generator = torch.Generator().manual_seed(0)
    centers = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0], [9.0, 9.0]])
    sets = centers[:, None] + torch.randn(4, 200, 2, generator=generator)
    kinds = torch.arange(3).repeat_interleave(torch.tensor([100, 150, 250]))
    scans = centers[kinds] + torch.randn(500, 2, generator=generator)
    shares = best_shares(attraction(sets, scans), repulsion(sets))
    torch.testing.assert_close(shares, torch.tensor([0.2, 0.3, 0.5, 0.0]), atol=0.05, rtol=0)
    assert shares.sum().item() == pytest.approx(1)


@pytest.mark.parametrize("size", [16, 17, 48])
def test_measures_of_any_size_are_vectors_of_a_crop(size):
    gray = torch.rand(5, 1, size, size) * 2 - 1
    for whole, alone in zip(measures(gray), measures(gray[2:3]), strict=True):
        assert len(whole) == 5
        assert whole.isfinite().all()
        torch.testing.assert_close(whole[2:3], alone, atol=1e-4, rtol=1e-4)


def test_the_last_measure_has_some_of_all_others():
    """Five of the tones, from dark to light, half of the layout's rows, all details and places."""
    gray = torch.rand(3, 1, 48, 48) * 2 - 1
    layout, tones, detail, places, together = measures(gray)
    rows = layout.view(3, 8, 8).mean(dim=2)[:, [0, 2, 4, 6]]
    parts = [tones[:, [0, 4, 8, 12, 15]], rows, detail, places]
    torch.testing.assert_close(together, torch.cat(parts, dim=1))


def test_scans_that_are_all_alike_have_no_spread_and_others_are_far_from_them():
    compared = Normalized(torch.zeros(4, 1, 24, 24))
    for alike, layout in zip(compared.scans, compared(torch.full((1, 1, 24, 24), 0.5))[:1], strict=False):
        assert not alike.any()
        torch.testing.assert_close(layout, torch.full((1, 64), 0.5 / 1e-3 / 8))


def test_measures_of_the_scans_have_unit_spread():
    scans = torch.rand(200, 1, 24, 24) * 2 - 1
    for samples in Normalized(scans).scans:
        assert (samples.std(dim=0) * samples.shape[1] ** 0.5).max() <= 1 + 1e-4
        assert samples.mean(dim=0).abs().max() < 1e-4


def test_films_of_all_kinds_are_what_they_are_said_to_be():
    raw = by_name(all_kinds())
    blacks = faded(raw["black"]).flatten()
    for black in (0.02, 0.08, 0.25):
        assert ((blacks - black).abs() < 1e-4).sum() == 24


def test_films_that_look_alike_are_joined():
    kinds = all_kinds()[[0, 0, 40, 40, 40, 40]]
    _, shares = merged(kinds, torch.tensor([0.1, 0.2, 0.3, 0.2, 0.1, 0.1]))
    torch.testing.assert_close(shares[:2], torch.tensor([0.7, 0.3]))


def test_a_new_film_resnet_draws_what_a_single_film_draws(color):
    torch.manual_seed(0)
    one, several = FilmGenerator(LAB.linear), FilmResnet(LAB.linear)
    with torch.no_grad():
        grays = torch.stack([one(color[:32]), several(color[:32])])
    assert (grays[0] - grays[1]).abs().mean() < 0.1
    assert several.films() == [(pytest.approx(1.0), 0)]


def test_gradients_reach_the_resnet_once_its_last_layer_has_moved(color):
    film = FilmResnet(LAB.linear)
    film(color[:4]).mean().backward()
    assert film.answer.weight.grad.abs().sum() > 0
    assert film.stem[0].weight.grad.abs().sum() == 0
    torch.nn.init.normal_(film.answer.weight)
    film(color[:4]).mean().backward()
    assert film.stem[0].weight.grad.abs().sum() > 0
    assert film.means.grad.abs().sum() > 0


def test_in_use_one_photo_has_one_gray_whatever_it_stands_beside(color):
    film = two_films(0.5).eval()
    with torch.no_grad():
        together, alone = film(color[:8]), torch.cat([film(photo[None]) for photo in color[:8]])
        torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
        assert torch.equal(film(color[:8]), together)
        large = torch.nn.functional.interpolate(color[:1], scale_factor=3)
        assert film.full_size(large, color[:1]).shape == (1, 1, 96, 96)


def test_films_are_drawn_by_their_shares():
    film = two_films(0.3)
    picks = film.pick(torch.randn(20_000, generator=torch.Generator().manual_seed(0)))
    counts = torch.bincount(picks, minlength=6) / len(picks)
    torch.testing.assert_close(counts, film.shares, atol=0.01, rtol=0)


def test_films_are_listed_with_shares_and_those_alike_as_one():
    film = two_films(0.4)
    set_film(film, 2, red=0.3, green=-0.6, blue=1.5, black=-2.9, white=-2.9, grain=-1.0)
    film.shares.copy_(torch.tensor([0.4, 0.45, 0.14, 0.01, 0, 0]))
    shares, numbers = zip(*film.describe(), strict=True)
    assert shares == (pytest.approx(0.59), pytest.approx(0.4))
    assert numbers[1]["blue"] > 0.8 > numbers[0]["blue"]
    assert numbers[0]["black"] > 0.15 > numbers[1]["black"]


def test_two_films_are_found_without_pairs(color):
    torch.manual_seed(0)
    truth = two_films(0.35)
    with torch.no_grad():
        scans = truth(scenes(1))
    found = FilmResnet(LAB.linear)
    match_archive(found, Archive.of(scans, color, LAB.linear), steps=30, seed=0)
    described = found.describe()
    blue = sum(share for share, film in described if film["blue"] > 0.65 and film["black"] < 0.06)
    old = [(share, film["black"]) for share, film in described if film["black"] > 0.06]
    shares, blacks = map(torch.tensor, zip(*old, strict=True))
    assert blue == pytest.approx(0.35, abs=0.12), described
    assert shares.sum().item() == pytest.approx(0.65, abs=0.12), described
    # The truth's is 0.17, that of the fresh film 0.01.
    assert (shares @ blacks / shares.sum()).item() == pytest.approx(0.17, abs=0.06), described


def test_equal_seeds_give_equal_films_whatever_else_was_random(color, monkeypatch):
    monkeypatch.setattr(archive_matching, "LOOKED_AT", 4)
    gray, states = scenes(1, 40)[:, :1], []
    for seed in (0, 0, 1):
        torch.manual_seed(7)
        film = FilmResnet(LAB.linear)
        torch.rand(seed + 3)
        match_archive(film, Archive.of(gray, color[:40], LAB.linear), steps=2, seed=seed)
        states.append(film.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["means"], states[2]["means"])


def test_what_moves_with_the_scene_is_told_from_what_is_drawn(color):
    """A fresh ResNet moves nothing; one whose last layer says 0.3 whatever it sees, by tanh 0.3."""
    film, compared = FilmResnet(LAB.linear), Normalized(color[:40, :1])
    archive, there = Archive.of(color[:40, :1], color[:40], LAB.linear), torch.tensor([0, 3])
    for answer in (0.0, 0.3):
        torch.nn.init.constant_(film.answer.bias, answer)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            sets, moved = archive_matching._grays(film, there, 5, compared, archive, generator)
        assert moved.item() == pytest.approx(np.tanh(answer) ** 2, abs=1e-5)
        assert {m.shape[:2] for m in sets} == {(2, 5)}


def test_photos_without_a_chance_are_never_drawn(color):
    chances = torch.zeros(len(color))
    chances[[3, 5]] = torch.tensor([1.0, 3.0])
    archive = Archive.of(color[:, :1], color, LAB.linear, chances)
    picks = archive.draw(4000, torch.Generator().manual_seed(0))
    assert picks.unique().tolist() == [3, 5]
    assert (picks == 5).float().mean().item() == pytest.approx(0.75, abs=0.03)


def test_a_run_finds_films_saves_them_and_shows_them(tmp_path, monkeypatch, said):
    monkeypatch.setattr(archive_matching, "LOOKED_AT", 4)
    experiment = tiny_experiment(G_gray={"type": "film_resnet"}, match_steps=2, num_steps=2, batch_size=4)
    trainer = Trainer(experiment, tmp_path / "run")
    assert any("films like the gray pile's" in line for line in said)
    film = trainer.method.networks["G_gray"]
    assert film.shares.sum().item() == pytest.approx(1)
    assert torch.equal(trainer.averages["G_gray"].module.means, film.means)
    trainer.close()
    train(experiment, tmp_path / "run")
    path, checkpoint = open_checkpoint(tmp_path / "run")
    export_checkpoint(checkpoint, tmp_path / "small.safetensors")
    whole, half = load(path), load(tmp_path / "small.safetensors")
    assert sum(share for share, _ in whole.films) > 0.9
    for (_, ours), (_, theirs) in zip(whole.films, half.films, strict=True):
        assert ours == pytest.approx(theirs, abs=0.02)
    sheet = films_sheet(whole, render_scene(1, 0, size=40), height=50)
    assert sheet.size == (50 * (1 + len(whole.films)), 50)


def test_develop_is_what_a_single_film_does(color):
    """Released checkpoints of type `film` keep their bits."""
    film = FilmGenerator(LAB.linear).eval()
    generator = torch.Generator().manual_seed(0)
    noise = lambda shape, device: torch.randn(shape, generator=generator)  # noqa: E731
    expected = develop(LAB.linear(color[:1]), by_name(GAIN * film.mean[None]), noise)
    assert torch.equal(film(color[:1]), expected)
