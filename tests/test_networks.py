"""Networks: any size in, the promised size out, and gradients everywhere."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cyclecolor.networks import ENCODERS, FusionGenerator, PatchDiscriminator, ResnetGenerator, fold_norms
from cyclecolor.networks.efficientnet_lite import SameConv2d
from cyclecolor.ops.conv_by_rows import ConvFromFew, ConvToFew
from cyclecolor.ops.instance_norm import InstanceNorm
from cyclecolor.ops.padding import pad_to_multiple

SIZES = [(1, 1), (7, 5), (33, 64), (50, 47)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("encoder", ["resnet10", "efficientnet_lite0"])
def test_fusion_generator_takes_any_size(size, stride, encoder):
    generator = FusionGenerator(1, 2, encoder=encoder, width=8, stride=stride).eval()
    output = generator(torch.rand(2, 1, *size))
    assert output.shape == (2, 2, -(-size[0] // stride), -(-size[1] // stride))
    assert output.abs().max() <= 1


@pytest.mark.parametrize("size", SIZES)
def test_resnet_generator_takes_any_size(size):
    generator = ResnetGenerator(3, 1, width=4, blocks=1)
    assert generator(torch.rand(2, 3, *size)).shape == (2, 1, *size)


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("stages", [1, 4])
def test_every_parameter_of_the_fusion_generator_learns(encoder, stages):
    generator = FusionGenerator(1, 2, encoder=encoder, stages=stages, width=8, stride=1)
    generator(torch.rand(2, 1, 64, 64)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in generator.parameters())


@pytest.mark.parametrize("encoder", ["resnet18", "resnet50", "efficientnet_lite0"])
def test_folded_norms_change_nothing_but_time(encoder):
    torch.manual_seed(0)
    generator = FusionGenerator(1, 2, encoder=encoder, stages=4, width=8)
    for _ in range(3):
        generator(torch.randn(4, 1, 64, 64))  # statistics that are not those of the start
    image = torch.randn(1, 1, 64, 96)
    with torch.inference_mode():
        before = generator.eval()(image)
        after = fold_norms(generator)(image)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in generator.modules())
    assert before.std() > 0.01
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("learns", [True, False])
@pytest.mark.parametrize(
    ("side", "stride", "before", "after"), [(3, 1, 1, 1), (5, 1, 2, 2), (3, 2, 0, 1), (5, 2, 1, 2)]
)
@pytest.mark.parametrize("groups", [1, 4])
def test_padding_is_that_of_tensorflow(groups, side, stride, before, after, learns):
    """SAME: (out - 1) * stride + side - in pixels of zeros in all, of which an odd one comes last."""
    convolution = SameConv2d(4, 4, side, stride=stride, groups=groups)
    image = torch.randn(2, 4, 12, 18)
    expected = F.conv2d(F.pad(image, (before, after) * 2), convolution.weight, stride=stride, groups=groups)
    with torch.set_grad_enabled(learns):
        torch.testing.assert_close(convolution(image), expected)


def test_global_features_reach_every_place():
    generator = FusionGenerator(1, 2, stages=1, width=8).eval()
    image = torch.rand(1, 1, 128, 128)
    changed = image.clone()
    changed[..., :8, :8] = 1 - changed[..., :8, :8]
    difference = (generator(image) - generator(changed)).abs()
    assert difference[..., -4:, -4:].min() > 0


@pytest.mark.parametrize(("layers", "field"), [(1, 16), (2, 34), (3, 70)])
def test_patches_have_the_size_of_the_paper(layers, field):
    judge = PatchDiscriminator(1, layers=layers, width=4, spectral_norm=True).eval()
    image = torch.rand(1, 1, 160, 160, requires_grad=True)
    logits = judge(image)[0]
    logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2].backward()
    rows = image.grad[0, 0].abs().sum(dim=1).nonzero()
    assert rows.max() - rows.min() + 1 == field


def test_discriminator_scales():
    logits = PatchDiscriminator(3, layers=2, width=4, scales=3)(torch.rand(1, 3, 96, 96))
    assert [map_.shape[-1] for map_ in logits] == [22, 10, 4]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("slope", [1, 0, 0.2])
def test_instance_norm_and_its_gradient(layout, count, slope):
    torch.manual_seed(0)
    features = (3 * torch.randn(count, 8, 20, 30) + 1).contiguous(memory_format=layout).requires_grad_()
    # In torch 2.14 the gradient of `F.instance_norm` is right in the contiguous layout alone.
    exact = features.detach().contiguous().double().requires_grad_()
    ours, wanted = InstanceNorm(slope)(features), F.leaky_relu(F.instance_norm(exact), slope)
    towards = torch.randn(count, 8, 20, 30)
    wanted.backward(towards.double())
    assert (ours - wanted).abs().max() < 1e-5
    for gradient in (towards, towards.contiguous(memory_format=torch.channels_last)):
        (got,) = torch.autograd.grad(ours, features, gradient, retain_graph=True)
        assert (got - exact.grad).abs().max() < 1e-5


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("make", [ConvFromFew, ConvToFew])
@pytest.mark.parametrize(("few", "taps"), [(3, 7), (1, 4), (2, 3), (1, 9)])
@pytest.mark.parametrize("options", [{}, {"padding": 2}, {"padding": 2, "padding_mode": "reflect"}])
@pytest.mark.parametrize("bias", [True, False])
def test_by_rows_is_as_the_convolution(layout, make, few, taps, options, bias):
    torch.manual_seed(0)
    channels = (few, 5) if make is ConvFromFew else (5, few)
    by_rows = make(*channels, taps, bias=bias, **options)
    exact = nn.Conv2d(*channels, taps, bias=bias, **options).double()
    exact.load_state_dict(by_rows.state_dict())
    image = torch.randn(2, channels[0], 12, 9).contiguous(memory_format=layout).requires_grad_()
    same = image.detach().double().requires_grad_()
    ours, wanted = by_rows(image), exact(same)
    torch.testing.assert_close(ours.double(), wanted, rtol=1e-5, atol=1e-5)
    towards = torch.randn(wanted.shape)
    ours.backward(towards)
    wanted.backward(towards.double())
    torch.testing.assert_close(image.grad.double(), same.grad, rtol=1e-5, atol=1e-5)
    for one, other in zip(by_rows.parameters(), exact.parameters(), strict=True):
        torch.testing.assert_close(one.grad.double(), other.grad, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("count", [1, 2])
def test_gradients_in_the_layout_of_training(count):
    """Through instance norms and NHWC, one image or more, against plain double precision."""
    torch.manual_seed(0)
    image = torch.randn(count, 3, 48, 48)
    for network in (ResnetGenerator(3, 3, width=8, blocks=1), PatchDiscriminator(3, layers=2, width=8)):
        exact = copy.deepcopy(network).double()
        network.to(memory_format=torch.channels_last)
        assert next(network.parameters()).is_contiguous(memory_format=torch.channels_last)
        gradients = []
        for one, values in ((network, image), (exact, image.double())):
            output = one(values)
            (output if torch.is_tensor(output) else output[0]).square().sum().backward()
            gradients.append(torch.cat([parameter.grad.flatten() for parameter in one.parameters()]))
        assert (gradients[0] - gradients[1]).norm() < 1e-4 * gradients[1].norm()


@pytest.mark.parametrize(
    ("side", "multiple", "least"), [(1, 8, 0), (2, 8, 0), (5, 32, 0), (30, 16, 0), (17, 4, 40), (32, 16, 0)]
)
def test_padding_mirrors_as_numpy_does(side, multiple, least):
    image = torch.arange(2.0 * side * 7).view(2, 1, side, 7)
    whole = -(-max(side, least) // multiple) * multiple
    wide = -(-max(7, least) // multiple) * multiple
    wanted = np.pad(image.numpy(), ((0, 0), (0, 0), (0, whole - side), (0, wide - 7)), mode="reflect")
    assert (pad_to_multiple(image, multiple, least=least).numpy() == wanted).all()
