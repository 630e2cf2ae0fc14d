"""Set distances, spectra and intervals, against scipy and closed forms."""

import numpy as np
import pytest
import scipy.stats
import torch

from cyclecolor.evaluation import (
    checkerboard_contrast,
    checkerboard_peak,
    chroma_hue_histogram,
    fine_power,
    patch_cdfs,
)
from cyclecolor.evaluation.distributions import BINS, DIRECTIONS, SCALES, _patches, _slices
from cyclecolor.evaluation.scores import halves, interval, largest, length, mean, ratio, score
from cyclecolor.evaluation.spectrum import _above_lowest, _frequencies, _tile_power


def flat(*lab, side=32):
    """A Lab image of one colour."""
    return torch.tensor(lab, dtype=torch.float32).view(1, 3, 1, 1).expand(1, 3, side, side).clone()


def test_chroma_hue_histogram_holds_shares():
    image = flat(50, 20, 0)
    image[:, 1:, :16] = 0  # the upper half is gray
    histogram = chroma_hue_histogram(image)
    assert histogram.sum().item() == pytest.approx(1)
    assert sorted(histogram.flatten().tolist())[-2:] == [0.5, 0.5]
    assert histogram[0, 0] == 0.5


def test_hues_are_told_apart_by_24ths_of_a_turn_in_each_ring_of_chroma():
    """From red (a* > 0) by yellow (b* > 0); a hair before red is the last."""
    for lab, place in (
        ((50, 20, 0.1), 1 + 2 * 24),
        ((50, 0.1, 5), 1 + 5),
        ((50, -100, 0.1), 1 + 4 * 24 + 11),
        ((50, 10, -1e-6), 1 + 24 + 23),
        ((50, 4, 0), 1),
        ((50, 3.99, 0), 0),
    ):
        histogram = chroma_hue_histogram(flat(*lab))[0]
        assert histogram.shape == (121,)
        assert histogram[place] == 1, lab


def test_patches_are_of_7_pixels_on_an_even_grid_up_to_the_edges():
    lab = torch.arange(3 * 30 * 40.0).view(1, 3, 30, 40)
    patches = _patches(lab).view(16, 16, 3, 7, 7)
    middle = torch.tensor((50.0, 0, 0)).view(3, 1, 1)
    for row, column in ((0, 0), (7, 8), (15, 15)):
        top, left = round(23 * row / 15), round(33 * column / 15)
        assert torch.equal(patches[row, column], lab[0, :, top : top + 7, left : left + 7] - middle)


def test_total_variation_of_disjoint_colors_is_one():
    red, green = (chroma_hue_histogram(flat(50, a, 1)) for a in (40, -40))
    assert (red - green).abs().sum() / 2 == pytest.approx(1)
    assert (red - red).abs().sum() == 0


def test_sliced_wasserstein_agrees_with_scipy():
    generator = torch.Generator().manual_seed(0)
    scale = torch.tensor((20.0, 12.0, 12.0)).view(1, 3, 1, 1)
    middle = torch.tensor((50.0, 0.0, 0.0)).view(1, 3, 1, 1)
    first = torch.randn(1, 3, 48, 48, generator=generator) * scale + middle
    second = torch.randn(1, 3, 48, 48, generator=generator) * scale * 0.6 + middle + 5
    ours = (patch_cdfs(first) - patch_cdfs(second)).abs().sum().item()
    distances = []
    for factor in SCALES:
        projected = [
            _patches(torch.nn.functional.avg_pool2d(x, factor))[0] @ _slices(factor)[0]
            for x in (first, second)
        ]
        distances += [
            scipy.stats.wasserstein_distance(a, b)
            for a, b in zip(*(p.T.numpy() for p in projected), strict=True)
        ]
    assert ours == pytest.approx(np.mean(distances), rel=0.02)


def test_sliced_wasserstein_of_a_shift_is_the_shift_seen_along_each_direction():
    shift = (patch_cdfs(flat(50, 0, 0)) - patch_cdfs(flat(50, 10, -5))).view(len(SCALES), DIRECTIONS, BINS)
    expected = []
    for factor in SCALES:
        weights = _slices(factor)[0].view(3, -1, DIRECTIONS).sum(dim=1)
        expected.append((10 * weights[1] - 5 * weights[2]).abs())
    measured = shift.abs().sum(dim=2) * DIRECTIONS * len(SCALES)
    bin_width = torch.stack([_slices(factor)[2] for factor in SCALES])
    assert ((measured - torch.stack(expected)).abs() <= bin_width).all()


def noise(seed=0, count=60):
    """Chroma of photo-like smoothness (N, 2, 64, 64)."""
    generator = torch.Generator().manual_seed(seed)
    spectrum = torch.fft.fft2(torch.randn(count, 2, 64, 64, generator=generator))
    down, across = torch.meshgrid(*[torch.fft.fftfreq(64)] * 2, indexing="ij")
    return 300 * torch.fft.ifft2(spectrum / (torch.hypot(down, across) + 0.02) / 64).real


