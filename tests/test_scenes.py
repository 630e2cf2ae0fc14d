"""Generated scenes: pure, all different, strong in color, and unreadable from lightness alone."""

import hashlib

import numpy as np
import pytest
import torch

from cyclecolor.color import rgb_to_lab
from cyclecolor.data import render_scene
from cyclecolor.data.scenes import LIGHTNESS, MATERIALS, Canvas, compose_scene

SEED, FITTED, HELD_OUT = 7, 200, 50


def checksum(indices):
    return {i: hashlib.sha256(render_scene(SEED, i).tobytes()).hexdigest() for i in indices}


def to_lab(scenes):
    return rgb_to_lab(torch.from_numpy(np.array(scenes)).permute(0, 3, 1, 2) / 255)


def rmse(error):
    return error.square().mean().sqrt().item()


@pytest.fixture(scope="module")
def lab():
    return to_lab([render_scene(SEED, i) for i in range(FITTED + HELD_OUT)])


def test_a_scene_is_a_pure_function_of_seed_and_index():
    np.random.seed(0)
    torch.manual_seed(0)
    assert checksum(range(5)) == checksum([4, 2, 0, 1, 3])
    assert render_scene(SEED, 0).shape == (64, 64, 3)
    assert render_scene(SEED, 0).dtype == np.uint8


def test_another_index_or_seed_is_another_scene():
    assert len(set(checksum(range(50)).values())) == 50
    assert (render_scene(SEED, 0) != render_scene(SEED + 1, 0)).any()


def test_another_size_shows_the_same_scene():
    small, large = (compose_scene(SEED, 3, size=size) for size in (48, 96))
    shrunk = large.reshape(3, 48, 2, 48, 2).mean(axis=(2, 4))
    assert abs(shrunk - small).mean() < 1.0


def test_lightness_alone_says_nothing_of_color(lab):
    """The best guess from a pixel's lightness, its bin's mean chroma, hardly beats no color at all."""
    bins, chroma = lab[:, 0].round().long(), lab[:, 1:].movedim(1, -1)
    ones = torch.ones(FITTED * 64 * 64)
    count = torch.zeros(101).index_add(0, bins[:FITTED].flatten(), ones)
    total = torch.zeros(101, 2).index_add(0, bins[:FITTED].flatten(), chroma[:FITTED].reshape(-1, 2))
    guess = (total / count.clamp(min=1)[:, None])[bins[FITTED:]]
    assert rmse(guess - chroma[FITTED:]) > 0.85 * rmse(chroma[FITTED:])


def test_colors_are_strong(lab):
    assert 25 < lab[:, 1:].norm(dim=1).mean() < 40


def test_no_pixel_is_left_bare(lab):
    assert lab[:, 0].min() > 15


def test_colors_fit_srgb(lab):
    composed = np.array([compose_scene(SEED, i) for i in range(FITTED)])
    difference = (lab[:FITTED] - torch.from_numpy(composed)).norm(dim=1)
    assert (difference > 2).float().mean() < 0.02


@pytest.mark.parametrize("material", MATERIALS)
def test_every_material_has_its_hue_and_any_lightness(material):
    means = []
    for seed in range(40):
        canvas = Canvas(64, np.random.default_rng(seed))
        canvas.paint(material, np.ones((64, 64), bool))
        means.append(canvas.lab.mean(axis=(1, 2)))
    lightness, a, b = np.array(means).T
    middle = sum(LIGHTNESS) / 2
    assert abs(lightness.mean() - middle) < 5
    assert lightness.std() > 5
    hue, chroma, _ = MATERIALS[material]
    assert np.degrees(np.angle((a + 1j * b).mean())) % 360 == pytest.approx(hue, abs=3)
    assert np.hypot(a, b).mean() == pytest.approx(chroma, rel=0.05)
