"""Hints: where a person says a color, there it is, and near and alike; elsewhere nothing changes."""

import json
import math

import numpy as np
import pytest
import torch
from conftest import PAPER, run_translate, tiny_experiment
from PIL import Image

from cyclecolor.color import rgb_to_lab
from cyclecolor.errors import CycleColorError
from cyclecolor.inference import Hint, Reference, load, read_hints
from cyclecolor.inference.spreading import TRUST, described, shares, spread_change
from cyclecolor.photos import PhotoError, read_photo
from cyclecolor.training import train
from cyclecolor.translation import read_reference

RED, BLUE, PALE_BLUE = "#a03020", "#3050a0", "#a0c0f0"  # the last is as light as the light wall


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return train(tiny_experiment(num_steps=1, method="regression"), tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def colorizer(checkpoint):
    return load(checkpoint)


@pytest.fixture
def scene() -> Image.Image:
    """A dark wall and a light one, 240 x 120, with a little texture."""
    levels = np.where(np.arange(240) < 120, 70, 190)[None] + np.arange(120)[:, None] % 7
    return Image.fromarray(levels.astype(np.uint8))


def lab(image: Image.Image) -> np.ndarray:
    """(H, W, 3)."""
    rgb = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None] / 255
    return rgb_to_lab(rgb.float())[0].permute(1, 2, 0).numpy()


def chroma_of(color: str) -> np.ndarray:
    return lab(Image.new("RGB", (1, 1), color))[0, 0, 1:]


# --- what a hint is -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("120,340=#a03020", Hint(120, 340, "#a03020")),
        (" 0 , 7 = her dress: #F00 ", Hint(0, 7, "#F00", "her dress")),
        ("1,2=rebeccapurple", Hint(1, 2, "rebeccapurple")),
    ],
)
def test_a_hint_is_read(text, hint):
    assert Hint.parse(text) == hint
    assert Hint.parse(str(hint)) == hint


def test_colors_are_those_of_css():
    colors = [Hint(0, 0, color).rgb for color in ("#a03020", "#a32", "RebeccaPurple")]
    assert colors == [(160, 48, 32), (170, 51, 34), (102, 51, 153)]


@pytest.mark.parametrize(
    "text",
    ["", "1,2", "1,2=", "-1,2=#a03020", "1;2=red", "1,2=#a0302", "1,2=rgb(1,2,3)", "1.5,2=red", "1,2=reed"],
)
def test_what_is_no_hint_is_named(text):
    with pytest.raises(CycleColorError, match=r"hint .*write"):
        Hint.parse(text)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "not valid JSON: line 1, column 2"),
        (b'{\n  "a.jpg": ["1,2=red",]\n}', "not valid JSON: line 2, column"),
        (b'{"a.jpg": ["1,2=red"], "a.jpg": []}', r"a\.jpg stands there twice"),
        (b"\xff\xfe", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"[]", "a list of hints for each photo"),
        (b'{"a.jpg": "1,2=red"}', "a list of hints for each photo"),
        (b'{"a.jpg": [12]}', "a list of hints for each photo"),
        (b'{"a.jpg": ["1,2=reed"]}', "1,2=reed: no such color"),
    ],
)
def test_a_file_that_holds_no_hints_is_named(tmp_path, content, message):
    path = tmp_path / "hints.json"
    path.write_bytes(content)
    with pytest.raises(CycleColorError, match=rf"hints\.json: .*{message}"):
        read_hints(path)


# --- how colors spread --------------------------------------------------------------------------


def test_one_place_has_the_closed_form():
    """K = exp(-d^2 / 2): 1 where the hint is, exp(-2) two reaches away, each over 1 + TRUST."""
    pixels = torch.tensor([[0.0, 2.0, 100.0]])
    spread = spread_change(torch.tensor([[10.5], [-21.0]]), pixels[:, :1], pixels)
    share = torch.tensor([1.0, math.exp(-2), 0.0]) / (1 + TRUST)
    torch.testing.assert_close(spread, torch.tensor([[10.5], [-21.0]]) * share, atol=1e-6, rtol=1e-6)


def test_hints_that_disagree_are_averaged():
    spread = spread_change(torch.tensor([[10.0, 30.0]] * 2), torch.zeros(3, 2), torch.zeros(3, 1))
    torch.testing.assert_close(spread, torch.full((2, 1), 40 / (2 + TRUST)))


