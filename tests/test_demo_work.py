"""What the page does, without the page."""

import zipfile
from pathlib import Path

import pytest
from conftest import tiny_experiment
from PIL import Image

from cyclecolor.data import render_scene
from cyclecolor.demo import work
from cyclecolor.demo.work import Look, translate_all, translate_photo
from cyclecolor.errors import CycleColorError
from cyclecolor.inference import Hint
from cyclecolor.training import train

LOOK = Look("tiny")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    return train(tiny_experiment(num_steps=1, method="regression"), tmp_path_factory.mktemp("run"))


@pytest.fixture
def photos(tmp_path) -> list[Path]:
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for number, path in enumerate(paths):
        Image.fromarray(render_scene(3, number, size=40)).convert("L").save(path)
    return paths


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "made").mkdir()
    return tmp_path / "made"


def contents(archive: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as file:
        return {name: file.read(name) for name in file.namelist()}


def test_an_archive_stops_when_its_time_is_over(photos, folder, checkpoint, monkeypatch):
    """With no time at all, the first photo is done, and the others are named as missing."""
    monkeypatch.setattr(work, "MAX_SECONDS", 0)
    archive, complaints = translate_all(photos, folder, LOOK, checkpoint)
    assert [*contents(archive)] == ["0_color.png"]
    (complaint,) = complaints
    assert "the last 2 of 3 photos are not in the archive" in complaint


def test_within_its_time_an_archive_is_whole(photos, folder, checkpoint):
    archive, complaints = translate_all(photos, folder, LOOK, checkpoint)
    assert [*contents(archive)] == ["0_color.png", "1_color.png", "2_color.png"]
    assert complaints == []


def test_each_photo_has_its_own_hints(photos, folder, checkpoint, tmp_path):
    hints = {photos[1]: [Hint(20, 20, "#a03020")]}
    made = contents(translate_all(photos[:2], folder, LOOK, checkpoint, hints)[0])
    plain, hinted = (tmp_path / name for name in ("plain", "hinted"))
    plain.mkdir()
    hinted.mkdir()
    expected = {
        "0_color.png": translate_photo(photos[0], plain, LOOK, checkpoint),
        "1_color.png": translate_photo(photos[1], hinted, LOOK, checkpoint, hints[photos[1]]),
    }
    assert made == {name: path.read_bytes() for name, path in expected.items()}
    assert made["1_color.png"] != translate_photo(photos[1], plain, LOOK, checkpoint).read_bytes()


def test_a_hint_outside_costs_its_photo_alone(photos, folder, checkpoint):
    hints = {photos[0]: [Hint(99, 0, "red")]}
    archive, complaints = translate_all(photos[:2], folder, LOOK, checkpoint, hints)
    assert [*contents(archive)] == ["1_color.png"]
    (complaint,) = complaints
    assert complaint.startswith("0.png: hint 99,0=red: outside")


def test_too_many_photos_are_told(photos, folder, checkpoint):
    with pytest.raises(CycleColorError, match="300 photos are too many"):
        translate_all(photos * 100, folder, LOOK, checkpoint)
