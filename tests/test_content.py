"""What photos show, apart from how film shows it; and two runs, photo by photo."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cyclecolor.data import render_scene
from cyclecolor.evaluation import content_gap as gap
from cyclecolor.evaluation import doctor, evaluate
from cyclecolor.evaluation.content import alike, chances, lacking, nearest
from cyclecolor.evaluation.doctor import diagnose, examine
from cyclecolor.evaluation.paired import paired_difference, photo_by_photo
from cyclecolor.evaluation.scores import score
from cyclecolor.film import render, tone
from cyclecolor.inference import load
from cyclecolor.networks import FusionGenerator
from cyclecolor.networks.content import content_of, evened
from cyclecolor.networks.encoder import Encoder


def places(seed: int, *counts: int) -> torch.Tensor:
    """Points (n, 3) about as many centers, which are far apart, as there are counts."""
    generator = torch.Generator().manual_seed(seed)
    parts = [
        10 * i * torch.eye(3)[i % 3] + torch.randn(count, 3, generator=generator)
        for i, count in enumerate(counts)
    ]
    return torch.cat(parts)


def test_photos_are_drawn_so_that_they_show_what_scans_do():
    scans, photos = places(0, 300, 100), places(1, 100, 100, 200)
    by_kind = [part.sum() for part in chances(scans, photos).split([100, 100, 200])]
    share = by_kind[0] / sum(by_kind)
    assert share.item() == pytest.approx(0.75, abs=0.1)  # of scans, three in four are of the first kind
    assert by_kind[2] < 0.4 * by_kind[1]  # twice as many, and drawn far less


def test_photos_of_like_content_are_drawn_evenly():
    found = chances(places(0, 200, 200), places(1, 200, 200))
    assert found.mean().item() == pytest.approx(1)
    assert found[:200].mean().item() == pytest.approx(1, abs=0.15)


def test_a_shift_of_all_scans_changes_little():
    scans, photos = places(0, 300, 100), places(1, 200, 200)
    before, after = chances(scans, photos), chances(scans + 1.5, photos)
    assert after[:200].sum() / after.sum() == pytest.approx(
        (before[:200].sum() / before.sum()).item(), abs=0.1
    )


def test_how_alike_piles_are_by_closed_form():
    assert alike(places(0, 400), places(1, 400)) == pytest.approx(1, abs=0.08)
    assert alike(places(0, 0, 200), places(1, 200)) == 0


def test_piles_that_are_sorted_by_what_they_show_are_as_alike_as_others():
    """Two kinds, one after the other: 40 scans, 400 photos."""
    assert alike(places(0, 20, 20), places(1, 200, 200)) > 0.85


def points(*places: float) -> torch.Tensor:
    """Features of one number each."""
    return torch.tensor(places, dtype=torch.float32)[:, None]


def test_of_a_few_points_what_is_nearest_is_counted():
    """Of two scans and two photos, another scan's nearest is a photo in 2 of 3 cases by chance."""
    assert alike(points(0, 1), points(-0.1, 5)) == pytest.approx(0.5 / (2 / 3))
    assert alike(points(0, 3), points(0.1, 3.1)) == 1  # more than by chance
    # Photos spread by 1: scans are 1 and 1/2 from the nearest photo, and 1/2 from each other.
    torch.testing.assert_close(lacking(points(0, 0.5), points(-1, 1)), torch.tensor([2.0, 1.0]))
    assert lacking(points(0.5, 0.5), points(-1, 1)).isfinite().all()


def test_scans_that_no_photo_is_like_are_known():
    scans, photos = places(0, 100, 20), places(1, 150)
    apart = lacking(scans, photos)
    assert apart[100:].min() > 1.5 > apart[:100].median()
    same = torch.cat([photos[7:8], scans])
    assert nearest(same, photos)[0] == 7


def test_tones_evened_do_not_depend_on_film():
    gray = torch.rand(2, 1, 24, 24)
    value = lambda number: torch.tensor(number).view(1, 1, 1, 1)  # noqa: E731
    faded = 0.2 + 0.6 * tone(gray, value(1.4), value(-0.3))
    torch.testing.assert_close(evened(2 * gray - 1), evened(2 * faded - 1), atol=2e-2, rtol=0)
    ordered = evened(gray).flatten(1).sort(dim=1).values[0]
    torch.testing.assert_close(ordered, torch.linspace(-1, 1, 576))


