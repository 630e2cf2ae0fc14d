"""What is found in piles, and how far apart they are."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from scipy.ndimage import gaussian_filter
from scipy.stats import mannwhitneyu

from cyclecolor.color import rgb_to_lab
from cyclecolor.errors import CycleColorError
from cyclecolor.evaluation import folders
from cyclecolor.evaluation.doctor import Gap, Pile, diagnose, domain_gap, examine
from cyclecolor.evaluation.domain_gap import area_under_curve, describe, separability
from cyclecolor.evaluation.hashes import dhash, same_pictures
from cyclecolor.evaluation.metrics import color_beyond_tint
from cyclecolor.film import render


def scene(i, size=96):
    """Something with the smoothness of a photograph, its channels alike but for a part."""
    rng = np.random.default_rng(i)
    down, across = np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size), indexing="ij")
    spectra = np.fft.fft2(rng.normal(size=(4, size, size))) / (np.hypot(down, across) + 1 / size) ** 1.2
    shared, *parts = np.fft.ifft2(spectra).real
    channels = np.stack([shared + 0.6 * part for part in parts], axis=2)
    channels = 128 + 45 * (channels - channels.mean()) / channels.std()
    return Image.fromarray(channels.clip(0, 255).astype(np.uint8))


def gray_level(image):
    return np.asarray(image.convert("L"), np.float32) / 255


def test_a_hash_survives_tone_scale_and_grain_but_not_another_picture(rng):
    scenes = [gray_level(scene(i)) for i in range(20)]
    hashes = np.stack([dhash(s) for s in scenes])
    mirrored = np.stack([dhash(np.ascontiguousarray(s[:, ::-1])) for s in scenes])
    changed = [
        np.float32(0.3 + 0.4 * s**1.5) + rng.normal(0, 0.005, s.shape).astype(np.float32) for s in scenes
    ]
    changed[:10] = [np.ascontiguousarray(s[:, ::-1]) for s in changed[:10]]
    found = same_pictures(np.stack([dhash(s[::2, ::2]) for s in changed]), hashes, mirrored)
    assert found == [(i, i) for i in range(20)]


def test_color_beyond_tint_is_nothing_for_a_toned_print(rng):
    level = rng.uniform(20, 90, (1, 1, 32, 32))
    duotone = np.concatenate([level, 10 - level / 10, level / 4], axis=1)
    patches = np.concatenate([level, rng.choice([-20, 20], (1, 2, 32, 32))], axis=1)
    assert color_beyond_tint(torch.from_numpy(duotone)).item() < 1
    # Two independent coins of 20 have a root mean square of 28 around their means.
    assert color_beyond_tint(torch.from_numpy(patches)).item() == pytest.approx(20 * 2**0.5, rel=0.03)


def test_area_under_curve_agrees_with_scipy(rng):
    zeros, ones = rng.integers(0, 9, 60), rng.integers(2, 11, 80)
    expected = mannwhitneyu(ones, zeros).statistic / (60 * 80)
    assert area_under_curve(zeros, ones) == pytest.approx(expected)


def test_separability_by_closed_form(rng):
    shared = rng.normal(size=(600, 8))
    _, low, high = separability(shared[:300], shared[300:])
    assert low < 0.5 < high
    assert high - low < 0.15
    shifted = shared[300:].copy()
    shifted[:, 0] += 1  # the best there is: the normal distribution at 1 / sqrt(2)
    assert separability(shared[:300], shifted)[0] == pytest.approx(0.760, abs=0.04)


def test_a_description_knows_tone_and_grain_but_not_place(rng):
    photo = gray_level(scene(0))
    assert describe(photo).shape == (44,)
    np.testing.assert_allclose(describe(photo), describe(photo[:, ::-1].copy()), atol=0.02)
    grainy = photo + rng.normal(0, 0.05, photo.shape).astype(np.float32)
    assert np.linalg.norm(describe(grainy) - describe(photo)) > 1


def test_a_description_is_that_of_scipy_and_numpy(rng):
    """A ramp with grain: its tones, its bands at four sizes, and its grain by blocks of 8 x 8 and by tone."""
    gray = (np.linspace(0, 1, 48) + rng.normal(0, 0.02, (64, 48))).clip(0, 1).astype(np.float32)
    image, bands = gray.astype(float), []
    for height, width in ((64, 48), (32, 24), (16, 12), (8, 6)):
        bands.append(image - gaussian_filter(image, 1.0, mode="mirror", radius=4))
        image = image.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
    sizes, finest = [np.abs(band) for band in bands], bands[0]
    blocks = [block.std() for rows in np.split(finest, 8) for block in np.split(rows, 6, axis=1)]
    tone = np.digitize(gray, (1 / 3, 2 / 3))
    expected = [
        *np.bincount((gray * 16).astype(int).clip(max=15).flatten(), minlength=16) / gray.size,
        *np.quantile(gray, (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)),
        *(np.log(size + 1e-4) for band in sizes for size in (band.mean(), np.median(band))),
        *((band**3).mean() / (band.std() + 1e-4) ** 3 for band in bands),
        *np.log(np.quantile(blocks, (0.05, 0.1, 0.25, 0.5)) + 1e-4),
        *(
            (a * b).mean() / (finest**2).mean()
            for a, b in ((finest[1:], finest[:-1]), (finest.T[1:], finest.T[:-1]))
        ),
        *(np.log(sizes[0][tone == third].mean() + 1e-4) for third in range(3)),
    ]
    np.testing.assert_allclose(describe(gray), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(describe(np.zeros((32, 32), np.float32))[-3:], np.log(1e-4))


@pytest.fixture(scope="module")
def piles(tmp_path_factory):
    """30 color scenes; grays of other scenes as lightness and as film; some mistakes among them."""
    root = tmp_path_factory.mktemp("piles")
    for name in ("color", "lightness", "film"):
        (root / name).mkdir()
    for i in range(30):
        scene(i).save(root / "color" / f"{i:02}.png")
        other = scene(100 + i)
        rgb = torch.from_numpy(np.array(other) / 255).float().permute(2, 0, 1)[None]
        level = (rgb_to_lab(rgb)[0, 0] / 100).numpy()
        y = np.where(level > 0.08, ((level * 100 + 16) / 116) ** 3, level * 100 / 903.3)
        srgb = np.where(y > 0.0031308, 1.055 * y.clip(0) ** (1 / 2.4) - 0.055, 12.92 * y)
        Image.fromarray((srgb * 255).round().astype(np.uint8)).save(root / "lightness" / f"{i:02}.png")
        Image.fromarray(render(np.array(other), "faded_print", i)).save(root / "film" / f"{i:02}.png")
    film = root / "film"
    ImageOps.mirror(Image.open(film / "00.png")).save(film / "again.png")
    ImageOps.colorize(Image.open(film / "01.png").convert("L"), "#201008", "#fff0d0").save(film / "sepia.png")
    scene(7).convert("L").point(lambda x: 40 + x // 2).save(film / "twin.png")
    scene(200).save(film / "colored.png")
    scene(201, size=40).save(film / "tiny.png")
    (film / "broken.png").write_bytes(b"no image")
    scene(300).convert("L").save(root / "color" / "gray.png")
    return root


def test_findings_are_named(piles):
    found = diagnose(examine(piles / "film"), examine(piles / "color"))
    gray, color = found["gray"], found["color"]
    assert "broken.png" in gray["unreadable"][0]
    assert gray["tiny"] == ["tiny.png"]
    assert gray["duplicates"] == ["00.png = again.png", "01.png = sepia.png"]
    assert gray["tinted"] == ["sepia.png"]
    assert gray["colored"] == ["colored.png", "tiny.png"]
    assert color["gray"] == ["gray.png"]
    assert found["twins"] == ["twin.png = 07.png"]
    assert "unpaired training" in found["advice"]
    assert (gray["photos"], color["photos"]) == (35, 31)
    json.dumps(found, allow_nan=False)


def test_lightness_of_other_photos_needs_no_unpaired_training(piles):
    gap = domain_gap(examine(piles / "lightness"), examine(piles / "color"))
    assert gap.low < 0.65
    assert "paired training" in gap.advice
    assert "cyclegan" not in gap.advice


def test_advice_follows_the_gap():
    assert "unpaired training" in Gap(0.95, 0.9, 1).advice
    assert "is enough" in Gap(0.52, 0.48, 0.56).advice
    assert "try paired" in Gap(0.7, 0.66, 0.75).advice


def test_too_few_photos_have_no_gap(piles):
    few = examine(piles / "color")
    few.names = few.names[:5]
    assert domain_gap(few, few) is None
    assert isinstance(few, Pile)


def test_nothing_readable_is_an_error(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(CycleColorError, match="none of its 1 photos can be used"):
        examine(tmp_path)


def test_all_findings_are_said_in_their_order(monkeypatch):
    """Piles, twins, gap, contents, film, advice."""
    pile = {name: [] for findings in folders.FINDINGS.values() for name in findings}
    found = {
        "gray": {"photos": 5, "folder": "scans", **pile, "tinted": ["scans/a.png"]},
        "color": {"photos": 1200, "folder": "photos", **pile},
        "twins": ["scans/b.png = photos/b.png"],
        "gap": {"auc": 0.9, "low": 0.8, "high": 1.0},
        "content": {
            "alike": 0.5, "alike_halves": 0.75, "words": "streets are missing",
            "lacking": ["scans/c.png"], "wanted": ["photos/d.png"],
            "film_gap": {"auc": 0.7, "low": 0.6, "high": 0.8},
        },
        "advice": "train without pairs",
    }  # fmt: skip
    monkeypatch.setattr(folders, "examine", lambda folder, progress: folder)
    monkeypatch.setattr(folders, "diagnose", lambda gray, color, encoder: found)
    monkeypatch.setattr(folders, "_encoder", lambda: None)
    lines = folders.doctor_folders(Path("scans"), Path("photos")).splitlines()
    starts = (
        "gray pile: 5 photos in scans", "      1 are toned, which", "        scans/a.png",
        "color pile: 1,200 photos in photos", "      1 pictures are in both", "        scans/b.png = ",
        "gap: a small classifier tells a scan from a color photo turned to gray 90.0% of the time [80.0%, 1",
        "content: 50% alike, where halves of the color pile, one of them on film, are 75%: streets are",
        "      1 scans show what no color photo does", "        scans/c.png",
        "      1 color photos come nearest to most scans", "        photos/d.png",
        "film: among photos that show like things, the gap is 70.0% [60.0%, 80.0%]", "train without pairs",
    )  # fmt: skip
    assert len(lines) == len(starts)
    for line, start in zip(lines, starts, strict=True):
        assert line.startswith(start)
