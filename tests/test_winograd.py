"""Winograd's convolutions against the direct sum in double precision."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cyclecolor.networks import FusionGenerator
from cyclecolor.ops import winograd
from cyclecolor.ops.winograd import WinogradConv2d, tile_side, transforms

CASES = [
    (3, 64, 64, (24, 24), 3, 1),
    (1, 64, 96, (41, 39), 3, 0),
    (48, 64, 64, (6, 6), 3, 1),
    (3, 64, 80, (23, 30), 4, 1),
]


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """As on a processor where the short way pays, whatever this one is."""
    monkeypatch.setattr(winograd, "WIDE", False)


def relative(ours: torch.Tensor, exact: torch.Tensor) -> float:
    return ((ours - exact).norm() / exact.norm()).item()


@pytest.mark.parametrize(("count", "inputs", "outputs", "size", "taps", "padding"), CASES)
def test_equals_the_direct_sum_and_its_gradients(count, inputs, outputs, size, taps, padding):
    torch.manual_seed(0)
    ours = WinogradConv2d(inputs, outputs, taps, padding=padding)
    image = torch.randn(count, inputs, *size, requires_grad=True)
    assert winograd.pays(image, ours.weight)
    exact = nn.Conv2d(inputs, outputs, taps, padding=padding).double()
    exact.load_state_dict(ours.state_dict())
    double = image.detach().double().requires_grad_()
    wanted, got = exact(double), ours(image)
    towards = torch.randn_like(wanted)
    wanted.backward(towards)
    got.backward(towards.float())
    assert relative(got, wanted) < 3e-6
    assert relative(image.grad, double.grad) < 3e-6
    for mine, other in zip(ours.parameters(), exact.parameters(), strict=True):
        assert relative(mine.grad, other.grad) < 3e-6


def test_an_activation_may_work_in_place_behind_it():
    """As in a discriminator with spectral norm, where no norm stands between."""
    torch.manual_seed(0)
    image, plain = torch.randn(2, 64, 24, 24), nn.Conv2d(64, 128, 4, padding=1)
    quick = WinogradConv2d(64, 128, 4, padding=1)
    quick.load_state_dict(plain.state_dict())
    gradients = []
    for convolution in (plain, quick):
        nn.Sequential(convolution, nn.LeakyReLU(0.2, inplace=True))(image).square().sum().backward()
        gradients.append(convolution.weight.grad)
    assert winograd.pays(image, quick.weight)
    assert relative(gradients[1], gradients[0].double()) < 3e-6


def test_reflected_borders():
    torch.manual_seed(0)
    ours = WinogradConv2d(64, 64, 3, padding=1, padding_mode="reflect")
    image = torch.randn(1, 64, 40, 44)
    padded = F.pad(image, (1, 1, 1, 1), mode="reflect")
    assert relative(ours(image), F.conv2d(padded.double(), ours.weight.double(), ours.bias.double())) < 3e-6


@pytest.mark.parametrize(("side", "taps"), [(4, 3), (3, 3), (3, 4)])
def test_transforms_multiply_any_tile(side, taps):
    to_output, to_weight, to_input = (t.double() for t in transforms(side, taps))
    torch.manual_seed(0)
    row, weight = torch.randn(side + taps - 1).double(), torch.randn(taps).double()
    exact = F.conv1d(row[None, None], weight[None, None])[0, 0]
    assert torch.allclose(to_output @ ((to_weight @ weight) * (to_input @ row)), exact, atol=1e-6)


def test_tiles_waste_little():
    assert tile_side(24, 24, 3) == 4
    assert tile_side(6, 6, 3) == 3


def test_short_ways_leave_the_generator_as_it_was(monkeypatch):
    torch.manual_seed(0)
    generator = FusionGenerator(1, 2).eval()
    image = torch.rand(2, 1, 128, 128) * 2 - 1
    short = generator(image)
    monkeypatch.setattr(winograd, "LEAST_CHANNELS", 10**9)
    direct = generator(image)
    assert 0 < (short - direct).abs().max() < 1e-5


def test_translation_and_wide_processors_take_the_direct_sum(monkeypatch):
    image, weight = torch.rand(1, 64, 64, 64), torch.rand(64, 64, 3, 3)
    assert winograd.pays(image, weight)
    with torch.no_grad():
        assert not winograd.pays(image, weight)
    monkeypatch.setattr(winograd, "WIDE", True)
    assert not winograd.pays(image, weight)
