"""Scores of outputs that are known in advance, and what is scored."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from cyclecolor.color import SPACES, rgb_to_lab
from cyclecolor.data import render_scene
from cyclecolor.errors import CycleColorError
from cyclecolor.evaluation import contact_sheet, evaluate
from cyclecolor.evaluation.folders import table
from cyclecolor.evaluation.inputs import read_inputs
from cyclecolor.evaluation.pictures import STATISTICS

SPACE = SPACES["lab"]


class Known:
    """Stands in for a `Colorizer`: the chroma that it finds is given."""

    device, space = torch.device("cpu"), SPACE

    def __init__(self, photos, factor=1.0):
        rgb = torch.from_numpy(np.stack(photos) / 255).float().permute(0, 3, 1, 2)
        self.chroma = SPACE.split(rgb)[1] * factor

    def colorize_lightness(self, lightness):
        return SPACE.merge(lightness, self.chroma)


@pytest.fixture(scope="module")
def photos():
    return [render_scene(5, i, size=48) for i in range(6)]


def values(scores, column):
    return {name: row[column] and row[column].value for name, row in scores.items() if column in row}


def test_the_truth_scores_as_truth(photos):
    scores = evaluate(Known(photos), photos)
    ours, truth = values(scores, "ours"), values(scores, "truth")
    assert ours["ciede2000"] < 0.5  # what rounding green to keep lightness costs
    assert ours["lightness_error_max"] <= 0.5
    assert ours["hue_error"] < 1.5
    assert ours["colorfulness_ratio"] == pytest.approx(1, abs=0.01)
    assert ours["chroma_hue_distance"] < scores["chroma_hue_distance"]["floor"].value
    assert ours["sliced_wasserstein"] < scores["sliced_wasserstein"]["floor"].value
    assert truth["ciede2000"] == truth["chroma_hue_distance"] == truth["sliced_wasserstein"] == 0
    assert [truth["ssim"], truth["psnr"]] == pytest.approx([1, 100])


def test_doing_nothing_is_gray_and_no_more(photos):
    scores = evaluate(Known(photos, factor=0.5), photos)
    nothing = values(scores, "do_nothing")
    lab = rgb_to_lab(torch.from_numpy(np.stack(photos) / 255).float().permute(0, 3, 1, 2))
    chroma = (lab[:, 1:] ** 2).sum(dim=1).mean(dim=(1, 2)).sqrt().mean().item()
    assert nothing["ab_rmse"] == pytest.approx(chroma, rel=0.01)
    assert [nothing[n] for n in ("near_gray_share", "hue_error", "hue_cosine")] == pytest.approx([1, 90, 0])
    assert nothing["cast_ratio"] is None
    ours = values(scores, "ours")
    assert ours["ab_rmse"] == pytest.approx(chroma / 2, rel=0.02)
    assert ours["hue_error"] < 3
    assert 0.4 < ours["colorfulness_ratio"] < 0.6
    ratio = scores["colorfulness_ratio"]["ours"]
    assert ratio.low < ratio.value < ratio.high


def test_the_gain_is_that_of_paired_photos(photos):
    """Half of the chroma is nearer than none on every photo, though photos differ by more than that."""
    scores = evaluate(Known(photos, factor=0.5), photos, only=("ciede2000", "ciede2000_gain"))
    errors, gains = scores["ciede2000"], scores["ciede2000_gain"]
    assert set(gains) == {"do_nothing", "mean_color"}
    for name, gain in gains.items():
        assert gain.value == pytest.approx(errors[name].value - errors["ours"].value, abs=1e-4)
    assert 0 < gains["do_nothing"].low < gains["do_nothing"].high


def test_mean_color_is_perfect_where_all_is_one_color():
    photos = [np.full((40, 40, 3), (150, 100, 90), np.uint8)] * 4
    scores = evaluate(Known(photos), photos)
    assert values(scores, "mean_color")["ciede2000"] < 0.7
    assert values(scores, "mean_color")["cast_ratio"] == pytest.approx(1, abs=0.01)
    assert values(scores, "do_nothing")["ciede2000"] > 10


def test_scans_are_judged_at_the_lightness_of_the_truth(photos):
    def expose(photo):  # a darker, flatter print of the same scene
        return (photo.mean(axis=2, keepdims=True) * 0.5 + 40).astype(np.uint8).repeat(3, axis=2)

    grays = [expose(photo) for photo in photos]
    pale = Known(photos, factor=0.5)  # pale enough to be in gamut at either lightness
    scanned, own = evaluate(pale, photos, grays), evaluate(pale, photos)
    assert "ciede2000" not in scanned
    assert values(scanned, "ours")["ciede2000_at_true_lightness"] == pytest.approx(
        values(own, "ours")["ciede2000"], rel=0.02
    )
    assert values(scanned, "ours")["ab_rmse"] == pytest.approx(values(own, "ours")["ab_rmse"], rel=0.02)
    assert values(scanned, "ours")["lightness_error_max"] <= 0.5
    assert values(scanned, "truth")["lightness_error_mean"] > 10


def test_a_pile_of_the_same_photos_is_at_no_distance(photos):
    scores = evaluate(Known(photos), photos, pile=photos)
    for metric in ("chroma_hue_distance_to_pile", "sliced_wasserstein_to_pile"):
        assert values(scores, "truth")[metric] == pytest.approx(0, abs=1e-3)
        assert values(scores, "do_nothing")[metric] > 0.1


def test_photos_of_all_sizes_are_scored_and_only_what_is_asked(photos):
    mixed = [*photos[:2], photos[2][:40], photos[3][:, :33]]

    class Gray(Known):
        def colorize_lightness(self, lightness):
            return SPACE.merge(lightness, torch.zeros_like(lightness).expand(-1, 2, -1, -1))

    scores = evaluate(Gray(photos), mixed, only=("ciede2000",))
    assert list(scores) == ["ciede2000"]
    assert scores["ciede2000"]["ours"] == scores["ciede2000"]["do_nothing"]


def test_the_table_and_the_scores_have_the_same_names(photos):
    scores = evaluate(Known(photos), photos, pile=photos)
    assert list(scores) == [name for name in STATISTICS if name != "lpips"]  # that needs weights
    names = [line.split()[0] for line in table(scores).splitlines()[1:]]
    assert names == list(scores)
    json.dumps({m: {n: s and s.value for n, s in row.items()} for m, row in scores.items()}, allow_nan=False)


@pytest.fixture
def folders(tmp_path, photos):
    for name, suffix in (("color", "png"), ("gray", "jpg")):
        (tmp_path / name / "sub").mkdir(parents=True)
        for i in range(3):
            image = Image.fromarray(photos[i]).convert("RGB" if name == "color" else "L")
            image.save(tmp_path / name / "sub" / f"{i}.{suffix}")
    return tmp_path / "color", tmp_path / "gray"


def test_partners_have_equal_names_whatever_their_suffix(folders):
    inputs = read_inputs(*folders)
    assert inputs.names == ["sub/0", "sub/1", "sub/2"]
    assert [g.shape for g in inputs.grays] == [p.shape for p in inputs.photos]


def test_a_missing_partner_is_one_clear_error(folders):
    color, gray = folders
    (gray / "sub" / "1.jpg").unlink()
    with pytest.raises(CycleColorError, match=r"no scan for 1 of the 3 photos .*sub/1"):
        read_inputs(color, gray)


def test_what_cannot_be_used_is_skipped_and_said(folders, photos):
    color, gray = folders
    (color / "sub" / "0.png").write_bytes(b"no image")
    Image.fromarray(photos[1]).resize((24, 48)).save(gray / "sub" / "1.jpg")
    inputs = read_inputs(color, gray)
    assert inputs.names == ["sub/2"]
    assert ["0.png" in inputs.skipped[0], "another shape" in inputs.skipped[1]] == [True, True]
    assert len(inputs.photos) == len(inputs.grays) == 1


def test_a_scan_of_another_size_is_fitted(folders, photos):
    color, gray = folders
    Image.fromarray(photos[0]).resize((96, 96)).save(gray / "sub" / "0.jpg")
    assert read_inputs(color, gray).grays[0].shape == (48, 48, 3)


def test_a_film_renders_what_is_seen(folders):
    color, gray = folders
    inputs = read_inputs(color, film="blue_plate")
    again = read_inputs(color, film="blue_plate")
    for photo, film, same in zip(inputs.photos, inputs.grays, again.grays, strict=True):
        assert film.shape == photo.shape
        assert (film == same).all()
        assert abs(film.astype(float) - photo).mean() > 5
    with pytest.raises(CycleColorError, match="exclude each other"):
        read_inputs(color, gray, film="blue_plate")


def test_photos_too_small_to_measure_are_skipped(folders, photos):
    color, _ = folders
    Image.fromarray(photos[0][:20]).save(color / "sub" / "0.png")
    assert "smaller than 32" in read_inputs(color).skipped[0]


def test_a_contact_sheet_shows_gray_output_and_truth_as_they_are():
    """At its own size, a photo whose colors are known: its gray, and itself twice, to a level of 8 bits."""
    photo = render_scene(5, 0, size=64)
    sheet = np.array(contact_sheet(Known([photo]), [photo], height=64)).astype(int)
    gray, ours, truth = np.split(sheet, 3)
    assert abs(ours - photo).max() <= 1
    assert (truth == photo).all()
    assert np.ptp(gray, axis=2).max() <= 1
    lab, true_lab = (
        rgb_to_lab(torch.from_numpy(row / 255).float().permute(2, 0, 1)[None]) for row in (gray, photo)
    )
    assert (lab[:, 0] - true_lab[:, 0]).abs().max() < 0.3  # L*: half a level of 8 bits, or a little more