def test_shares_are_those_of_a_mean(rng):
    """None below 0, together 1 at most; of one place, and far from all, they are the weights themselves."""
    known, pixels = (torch.from_numpy(rng.normal(size=(3, count))).float() for count in (12, 500))
    share = shares(known, pixels)
    assert share.min() >= 0
    assert share.sum(dim=0).max() <= 1 + 1e-5
    line = torch.tensor([[0.0, 2.0, 100.0]])
    weights = torch.tensor([1.0, math.exp(-2), 0.0]) / (1 + TRUST)
    torch.testing.assert_close(shares(line[:, :1], line)[0], weights, atol=1e-6, rtol=1e-6)


def test_opposite_colors_side_by_side_are_not_carried_on_beyond():
    places, line = torch.tensor([[0.0, 0.5]]), torch.linspace(-3, 3.5, 66)[None]
    carried_on = spread_change(torch.tensor([[1.0, -1.0]] * 2), places, line)
    assert carried_on.abs().max() > 1.2
    mean = torch.tensor([1.0, -1.0]) @ shares(places, line)
    assert 0.8 < mean.abs().max() <= 1
    assert mean[:33].min() > -1e-3  # nowhere the color of the far side
    assert mean[33:].max() < 1e-3


def test_features_count_relative_to_a_photo(rng):
    """Their scale and offset, which differ from network to network, do not matter."""
    lightness, features = torch.zeros(1, 1, 8, 6), torch.from_numpy(rng.normal(size=(1, 5, 8, 6))).float()
    torch.testing.assert_close(described(lightness, features), described(lightness, 40 * features - 7))
    same = described(lightness, torch.ones_like(features))  # a network that sees nothing
    assert torch.isfinite(same).all()


# --- on photos ----------------------------------------------------------------------------------


def test_the_place_gets_the_hue_and_its_like_follows(colorizer, scene):
    before, after = lab(colorizer(scene)), lab(colorizer(scene, [Hint(40, 60, RED)]))
    wished = chroma_of(RED)
    assert np.linalg.norm(after[60, 40, 1:] - wished) < 0.15 * np.linalg.norm(wished - before[60, 40, 1:])
    change = np.linalg.norm((after - before)[..., 1:], axis=2)
    assert change[60, 50] > 0.8 * change[60, 40]  # near and alike
    assert change[60, 130] < 0.3 * change[60, 110]  # beyond the edge
    assert change[60, 235] < 0.1 * change[60, 40]  # far away


def test_lightness_stays(colorizer, scene):
    after = lab(colorizer(scene, [Hint(40, 60, RED), Hint(200, 20, BLUE)]))
    assert np.abs(after[..., 0] - lab(scene)[..., 0]).max() < 0.25  # half an 8-bit level of gray


def test_every_hint_is_heard(colorizer, scene):
    hints = [Hint(40, 60, RED), Hint(200, 60, PALE_BLUE)]
    after = lab(colorizer(scene, hints))
    for hint in hints:
        place, wished = after[hint.y, hint.x, 1:], chroma_of(hint.color)
        assert np.linalg.norm(place - wished) < 0.15 * np.linalg.norm(wished)


@pytest.mark.parametrize("apart", [12, 24, 48])
@pytest.mark.parametrize("colors", [("#a03020", "#3050a0"), ("#a03020", "#207070")])
def test_no_color_is_stronger_than_what_was_said_and_what_was_there(colorizer, rng, colors, apart):
    """Over texture, along whose lightness colors are drawn, and single specks."""
    levels = 110 + 30 * rng.normal(size=(160, 240))
    levels[::9, ::7] = 210
    image = Image.fromarray(levels.clip(0, 255).astype(np.uint8))
    there = np.linalg.norm(lab(colorizer(image))[..., 1:], axis=2).max()
    hints = [Hint(120 + side * apart, 80, color) for side, color in zip((-1, 1), colors, strict=True)]
    strength = np.linalg.norm(lab(colorizer(image, hints))[..., 1:], axis=2)
    said = max(np.linalg.norm(chroma_of(color)) for color in colors)
    assert strength.max() > 0.5 * said
    assert strength.max() < max(said, there) + 1  # half a level of 8 bits in each of three channels


def test_without_hints_nothing_changes(colorizer, scene):
    assert colorizer(scene, []).tobytes() == colorizer(scene).tobytes()


def test_a_hint_may_be_a_text(colorizer, scene):
    written = colorizer(scene, [f"40,60={RED}", f"9,9=wall:{BLUE}"])
    assert written.tobytes() == colorizer(scene, [Hint(40, 60, RED), Hint(9, 9, BLUE)]).tobytes()
    with pytest.raises(CycleColorError, match="write X,Y=COLOR"):
        colorizer(scene, ["40,60"])