def peak(chroma):
    return checkerboard_peak(checkerboard_contrast(chroma).mean(dim=0)).item()


def test_a_checkerboard_peaks_and_a_natural_spectrum_does_not():
    chroma = noise()
    assert peak(chroma) < 1.5
    rows, columns = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    board = (-1.0) ** (rows + columns)
    every_third = torch.cos(2 * torch.pi * rows / 3)
    share = 0.1 * chroma.std()
    assert peak(chroma + share * board) > 3
    assert peak(chroma + share * every_third) > 3
    edge = torch.where(columns > 30, 20.0, 0.0)  # a line in the spectrum, not a point
    assert peak(chroma + edge) < 1.5


def test_every_frequency_but_the_lowest_is_judged_or_its_twin_is():
    """But one: rows that are light and dark by turns, which show in the bins beside it."""
    judged = _above_lowest()
    twins = judged.flip(0, 1).roll((1, 1), (0, 1))  # of the opposite frequency
    high = (_frequencies() * 32).abs().amax(dim=0) >= 4
    assert (high & ~judged & ~twins).nonzero().tolist() == [[16, 0]]
    assert not (judged & ~high).any()


def test_fine_power_is_the_variance_of_fine_detail():
    rows = torch.arange(64).view(1, 1, 64, 1).expand(1, 1, 64, 64).float()
    fine = fine_power(3 * torch.cos(2 * torch.pi * rows / 3.2)).item()
    assert fine == pytest.approx(3**2 / 2, rel=0.05)
    assert fine_power(torch.cos(2 * torch.pi * rows / 16)).item() < 1e-3
    # A quarter counts; a Hann window leaves two thirds of a wave there, and puts a sixth at either side.
    assert fine_power(torch.cos(torch.pi * rows / 2)).item() == pytest.approx(5 / 6 / 2, rel=0.01)
    assert not _tile_power(torch.full((1, 1, 32, 32), 7.0)).any()
    white = torch.randn(20, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    # White noise has equal power everywhere: the share above a quarter is 1 - pi / 16.
    assert fine_power(white).mean().item() == pytest.approx(1 - torch.pi / 16, rel=0.03)


def test_intervals_cover_as_often_as_they_say():
    generator = torch.Generator().manual_seed(1)
    covered = 0
    for _ in range(200):
        found = score(torch.randn(40, 1, generator=generator) + 3, mean)
        covered += found.low <= 3 <= found.high
    assert 0.905 <= covered / 200 <= 0.98  # of 90%, less than 0.9: resamples of 40 are a little narrow


def test_an_interval_holds_95_of_100_resamples():
    found = interval(0.5, torch.arange(1001)[torch.randperm(1001)].float())
    assert (found.value, found.low, found.high) == (0.5, 25, 975)


def test_an_interval_of_a_mean_is_the_normal_one():
    measured = torch.randn(1000, 1, generator=torch.Generator().manual_seed(0))
    found = score(measured, mean)
    half = 1.95996 * measured.std().item() / 1000**0.5
    assert found.low == pytest.approx(measured.mean().item() - half, abs=half / 10)
    assert found.high == pytest.approx(measured.mean().item() + half, abs=half / 10)


@pytest.mark.parametrize("resamples", [[torch.nan, 1.0, 2.0, torch.inf], [1.0, 2.0]])
def test_resamples_that_are_no_number_are_left_out(resamples):
    found = interval(0.0, torch.tensor(resamples))
    assert (found.low, found.high) == (pytest.approx(1.025), pytest.approx(1.975))


def test_statistics_by_closed_form():
    even = torch.full((1, 4), 0.25)
    measured = torch.tensor([[1.0, 2.0], [2.0, 2.0], [3.0, 4.0], [6.0, 0.0]])
    assert mean(even, measured).item() == 3
    assert ratio(even, measured).item() == 12 / 8
    assert largest(torch.tensor([[0.5, 0.5, 0, 0]]), measured).item() == 2
    assert length(even, measured - 3).item() == 0 + 1
    assert score(torch.zeros(4, 2), ratio) is None


def test_halves_of_one_set_are_nearly_the_same():
    generator = torch.Generator().manual_seed(0)
    measured = torch.randn(400, 1, generator=generator)
    floor = halves(measured, length)
    # The difference of two means of 200: |N(0, 0.1)|, whose mean is 0.08.
    assert floor.value == pytest.approx(0.08, rel=0.15)
    for count in (8, 5):
        assert halves(torch.ones(count, 1), length).value == pytest.approx(0, abs=1e-6)
    assert halves(torch.ones(3, 1), length) is None