def test_content_is_of_each_image_alone_and_leaves_the_encoder_as_it_was():
    generator = FusionGenerator(1, 2, stages=2, width=8)
    encoder = Encoder(generator.stem, generator.stages, generator.channels)
    images = torch.rand(3, 1, 30, 40)
    state = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    features = content_of(encoder, images)
    torch.testing.assert_close(features[1:2], content_of(encoder, images[1:2]), atol=1e-5, rtol=1e-4)
    assert all(torch.equal(tensor, state[name]) for name, tensor in generator.state_dict().items())
    assert all(module.training for module in generator.modules())


class Halves(torch.nn.Module):
    """Sees a gray image as how rough it is in its upper half, and in its lower half."""

    def forward(self, gray):
        rough = (gray[..., 1:, :] - gray[..., :-1, :]).abs()
        return torch.nn.functional.adaptive_avg_pool2d(rough, (2, 1)).flatten(1)[..., None, None]


@pytest.fixture
def upside_down(tmp_path):
    """Gray scenes on a faded film; in color others, four in five of them upside down."""
    for name in ("gray", "color"):
        (tmp_path / name).mkdir()
    for i in range(60):
        Image.fromarray(render(render_scene(1, i), "faded_print", i)).save(tmp_path / "gray" / f"{i:03}.png")
        scene = render_scene(2, i)
        flipped = scene[::-1] if i % 5 else scene
        Image.fromarray(np.ascontiguousarray(flipped)).save(tmp_path / "color" / f"{i:03}.png")
    return tmp_path


def test_doctor_tells_content_from_film(upside_down):
    encoder = doctor.Encoder(Halves(), torch.nn.ModuleList(), (2,))
    found = diagnose(examine(upside_down / "gray"), examine(upside_down / "color"), encoder)["content"]
    assert found["alike"] < found["alike_halves"]
    wanted = [name for name in found["wanted"] if int(name[:3]) % 5 == 0]
    assert len(wanted) > 0.4 * len(found["wanted"])  # where by chance it would be 0.2
    assert {"words", "lacking", "film_gap"} <= set(found)


def test_thumbnails_reach_from_black_to_white(tmp_path, monkeypatch):
    Image.fromarray(render_scene(1, 0)).save(tmp_path / "a.png")
    monkeypatch.setattr(gap, "render", lambda photo, film, seed: np.full_like(photo, 255))
    assert (gap._as_film(tmp_path / "a.png", 0) == 255).all()
    for level in (0, 0.5, 1, 1.2):
        assert (gap.thumbnail(np.full((80, 90), level, np.float32)) == round(255 * min(level, 1))).all()


def test_what_is_wanted_and_what_is_lacking_is_told_in_order(monkeypatch):
    monkeypatch.setattr(gap, "_alike_halves", lambda *_: 1.0)
    rng, encoder = np.random.default_rng(0), Encoder(Halves(), torch.nn.ModuleList(), (2,))
    names = [f"{i}.png" for i in range(150)]
    photos = [rng.integers(0, 256, (64, 64), np.uint8).clip(max=4 * i + 1) for i in range(60)]
    scans = 30 * photos[50:55]
    found = gap.content_gap(encoder, scans, photos, names, [Path(name) for name in names[:60]])
    drawn = [found.chances[names.index(name)] for name in found.wanted]
    assert drawn == sorted(drawn, reverse=True)
    assert len(drawn) == (found.chances > 2).sum() > 1


def test_paired_difference_is_that_of_scores_and_narrower():
    generator = torch.Generator().manual_seed(0)
    hard = 10 + 3 * torch.randn(200, 1, generator=generator)
    first, second = (hard + d + 0.1 * torch.randn(200, 1, generator=generator) for d in (0.0, 0.5))
    found = paired_difference(first, second, "ciede2000")
    assert found.value == pytest.approx((first.mean() - second.mean()).item(), abs=1e-5)
    assert found.low < -0.5 < found.high < 0
    alone = score(first, lambda weights, measured: weights @ measured[:, 0])
    assert found.high - found.low < (alone.high - alone.low) / 5


def test_photo_by_photo_agrees_with_evaluate():
    photos = [render_scene(4, i, size=48) for i in range(3)]
    photos[1] = np.ascontiguousarray(photos[1][:40])
    grays = [render(photo, "faded_print", i) for i, photo in enumerate(photos)]
    colorizer = load()
    whole = evaluate(colorizer, photos, grays, only=("ciede2000",))["ciede2000_at_true_lightness"][
        "ours"
    ].value
    each = photo_by_photo(colorizer, photos, grays, ("ciede2000", "hue_error"))
    assert each["ciede2000"].mean().item() == pytest.approx(whole, abs=1e-4)
    assert each["hue_error"].shape == (3, 2)
    alone = photo_by_photo(colorizer, photos[1:2], grays[1:2], ("ciede2000",))["ciede2000"]
    torch.testing.assert_close(each["ciede2000"][1:2], alone)