def test_positions_are_those_of_the_upright_photo(colorizer, scene, tmp_path):
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees: 120 x 240 becomes 240 x 120
    scene.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif, quality=100)
    photo = read_photo(path)
    pixels = colorizer.colorize(photo, [Hint(235, 60, RED)]).pixels
    assert pixels.shape == (120, 240, 3)
    change = np.abs(pixels.astype(int) - colorizer.colorize(photo).pixels).sum(axis=2)
    assert change[60, 235] > 10 * change[60, 5]


@pytest.mark.parametrize("hint", [Hint(240, 0, RED), Hint(0, 120, RED)])
def test_outside_is_refused(colorizer, scene, hint):
    with pytest.raises(PhotoError, match=r"outside the upright photo, which has 240 x 120 pixels"):
        colorizer(scene, [hint])


@pytest.mark.parametrize("hint", [Hint(0, 0, RED), Hint(239, 119, RED)])
def test_corners_are_inside(colorizer, scene, hint):
    change = np.linalg.norm((lab(colorizer(scene, [hint])) - lab(colorizer(scene)))[..., 1:], axis=2)
    assert change[hint.y, hint.x] > 10 * change[119 - hint.y, 239 - hint.x]


def test_whole_images_take_no_hints(scene, tmp_path):
    whole = load(train(tiny_experiment(num_steps=1, **PAPER), tmp_path))
    with pytest.raises(CycleColorError, match="hints and references are for checkpoints that keep lightness"):
        whole(scene, [Hint(0, 0, RED)])


# --- after another photo ------------------------------------------------------------------------


def painted(image: Image.Image, *colors: str) -> Image.Image:
    """The two walls of the scene in two colors, at its lightness."""
    levels = np.asarray(image)
    rgb = levels[..., None] / 255 * [255, 255, 255]
    shades = np.array([Image.new("RGB", (1, 1), color).getpixel((0, 0)) for color in colors])
    left = np.arange(levels.shape[1]) < levels.shape[1] // 2
    tint = np.where(left[None, :, None], shades[0], shades[1])
    return Image.fromarray((0.5 * rgb + 0.5 * tint).astype(np.uint8))


def test_what_is_like_the_reference_gets_its_colors(colorizer, scene):
    """A dark red wall and a light blue one, mirrored: places do not count, what is there does."""
    reference = painted(scene, RED, PALE_BLUE)
    gray = Image.fromarray(np.asarray(reference.convert("L")))
    after = lab(colorizer(gray, reference=reference.transpose(Image.Transpose.FLIP_LEFT_RIGHT)))
    truth, before = lab(reference), lab(colorizer(gray))
    for x in (30, 210):
        wished, was, now = (image[30:90, x, 1:].mean(axis=0) for image in (truth, before, after))
        assert np.linalg.norm(now - wished) < 0.4 * np.linalg.norm(was - wished)
    assert np.abs(after[..., 0] - lab(gray)[..., 0]).max() < 0.25  # half an 8-bit level of gray


def test_what_the_reference_does_not_show_stays():
    lightness, features = torch.full((1, 1, 4, 4), -1.0), torch.zeros(1, 2, 4, 4)
    reference = Reference.of(lightness, features, torch.ones(1, 2, 4, 4), "")
    likely = reference.change(torch.full((1, 1, 4, 4), -1.0), features)
    assert likely.min() > 0.95  # 16 places that agree: 16 / 16.3
    assert reference.change(torch.full((1, 1, 4, 4), 1.0), features).abs().max() < 1e-3


def test_places_of_a_reference_lie_evenly():
    """400 of 100 x 100, every fifth: their mean is the middle."""
    rows = torch.arange(100.0).view(1, 1, 100, 1).expand(1, 1, 100, 100)
    reference = Reference.of(rows, torch.zeros(1, 3, 100, 100), torch.cat([rows, rows.mT], dim=1), "")
    assert reference.changes.shape == (2, 400)
    assert reference.changes.mean(dim=1).tolist() == [49.5, 49.5]
    assert torch.equal(reference.lightness[0], reference.changes[0])


def test_a_reference_is_studied_on_one_thread(scene, tmp_path):
    """As photos are colored: sums would differ in their last bits with the number of cores."""

    class Studious:
        def study(self, photo):
            return torch.get_num_threads()

    scene.convert("RGB").save(tmp_path / "other.png")
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert read_reference(tmp_path / "other.png", Studious()) == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_hint_outweighs_the_reference(colorizer, scene):
    after = lab(colorizer(scene, [Hint(40, 60, BLUE)], reference=painted(scene, RED, RED)))
    assert np.linalg.norm(after[60, 40, 1:] - chroma_of(BLUE)) < 8


