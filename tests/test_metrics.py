"""Metrics against published values and closed forms."""

import numpy as np
import pytest
import skimage.color
import skimage.metrics
import torch

from cyclecolor.color import rgb_to_lightness
from cyclecolor.evaluation import (
    ab_rmse,
    cast,
    ciede2000,
    colorfulness,
    colorfulness_absolute,
    hue_agreement,
    lightness_error,
    psnr,
    ssim,
)
from cyclecolor.evaluation.metrics import color_beyond_tint

# Pairs of Sharma, Wu and Dalal (2005), table 1: L1 a1 b1, L2 a2 b2, CIEDE2000.
SHARMA = np.array(
    [
        [50, 2.6772, -79.7751, 50, 0, -82.7485, 2.0425],
        [50, 3.1571, -77.2803, 50, 0, -82.7485, 2.8615],
        [50, 2.8361, -74.0200, 50, 0, -82.7485, 3.4412],
        [50, -1.3802, -84.2814, 50, 0, -82.7485, 1.0000],
        [50, -1.1848, -84.8006, 50, 0, -82.7485, 1.0000],
        [50, -0.9009, -85.5211, 50, 0, -82.7485, 1.0000],
        [50, 0, 0, 50, -1, 2, 2.3669],
        [50, -1, 2, 50, 0, 0, 2.3669],
        [50, 2.4900, -0.0010, 50, -2.4900, 0.0009, 7.1792],
        [50, 2.4900, -0.0010, 50, -2.4900, 0.0010, 7.1792],
        [50, 2.4900, -0.0010, 50, -2.4900, 0.0011, 7.2195],
        [50, 2.4900, -0.0010, 50, -2.4900, 0.0012, 7.2195],
        [50, -0.0010, 2.4900, 50, 0.0009, -2.4900, 4.8045],
        [50, -0.0010, 2.4900, 50, 0.0010, -2.4900, 4.8045],
        [50, -0.0010, 2.4900, 50, 0.0011, -2.4900, 4.7461],
        [50, 2.5, 0, 50, 0, -2.5, 4.3065],
        [50, 2.5, 0, 73, 25, -18, 27.1492],
        [50, 2.5, 0, 61, -5, 29, 22.8977],
        [50, 2.5, 0, 56, -27, -3, 31.9030],
        [50, 2.5, 0, 58, 24, 15, 19.4535],
        [50, 2.5, 0, 50, 3.1736, 0.5854, 1.0000],
        [50, 2.5, 0, 50, 3.2972, 0, 1.0000],
        [50, 2.5, 0, 50, 1.8634, 0.5757, 1.0000],
        [50, 2.5, 0, 50, 3.2592, 0.3350, 1.0000],
        [60.2574, -34.0099, 36.2677, 60.4626, -34.1751, 39.4387, 1.2644],
        [63.0109, -31.0961, -5.8663, 62.8187, -29.7946, -4.0864, 1.2630],
        [61.2901, 3.7196, -5.3901, 61.4292, 2.2480, -4.9620, 1.8731],
        [35.0831, -44.1164, 3.7933, 35.0232, -40.0716, 1.5901, 1.8645],
        [22.7233, 20.0904, -46.6940, 23.0331, 14.9730, -42.5619, 2.0373],
        [36.4612, 47.8580, 18.3852, 36.2715, 50.5065, 21.2231, 1.4146],
        [90.8027, -2.0831, 1.4410, 91.1528, -1.6435, 0.0447, 1.4441],
        [90.9257, -0.5406, -0.9208, 88.6381, -0.8985, -0.7239, 1.5381],
        [6.7747, -0.2908, -2.4247, 5.8714, -0.0985, -2.2286, 0.6377],
        [2.0776, 0.0795, -1.1350, 0.9033, -0.0636, -0.5514, 0.9082],
    ]
)


def test_ciede2000_passes_sharmas_pairs():
    first, second = (
        torch.from_numpy(SHARMA[:, columns])[..., None, None] for columns in ([0, 1, 2], [3, 4, 5])
    )
    ours = ciede2000(first, second).flatten().numpy()
    np.testing.assert_allclose(ours, SHARMA[:, 6], atol=6e-5)


def test_ciede2000_agrees_with_scikit_image(rng):
    first, second = (rng.uniform((0, -80, -80), (100, 80, 80), (500, 3)) for _ in range(2))
    ours = ciede2000(*(torch.from_numpy(x)[..., None, None] for x in (first, second))).flatten()
    np.testing.assert_allclose(ours, skimage.color.deltaE_ciede2000(first, second), atol=1e-6)


def test_ab_rmse_by_closed_form():
    first, second = torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    second[:, 0], second[:, 1], second[:, 2] = 9, 3, 4
    assert ab_rmse(first, second).item() == pytest.approx(5)


def test_colorfulness_by_closed_form():
    gray = torch.rand(1, 1, 8, 8).expand(1, 3, 8, 8)
    red = torch.zeros(1, 3, 8, 8)
    red[:, 0] = 1
    assert colorfulness(gray).item() == pytest.approx(0, abs=1e-4)
    assert colorfulness(red).item() == pytest.approx(0.3 * np.hypot(255, 127.5), rel=1e-5)


