"""Which films `G_gray` shows photos on: drawn as in training, told by kind, shown on a sheet."""

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from conftest import tiny_experiment

from cyclecolor.cli.main import main
from cyclecolor.color import SPACES
from cyclecolor.data import render_scene
from cyclecolor.evaluation import contact_sheet
from cyclecolor.evaluation.films import DRAWN, films_of, ranges, shares
from cyclecolor.inference import load
from cyclecolor.networks import FilmGenerator, FilmResnet
from cyclecolor.networks.film_generator import GAIN, STARTS
from cyclecolor.training import train

LAB = SPACES["lab"]


def of_numbers(film: FilmGenerator, spread: float, **raw: float) -> FilmGenerator:
    """With these raw means, and one spread for all numbers."""
    with torch.no_grad():
        film.spread.fill_(float(np.log(np.expm1(spread))) / GAIN)
        for name, value in raw.items():
            film.mean[list(STARTS).index(name)] = value / GAIN
    return film.eval()


@pytest.fixture
def colorizer():
    return load("default")


def test_numbers_are_drawn_with_their_spread(colorizer):
    """Stops are a raw number themselves, so theirs are normal: quantiles are mean and 1.2816 deviations."""
    colorizer.generators["G_gray"] = of_numbers(FilmGenerator(LAB.linear), 0.5, stops=0.3)
    films = films_of(colorizer)
    assert len(films) == DRAWN
    low, high = ranges(films)["stops"]
    assert low == pytest.approx(0.3 - 1.2816 * 0.5, abs=0.08)
    assert high == pytest.approx(0.3 + 1.2816 * 0.5, abs=0.08)
    assert films == films_of(colorizer)


def test_a_film_of_no_spread_is_one_film(colorizer):
    colorizer.generators["G_gray"] = of_numbers(FilmGenerator(LAB.linear), 1e-6, black=-2.0)
    films = films_of(colorizer)
    assert all(film == pytest.approx(colorizer.film, abs=1e-4) for film in films)


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ({}, {"panchromatic": 1.0, "faded": 0.0}),
        ({"red": -4.0}, {"orthochromatic": 1.0, "faded": 0.0}),
        ({"red": -4.0, "green": -2.0, "blue": 3.0}, {"blue-sensitive": 1.0, "faded": 0.0}),
        ({"black": -2.5}, {"panchromatic": 1.0, "faded": 1.0}),
        ({"white": -2.5}, {"panchromatic": 1.0, "faded": 1.0}),
    ],
)
def test_kinds_are_told_by_their_numbers(colorizer, raw, found):
    colorizer.generators["G_gray"] = of_numbers(FilmGenerator(LAB.linear), 1e-6, **raw)
    assert shares(films_of(colorizer)) == found


def test_two_kinds_have_their_shares():
    seen = {"black": 0.0, "white": 0.0}
    plate = {"red": 0.01, "green": 0.07, "blue": 0.92, **seen}
    modern = {"red": 0.3, "green": 0.4, "blue": 0.3, **seen, "black": 0.3}
    assert shares([plate, modern, modern, plate, plate]) == {
        "blue-sensitive": 0.6,
        "panchromatic": 0.4,
        "faded": 0.4,
    }


def test_a_resnet_moves_the_films_with_the_scene(colorizer):
    """Without spread, what is left is what it says of 64 scenes, each drawn eight times."""
    torch.manual_seed(0)
    film = FilmResnet(LAB.linear)
    torch.nn.init.normal_(film.answer.weight, std=1.0)
    torch.nn.init.zeros_(film.hidden.weight[:, -len(STARTS) :])  # noise is not looked at
    colorizer.generators["G_gray"] = of_numbers(film, 1e-6)
    films = films_of(colorizer)
    assert films[0] == pytest.approx(films[64], abs=1e-4)
    assert len({round(film["stops"], 3) for film in films}) > 16


def test_the_last_row_of_a_sheet_is_one_photo_on_several_films(colorizer):
    colorizer.generators["G_gray"] = of_numbers(FilmGenerator(LAB.linear), 0.7)
    photos = [render_scene(3, i, size=40) for i in range(3)]
    sheet = np.array(contact_sheet(colorizer, photos, film=True, height=40)).astype(int)
    last = np.split(np.split(sheet, 5)[4], 3, axis=1)
    scene = photos[0].astype(float).mean(axis=2).ravel()
    for one in last:
        assert np.ptp(one, axis=2).max() <= 1
        assert np.corrcoef(one.mean(axis=2).ravel(), scene)[0, 1] > 0.5
    assert all(np.abs(last[i] - last[j]).mean() > 3 for i, j in ((0, 1), (0, 2), (1, 2)))


def test_info_says_them(tmp_path):
    path = train(tiny_experiment(num_steps=1, G_gray={"type": "film_resnet"}, match_steps=1), tmp_path)
    lines = CliRunner().invoke(main, ["info", str(path)]).output.splitlines()
    films = next(line for line in lines if line.startswith("films "))
    assert films.endswith("(of 512 drawn)")
    assert "panchromatic 100%" in films
    assert next(line for line in lines if line.startswith("four of five")).count(" to ") == 11