def test_a_gray_reference_is_refused(colorizer, scene):
    with pytest.raises(CycleColorError, match="a reference needs colors, and this photo is gray"):
        colorizer(scene, reference=scene)


# --- from the command line ----------------------------------------------------------------------


@pytest.fixture
def call(checkpoint, tmp_path):
    """Run `translate` into tmp_path/out, check its exit code, return what it said."""

    def run(source, *arguments, code=0, output=tmp_path / "out"):
        return run_translate(source, "-o", output, "-c", checkpoint, *arguments, code=code)

    return run


def test_one_photo(scene, call, colorizer, tmp_path):
    scene.save(tmp_path / "a.png")
    call(
        tmp_path / "a.png", "--hint", f"40,60={RED}", "--hint", f"9,9=wall:{BLUE}", output=tmp_path / "b.png"
    )
    with Image.open(tmp_path / "b.png") as colored:
        assert colored.tobytes() == colorizer(scene, [Hint(40, 60, RED), Hint(9, 9, BLUE)]).tobytes()
        assert "colors given by a person: 2" in colored.info["xmp"].decode()


def test_changed_hints_are_translated_anew(scene, call, tmp_path):
    folder, hints = tmp_path / "scans", tmp_path / "hints.json"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.png", "sub/b.png"):
        scene.save(folder / name)
    call(folder)
    plain = (tmp_path / "out/a.png").read_bytes()
    hints.write_text(json.dumps({"sub/b.png": [f"40,60={RED}"]}))
    assert "1 translated, 1 skipped" in call(folder, "--hints", hints)
    assert "0 translated, 2 skipped" in call(folder, "--hints", hints)
    hints.write_text(json.dumps({"sub/b.png": [f"40,60=wall:{RED}"]}))  # the same, named
    assert "0 translated, 2 skipped" in call(folder, "--hints", hints)
    assert "1 translated, 1 skipped" in call(folder)
    assert (tmp_path / "out/a.png").read_bytes() == plain


def test_another_reference_is_translated_anew(scene, call, colorizer, tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    scene.save(folder / "a.png")
    reference = painted(scene, RED, BLUE)
    reference.save(tmp_path / "red.png")
    call(folder)
    plain = (tmp_path / "out/a.png").read_bytes()
    assert "1 translated" in call(folder, "--reference", tmp_path / "red.png")
    with Image.open(tmp_path / "out/a.png") as made:
        assert made.tobytes() == colorizer(scene, reference=reference).tobytes()
        assert "after the colors of red.png" in made.info["xmp"].decode()
    assert "1 skipped" in call(folder, "--reference", tmp_path / "red.png")
    painted(scene, BLUE, RED).save(tmp_path / "red.png")  # of the same name, but not the same
    assert "1 translated" in call(folder, "--reference", tmp_path / "red.png")
    call(folder)
    assert (tmp_path / "out/a.png").read_bytes() == plain


def test_mistakes_with_references_are_one_line(scene, call, tmp_path):
    photo, output = tmp_path / "a.png", tmp_path / "b.png"
    scene.save(photo)
    (tmp_path / "broken.jpg").write_bytes(b"nothing")
    said = call(photo, "--reference", photo, output=output, code=2)
    assert "a.png: a reference needs colors" in said
    assert "broken.jpg: " in call(photo, "--reference", tmp_path / "broken.jpg", output=output, code=1)
    assert "no.png: " in call(photo, "--reference", tmp_path / "no.png", output=output, code=1)
    assert not output.exists()


def test_mistakes_are_one_line(scene, call, tmp_path):
    folder, hints = tmp_path / "scans", tmp_path / "hints.json"
    folder.mkdir()
    scene.save(folder / "beach.png")
    hints.write_text(json.dumps({"beech.png": [f"40,60={RED}"]}))
    assert "hints of beech.png: no such photo; did you mean beach.png?" in call(
        folder, "--hints", hints, code=2
    )
    assert "write --hints FILE" in call(folder, "--hint", f"1,1={RED}", code=2)
    said = call(folder / "beach.png", "--hint", f"1,1={RED}", "--direction", "to-gray", code=2)
    assert "hints are for colors" in said
    said = call(folder / "beach.png", "--hint", f"240,1={RED}", output=tmp_path / "b.png", code=1)
    assert "beach.png: hint 240,1=#a03020: outside the upright photo" in said
    assert not (tmp_path / "b.png").exists()