def test_absolute_colorfulness_by_closed_form():
    # Half red, half cyan: the signed opponents average out, the absolute ones do not spread.
    halves = torch.zeros(1, 3, 8, 8)
    halves[:, 0, :4] = halves[:, 1, 4:] = halves[:, 2, 4:] = 1
    assert colorfulness(halves).item() == pytest.approx(np.hypot(255, 127.5), rel=1e-5)
    assert colorfulness_absolute(halves).item() == pytest.approx(0.3 * np.hypot(255, 127.5), rel=1e-5)


def test_colorfulness_agrees_with_the_definition_in_numpy(rng):
    image = rng.uniform(0, 1, (9, 7, 3))
    r, g, b = (255 * image).transpose(2, 0, 1)
    rg, yb = r - g, (r + g) / 2 - b
    expected = np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())
    ours = colorfulness(torch.from_numpy(image).permute(2, 0, 1)[None])
    assert ours.item() == pytest.approx(expected)


def _lab(*pixels):
    """Pixels (L, a, b) in a row, as Lab (1, 3, 1, N)."""
    return torch.tensor(pixels, dtype=torch.float64).T[None, :, None]


def test_hue_agreement_is_circular_and_judges_only_what_has_hue():
    turn = np.deg2rad([350, 10, 90])
    output = _lab(*[(50, 30 * np.cos(h), 30 * np.sin(h)) for h in turn], (50, 0.1, 0.1))
    truth = _lab((50, 20, 0), (50, 20, 0), (50, 5, 0), (50, 0, 20))  # the third is too pale to be judged
    degrees, cosine, count = hue_agreement(output, truth)[0].tolist()
    assert degrees == pytest.approx(10 + 10 + 90)
    assert cosine == pytest.approx(2 * np.cos(np.deg2rad(10)))
    assert count == 3


def test_equal_and_opposite_hues_are_0_and_180_degrees_apart_however_cosines_are_rounded(rng):
    lab = torch.from_numpy(rng.uniform(10, 90, (1, 3, 40, 40))).float()
    opposite = lab * torch.tensor([1.0, -1.0, -1.0]).view(1, 3, 1, 1)
    for other, degrees, cosine in ((lab, 0, 1), (opposite, 180, -1)):
        found = hue_agreement(other, lab)[0] / 1600
        assert found.tolist() == pytest.approx([degrees, cosine, 1], abs=0.05)


def test_cast_tells_a_tint_from_balance():
    sepia, balanced = _lab((50, 6, 8), (60, 3, 4)), _lab((50, 6, 8), (60, -6, -8))
    assert cast(sepia)[0].tolist() == pytest.approx([4.5, 6, 7.5])
    assert cast(balanced)[0].tolist() == pytest.approx([0, 0, 10])


def test_what_a_tint_leaves_of_color_by_closed_form():
    """A dark tint and a light one leave nothing; of two colors in one light, half of what is between them."""
    toned = _lab((20, 3, 9), (20, 3, 9), (80, -2, 6), (80, -2, 6))
    assert color_beyond_tint(toned).item() == pytest.approx(0, abs=1e-6)
    for a, b in ((6, 0), (0, 6)):
        colored = _lab((20, a, b), (20, -a, -b), (80, 1, 1), (80, 1, 1))
        assert color_beyond_tint(colored).item() == pytest.approx((6**2 / 2) ** 0.5)
    ends = _lab((0, 5, 0), (100, -5, 0), (3, 5, 0), (97, -5, 0))  # levels are 6.7 of L* wide, about the ends
    assert color_beyond_tint(torch.cat([ends, ends])).tolist() == pytest.approx([0, 0], abs=1e-6)


def test_ssim_and_psnr_agree_with_scikit_image(rng):
    first = rng.uniform(0, 1, (40, 30, 3))
    second = np.clip(first + rng.normal(0, 0.1, first.shape), 0, 1)
    tensors = [torch.from_numpy(x).permute(2, 0, 1)[None] for x in (first, second)]
    expected = skimage.metrics.structural_similarity(
        first,
        second,
        channel_axis=2,
        data_range=1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert ssim(*tensors).item() == pytest.approx(expected, abs=1e-6)
    expected = skimage.metrics.peak_signal_noise_ratio(first, second, data_range=1)
    assert psnr(*tensors).item() == pytest.approx(expected)
    assert psnr(tensors[0], tensors[0]).item() == 100


def test_lightness_error_is_in_levels_of_gray():
    gray = torch.arange(256.0).view(1, 1, 16, 16)
    first, second = (rgb_to_lightness((x / 255).expand(-1, 3, -1, -1)) for x in (gray, gray + 0.25))
    largest, mean = lightness_error(first, second)[0].tolist()
    assert largest == pytest.approx(0.25, abs=2e-3)
    assert mean == pytest.approx(0.25, abs=1e-3)
