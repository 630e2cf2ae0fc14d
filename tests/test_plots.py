"""Drawings of scores: what they show is where it belongs, and they are whole SVG files."""

import math
import re
import xml.etree.ElementTree as ElementTree

import pytest
import torch
from click.testing import CliRunner
from conftest import tiny_experiment
from PIL import Image

from cyclecolor.cli.main import main
from cyclecolor.data import render_scene
from cyclecolor.evaluation.charts import line_picture
from cyclecolor.evaluation.hue_wheel import HUES, MARGIN, RADIUS, hue_bin, hue_wheel
from cyclecolor.evaluation.pictures import Picture
from cyclecolor.evaluation.plots import ColorPlots
from cyclecolor.evaluation.spectrum import TILE, radial_power
from cyclecolor.training import train


def lab(lightness: float, a: float, b: float) -> torch.Tensor:
    """An image of one color, 32 x 32."""
    return torch.tensor([float(x) for x in (lightness, a, b)]).view(1, 3, 1, 1).expand(1, 3, 32, 32)


def picture(image: torch.Tensor) -> Picture:
    return Picture(image, image, image)


def test_hues_are_in_their_sectors():
    """Red, yellow-green and blue of the a*b* plane: 5, 95 and 275 degrees."""
    angles = [5, 95, 275]
    image = torch.cat([lab(50, *(40 * f(math.radians(x)) for f in (math.cos, math.sin))) for x in angles])
    assert hue_bin(image)[:, 0, 0].tolist() == [0, 9, 27]


def test_a_hue_alone_is_a_point_of_the_wheel():
    """All color at 95 degrees: the curve reaches the ring there, and stays in the middle elsewhere."""
    sums = torch.zeros(HUES)
    sums[9] = 3.0
    curve = re.search(r'class="line" [^>]*d="M([^"]*)Z"', hue_wheel({"one": sums}))[1]
    places = [tuple(map(float, place.split())) for place in curve.split("L")]
    middle = MARGIN + RADIUS
    assert [math.dist(place, (middle, middle)) for place in places] == pytest.approx(
        [RADIUS * (i == 9) for i in range(HUES)], abs=0.1
    )
    assert places[9][1] < MARGIN + 2  # b* is up


def test_errors_are_at_their_hue_and_lightness(tmp_path):
    """A light yellow and a dark blue; the first is right, the second left gray: its error is its own."""
    plots = ColorPlots()
    for truth, ours in ((lab(80, 0, 60), lab(80, 0, 60)), (lab(20, 0, -40), lab(20, 0, 0))):
        gray = torch.cat([truth[:, :1], torch.zeros_like(truth[:, 1:])], dim=1)
        plots.add({"ours": picture(ours), "do_nothing": picture(gray), "truth": picture(truth)})
    for by, places in (("hue", (95, 275)), ("lightness", (82.5, 22.5))):
        lines = plots._error_lines(by, 360 if by == "hue" else 100)
        ours, gray = (dict(line) for line in lines.values())
        assert set(ours) == set(gray) == set(places)
        assert ours[places[0]] == 0
        assert ours[places[1]] == gray[places[1]] > 10
    plots.write(tmp_path)


def test_a_wave_is_at_its_frequency():
    """A quarter of a cycle a pixel is the eighth of 32 bins; Hann's window blurs over its neighbors alone."""
    wave = torch.cos(2 * math.pi * torch.arange(64) / 4).expand(1, 1, 64, 64)
    power = radial_power(wave)[0]
    assert power.argmax() == TILE // 4
    assert power[TILE // 4 + 3 :].max() < 1e-4 * power.max()
    assert power.shape == (TILE // 2 + 1,)


def test_names_are_text_and_that_of_the_axis_stands_in_its_middle():
    root = ElementTree.fromstring(line_picture("<&>", {"<b>": [(0, 1.0), (1, 2.0)]}, '<"x">', 2))
    width = float(root.get("viewBox").split()[2])
    (axis,) = (text for text in root.iter() if text.text == '<"x">')
    assert float(axis.get("x")) == width / 2


@pytest.mark.parametrize(
    ("command", "method", "names"),
    [
        (
            "evaluate",
            "regression",
            {"hues.svg", "error_by_hue.svg", "error_by_lightness.svg", "chroma_spectrum.svg"},
        ),
        ("audit", "cyclegan", {"chroma_spectrum.svg", "gray_spectrum.svg"}),
    ],
)
def test_commands_draw(command, method, names, tmp_path):
    checkpoint = train(tiny_experiment(num_steps=1, method=method), tmp_path / "run")
    (tmp_path / "color").mkdir()
    for i in range(2):
        Image.fromarray(render_scene(5, i, size=48)).save(tmp_path / f"color/{i}.png")
    line = [command, checkpoint, "--color", tmp_path / "color", "--plots", tmp_path / "new/plots"]
    result = CliRunner().invoke(main, [str(word) for word in line])
    assert result.exit_code in (0, 1), result.output
    assert "plots: " in result.output
    files = {path.name: path.read_text() for path in (tmp_path / "new/plots").iterdir()}
    assert set(files) == names
    for text in files.values():
        root = ElementTree.fromstring(text)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert text.count('class="line"') == 2
        assert "nan" not in text
