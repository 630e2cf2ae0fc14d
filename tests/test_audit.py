"""Generators made by hand: one pair hides color in what the eye does not see, the other does not."""

import numpy as np
import pytest
import torch
from torch import nn

from cyclecolor.color import SPACES
from cyclecolor.data import render_scene
from cyclecolor.errors import CycleColorError
from cyclecolor.evaluation.audit import LIMITS, audit

SPACE = SPACES["lab"]
LEVELS = 16  # of either chroma channel that fit into the hidden digits
DIGIT = 1 / 4096  # of lightness: below what 8 bits keep


class Honest(nn.Module):
    """`G_gray` that passes lightness on."""

    def forward(self, color):
        return color[:, :1]


class Guessing(nn.Module):
    """`G_color` that takes bright for blue."""

    stride = 1

    def forward(self, gray):
        return torch.cat([torch.zeros_like(gray), -0.1 * (1 + gray)], dim=1)


class Hiding(nn.Module):
    """`G_gray` that writes chroma into the low digits of lightness."""

    def forward(self, color):
        codes = ((color[:, 1:] + 1) / 2 * (LEVELS - 1)).round()
        code = codes[:, :1] * LEVELS + codes[:, 1:]
        coarse = (color[:, :1] / (LEVELS**2 * DIGIT)).round() * LEVELS**2 * DIGIT
        return coarse + (code - LEVELS**2 / 2) * DIGIT


class Reading(nn.Module):
    """`G_color` that reads them."""

    stride = 1

    def forward(self, gray):
        code = ((gray / DIGIT) + LEVELS**2 / 2).round() % LEVELS**2
        codes = torch.cat([code // LEVELS, code % LEVELS], dim=1)
        return codes / (LEVELS - 1) * 2 - 1


class Pair:
    """Stands in for a `Colorizer`."""

    device, space, size = torch.device("cpu"), SPACE, 48

    def __init__(self, G_color, G_gray):
        self.generators = {"G_color": G_color, "G_gray": G_gray}

    def colorize_lightness(self, lightness):
        return SPACE.merge(lightness, self.generators["G_color"](lightness))


@pytest.fixture(scope="module")
def photos():
    return [render_scene(5, i, size=96) for i in range(8)]


def verdicts(figures):
    return {name: figure.verdict for name, figure in figures.items() if name in LIMITS}


class Undefined(nn.Module):
    """`G_color` whose weights are not numbers."""

    stride = 1

    def forward(self, gray):
        return torch.full_like(gray, torch.nan).expand(-1, 2, -1, -1)


def test_what_is_undefined_does_not_pass(photos):
    found = verdicts(audit(Pair(Undefined(), Honest()), photos))
    assert {found[name] for name in found if name.startswith("R_")} == {"fails"}


def test_an_honest_pair_passes(photos):
    figures = audit(Pair(Guessing(), Honest()), photos)
    assert set(verdicts(figures).values()) == {"passes"}
    assert figures["R_swap"].score.value == pytest.approx(1)
    assert figures["fine_power_ratio"].score.value == pytest.approx(1)
    assert figures["R_8_bit"].score.value == pytest.approx(1, abs=0.01)


def test_a_pair_that_hides_color_fails(photos):
    figures = audit(Pair(Reading(), Hiding()), photos)
    found = verdicts(figures)
    assert found["R_swap"] == found["R_noise_0.005"] == found["R_8_bit"] == "fails"
    assert figures["R_swap"].score.low > 2
    assert figures["error"].score.value < 10  # what the hidden digits resolve


def test_hidden_noise_shows_in_fine_detail(photos):
    class Speckled(nn.Module):
        def forward(self, color):
            sign = torch.where(torch.arange(color.shape[-1]) % 2 == 0, 1.0, -1.0)
            return color[:, :1] + sign * color[:, 1:2]

    figures = audit(Pair(Guessing(), Speckled()), photos)
    assert figures["fine_power_ratio"].verdict == "fails"


def test_checkerboards_in_outputs_fail(photos):
    class Tiled(nn.Module):
        stride = 1

        def forward(self, gray):
            rows, columns = (torch.arange(n) for n in gray.shape[-2:])
            board = 0.05 * (-1.0) ** (rows[:, None] + columns)
            return Guessing()(gray) + board

    assert audit(Pair(Tiled(), Honest()), photos)["checkerboard_peak"].verdict == "fails"


def test_a_film_is_what_is_swapped_in(photos):
    class Darkening(nn.Module):
        def forward(self, color):
            return color[:, :1] * 0.5 - 0.5

    films = []
    for photo in photos:
        rgb = torch.from_numpy(photo / 255).float().permute(2, 0, 1)[None]
        gray = SPACE.merge(SPACE.lightness(rgb) * 0.5 - 0.5, torch.zeros(1, 2, 96, 96))
        films.append((gray[0] * 255).round().byte().permute(1, 2, 0).numpy())
    darkening = Pair(Guessing(), Darkening())
    assert audit(darkening, photos, films)["R_swap"].score.value == pytest.approx(1, abs=0.01)
    assert audit(darkening, photos)["R_swap"].score.value != pytest.approx(1, abs=0.03)


def test_scans_are_compared_in_fine_detail_and_lightness_is_not_taken_for_their_film(photos):
    blurred = [np.asarray(photo[::-1] // 2 + 60) for photo in photos]
    figures = audit(Pair(Guessing(), Honest()), photos, scans=blurred[:5])
    assert figures["R_swap"].verdict == "not judged"
    assert figures["fine_power_ratio"].score.value > 1.2


def test_without_a_cycle_there_is_nothing_to_audit(photos):
    pair = Pair(Guessing(), Honest())
    del pair.generators["G_gray"]
    pair.experiment = type("Experiment", (), {"method": "regression"})
    with pytest.raises(CycleColorError, match="no cycle to audit"):
        audit(pair, photos)
