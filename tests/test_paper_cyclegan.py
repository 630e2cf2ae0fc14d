"""The textbook's CycleGAN: the paper's networks and losses, and every command on what it trained."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from conftest import PAPER, tiny_experiment
from torch import nn

from cyclecolor.checkpoint import expected_tensors, read_checkpoint
from cyclecolor.cli.main import main
from cyclecolor.color import RGB, rgb_to_lab, rgb_to_lightness
from cyclecolor.config import load_experiment
from cyclecolor.data import render_scene
from cyclecolor.evaluation import evaluate
from cyclecolor.evaluation.audit import audit
from cyclecolor.inference import RGBColorizer, load
from cyclecolor.inference.rgb_colorizer import MOST_PIXELS
from cyclecolor.methods import METHODS, PaperCycleGAN
from cyclecolor.photos import Photo, read_photo
from cyclecolor.training import TrainingStep, train
from cyclecolor.training.step import backward

EXPERIMENT = Path(__file__).parent.parent / "experiments" / "paper_cyclegan.toml"
CPU = torch.device("cpu")


def count_of(network: str) -> int:
    """Parameters of a network of the experiment."""
    tensors = expected_tensors(load_experiment(EXPERIMENT))
    return sum(t.numel() for name, t in tensors.items() if name.startswith(f"networks/{network}/"))


def test_the_networks_are_as_large_as_those_of_the_authors():
    """Their program prints 11.378 M for a generator and 2.765 M for a discriminator, of 3 channels each.

    In theirs, convolutions before a norm have biases too, which the norm takes away.
    """
    biases = {"G": 64 + 128 + 18 * 256 + 256 + 128 + 64, "D": 128 + 256 + 512}
    for side in ("color", "gray"):
        assert round((count_of(f"G_{side}") + biases["G"]) / 1e6, 3) == 11.378
        assert round((count_of(f"D_{side}") + biases["D"]) / 1e6, 3) == 2.765


def test_a_logit_sees_70_pixels():
    torch.manual_seed(0)
    tiny = load_experiment(EXPERIMENT, ("discriminator.width=2", "G_color.width=1", "G_gray.width=1"))
    discriminator = METHODS[tiny.method](tiny, device=CPU).D_color.discriminators[0]
    for norm in (m for m in discriminator.modules() if type(m).__name__ == "InstanceNorm"):
        norm.forward = lambda features: features  # it sees all of the image
    image = torch.randn(1, 3, 140, 140, requires_grad=True)
    logits = discriminator(image)
    logits[0, 0, 8, 8].backward()
    seen = image.grad.abs().sum(dim=(0, 1)).nonzero()
    assert (seen.amax(dim=0) - seen.amin(dim=0) + 1).tolist() == [70, 70]


@pytest.fixture
def method():
    torch.manual_seed(0)
    return PaperCycleGAN(tiny_experiment(**{**PAPER, **LEAST_SQUARES}), device=CPU)


LEAST_SQUARES = {"discriminator": {**PAPER["discriminator"], "objective": "least_squares"}}


def test_weights_start_as_in_the_paper(method):
    for network in method.networks.values():
        weights = torch.cat([p.flatten() for p in network.parameters() if p.ndim == 4])
        assert weights.std().item() == pytest.approx(0.02, rel=0.05)
        assert all((p == 0).all() for p in network.parameters() if p.ndim == 1)


def test_a_step_goes_down_the_losses_of_the_paper(method):
    """Equations 1 to 3 with least squares and the identity loss of section 5.2, written out by hand."""
    gray = torch.randint(256, (2, 1, 32, 32), dtype=torch.uint8).expand(-1, 3, -1, -1)
    color = torch.randint(256, (2, 3, 32, 32), dtype=torch.uint8)
    x, y = (images.float() / 127.5 - 1 for images in (gray, color))
    G, F = method.G_color, method.G_gray
    D_X, D_Y = (lambda image, d=d: d(image)[0] for d in (method.D_gray, method.D_color))
    paper = {
        "gan_color": ((D_Y(G(x)) - 1) ** 2).mean(),
        "gan_gray": ((D_X(F(y)) - 1) ** 2).mean(),
        "cycle_gray": (F(G(x)) - x).abs().mean(),
        "cycle_color": (G(F(y)) - y).abs().mean(),
        "identity_color": (G(y) - y).abs().mean(),
        "identity_gray": (F(x) - x).abs().mean(),
    }
    factors = {"gan": 1, "cycle": 10, "identity": 0.5 * 10}
    total = sum(factors[name.split("_")[0]] * loss for name, loss in paper.items())
    parameters = [*G.parameters(), *F.parameters()]
    expected = torch.autograd.grad(total, parameters)
    parts = {
        "D_color": (((D_Y(y) - 1) ** 2).mean() + (D_Y(G(x)) ** 2).mean()) / 2,
        "D_gray": (((D_X(x) - 1) ** 2).mean() + (D_X(F(y)) ** 2).mean()) / 2,
    }
    discriminators = [*method.D_color.parameters(), *method.D_gray.parameters()]
    expected_of_discriminators = torch.autograd.grad(sum(parts.values()), discriminators)

    losses = backward(method, {"gray": gray, "color": color})
    assert losses.keys() == {*paper, *parts}
    for name, loss in {**paper, **parts}.items():
        assert losses[name].item() == pytest.approx(loss.item(), rel=1e-4), name
    for found, by_hand in ((parameters, expected), (discriminators, expected_of_discriminators)):
        found = torch.cat([p.grad.flatten() for p in found])
        by_hand = torch.cat([g.flatten() for g in by_hand])
        assert (found - by_hand).norm() < 1e-3 * by_hand.norm()


def test_both_sides_of_the_step_are_taken(method):
    before = {n: [p.clone() for p in network.parameters()] for n, network in method.networks.items()}
    batch = {name: torch.randint(256, (1, 3, 32, 32), dtype=torch.uint8) for name in ("gray", "color")}
    TrainingStep(method)(0, batch)
    for name, network in method.networks.items():
        pairs = zip(before[name], network.parameters(), strict=True)
        assert any(not torch.equal(old, new) for old, new in pairs), name
    assert {tuple(pool.images.shape) for pool in method.pools.values()} == {(1, 3, 32, 32)}


def test_tones_of_the_gray_pile_are_not_seen(method):
    sepia = torch.tensor([200, 170, 130], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 16, 16)
    gray, color = method.read({"gray": sepia, "color": sepia})
    assert (gray[:, :1] == gray).all()
    as_rgb = (gray + 1) / 2
    assert (rgb_to_lightness(as_rgb) - rgb_to_lightness(sepia / 255)).abs().max() < 1e-3
    assert torch.allclose(color, sepia / 127.5 - 1, atol=1e-6)


# --- what it trained ----------------------------------------------------------------------------


def call(*arguments, code: int = 0) -> str:
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("run")
    return train(tiny_experiment(**PAPER, ema=0.0), run)


@pytest.fixture(scope="module")
def colorizer(checkpoint) -> RGBColorizer:
    return load(checkpoint)


def test_without_an_average_the_last_weights_are_used(checkpoint):
    whole = read_checkpoint(checkpoint)
    last, used = whole.below("networks/G_color"), whole.below("ema/G_color")
    assert all(torch.equal(tensor, used[f"module.{name}"]) for name, tensor in last.items())


def test_train_ends_with_its_sheet_and_score(tmp_path):
    small = (
        "G_color.width=2",
        "G_color.blocks=1",
        "G_gray.width=2",
        "G_gray.blocks=1",
        "discriminator.width=2",
    )
    (tmp_path / "x.toml").write_text(EXPERIMENT.read_text().replace("root =", "# root ="))
    sets = [part for change in ("num_steps=1", "data.size=32", *small) for part in ("--set", change)]
    said = call("train", tmp_path / "x.toml", "--run-dir", tmp_path / "run", *sets)
    assert "CIEDE2000" in said
    assert read_photo(tmp_path / "run" / "sheet.png").pixels.shape == (450, 1500, 3)


def test_every_command_takes_its_checkpoint(checkpoint, photo_folder, tmp_path):
    output = call("evaluate", checkpoint, "--color", photo_folder, "--json", tmp_path / "s.json")
    assert "ciede2000" in output
    errors = json.loads((tmp_path / "s.json").read_text())["scores"]["lightness_error_max"]
    assert errors["ours"]["value"] > 10
    assert errors["do_nothing"]["value"] <= 0.5
    audited = CliRunner().invoke(main, ["audit", str(checkpoint), "--color", str(photo_folder)])
    assert audited.exit_code in (0, 1)
    assert "R_swap" in audited.output
    assert "paper_cyclegan in rgb, step 6" in call("info", checkpoint)
    call("export", checkpoint, tmp_path / "small.safetensors")
    for direction, kind in (("to-color", "color"), ("to-gray", "gray")):
        said = call(
            "translate", photo_folder, "-c", tmp_path / "small.safetensors", "--direction", direction,
            "-o", tmp_path / kind, *(["--doubt"] if kind == "color" else []),
        )  # fmt: skip
        assert "6 translated" in said
    made = read_photo(tmp_path / "color" / "0.png")
    assert made.pixels.shape == read_photo(photo_folder / "0.png").pixels.shape
    assert (tmp_path / "color" / "doubt.csv").is_file()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("size", [(20, 30), (1, 1), (100, 61), (3, 400)])
def test_outputs_have_the_size_and_depth_of_inputs(colorizer, rng, dtype, size):
    for channels in (1, 3):
        pixels = rng.integers(0, np.iinfo(dtype).max, (*size, channels), dtype, endpoint=True)
        colored, gray = colorizer.colorize(Photo(pixels)), colorizer.to_gray(Photo(pixels))
        assert (colored.pixels.shape, colored.pixels.dtype) == ((*size, 3), dtype)
        assert (gray.pixels.shape, gray.pixels.dtype) == ((*size, 1), dtype)


def test_a_photo_is_colored_as_its_lightness_is(colorizer, rng):
    """The way of photos and that of evaluation are one, enlarging included."""
    blocks = rng.integers(0, 65536, (32, 32, 1), np.uint16)  # which shrinking takes for pixels
    pixels = blocks.repeat(3, axis=0).repeat(3, axis=1)
    scaled = torch.from_numpy(pixels / 65535).float().movedim(-1, 0)[None].expand(-1, 3, -1, -1)
    of_lightness = colorizer.colorize_lightness(RGB.lightness(scaled))[0].movedim(0, -1).numpy()
    assert abs(colorizer.colorize(Photo(pixels)).pixels / 65535 - of_lightness).max() < 0.01


def test_the_look(checkpoint, colorizer, rng):
    photo = Photo(rng.integers(0, 256, (32, 32, 1), np.uint8))
    mirrored = Photo(photo.pixels[:, ::-1])
    pale = load(checkpoint, saturation=0.0).colorize(photo).pixels
    assert np.ptp(pale.astype(int), axis=2).max() <= 1
    assert np.ptp(colorizer.colorize(photo).pixels.astype(int), axis=2).max() > 1
    steady = load(checkpoint, flip_average=True)
    assert (
        abs(steady.colorize(photo).pixels[:, ::-1] - steady.colorize(mirrored).pixels.astype(int)).max() <= 1
    )


@pytest.mark.parametrize("size", [(3000, 4000), (40_000, 500), (200, 200)])
def test_no_setting_takes_the_network_above_a_megapixel(checkpoint, size):
    height, width = load(checkpoint, size=4096)._sides(size, stride=1)
    assert height * width <= min(1.01 * MOST_PIXELS, size[0] * size[1])
    assert height * width > 0.9 * min(MOST_PIXELS, size[0] * size[1])


# --- what is measured on it ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def photos():
    return [render_scene(5, i, size=64) for i in range(6)]


class Known:
    """Stands in for a `RGBColorizer` that knows the truth."""

    device, space = CPU, RGB

    def __init__(self, photos):
        self.truth = torch.from_numpy(np.stack(photos) / 255).float().permute(0, 3, 1, 2)

    def colorize_lightness(self, lightness):
        return self.truth


def test_what_is_scored_is_what_the_network_made(photos):
    exact = evaluate(Known(photos), photos)
    assert exact["ciede2000"]["ours"].value == 0  # rounding that kept lightness would cost some 0.1
    brighter = Known(photos)
    brighter.truth = 0.5 + brighter.truth / 2
    assert evaluate(brighter, photos)["lightness_error_mean"]["ours"].value > 20


class Pair:
    """Stands in for a `RGBColorizer` of given generators."""

    device, space, size = CPU, RGB, 64

    def __init__(self, G_color, G_gray):
        self.generators = {"G_color": G_color, "G_gray": G_gray}

    def colorize_lightness(self, lightness):
        return RGB.rgb(self.generators["G_color"](RGB.neutral(lightness)))


class Honest(nn.Module):
    """`G_gray` that makes the gray image of equal lightness."""

    def forward(self, color):
        return RGB.gray(RGB.rgb(color))


class Guessing(nn.Module):
    """`G_color` that takes bright for blue."""

    stride = 1

    def forward(self, gray):
        return gray * torch.tensor([0.9, 0.9, 1.0]).view(1, 3, 1, 1)


class Tinting(nn.Module):
    """`G_gray` that leaves a thousandth of the colors in."""

    def forward(self, color):
        gray = RGB.gray(RGB.rgb(color))
        return gray + (color - gray) / 1000


class Amplifying(nn.Module):
    """`G_color` that finds them, as far as chroma goes."""

    stride = 1

    def forward(self, gray):
        mean = gray.mean(dim=1, keepdim=True)
        return mean + (gray - mean) * 1000


def test_audit_tells_an_honest_pair_from_one_that_hides_color_in_tints(photos):
    honest, hiding = audit(Pair(Guessing(), Honest()), photos), audit(Pair(Amplifying(), Tinting()), photos)
    for name in ("R_swap", "R_noise_0.005", "R_8_bit"):
        assert honest[name].verdict == "passes", name
        assert hiding[name].verdict == "fails", name
    assert honest["R_swap"].score.value == pytest.approx(1)
    assert honest["fine_power_ratio"].score.value == pytest.approx(1)
    lab = rgb_to_lab(torch.from_numpy(np.stack(photos) / 255).float().permute(0, 3, 1, 2))[:, 1:]
    gray = RGB.rgb(Guessing()(RGB.gray(Known(photos).truth)))
    error = (rgb_to_lab(gray)[:, 1:] - lab).pow(2).sum(dim=1).mean(dim=(1, 2)).sqrt().mean().item()
    assert honest["error"].score.value == pytest.approx(error, rel=1e-4)
