"""LPIPS, FID and KID: against closed forms, and with weights made here; nothing is fetched."""

import configparser
import hashlib
import json
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
import torch_fidelity.feature_extractor_inceptionv3 as inception_v3
import torchvision
from click.testing import CliRunner
from conftest import tiny_experiment
from PIL import Image
from test_evaluate import Known

from cyclecolor.cli.main import main
from cyclecolor.data import render_scene
from cyclecolor.errors import CycleColorError
from cyclecolor.evaluation import evaluate, perceptual
from cyclecolor.evaluation.folders import table
from cyclecolor.evaluation.perceptual import Perceptual, fid_biased, kid_x1000, load_perceptual
from cyclecolor.training import train

ALEXNET, INCEPTION = perceptual.WEIGHTS
COLUMNS = ["ours", "do_nothing", "mean_color", "truth"]


@pytest.fixture(autouse=True)
def hub(tmp_path, monkeypatch):
    """An empty folder of weights, and no network."""

    def connect(*_):
        raise AssertionError("phones out")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


def tiny() -> Perceptual:
    """Root mean square differences as distance, and mean colors as features."""
    return Perceptual(
        lambda rgb, true_rgb: (rgb - true_rgb).pow(2).mean(dim=(1, 2, 3)).sqrt(),
        lambda images: (images.float().mean(dim=(2, 3)),),
    )


def test_what_we_name_is_what_the_libraries_look_for():
    assert torchvision.models.AlexNet_Weights.DEFAULT.url == ALEXNET
    assert inception_v3.URL_INCEPTION_V3 == INCEPTION
    for url, digest in perceptual.WEIGHTS.items():
        assert url.endswith(f"-{digest[:8]}.pth")
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parent.parent / "setup.cfg")
    extra = setup["options.extras_require"]["perceptual"].replace(" ", "").split()
    assert extra == list(perceptual.PACKAGES.values())


def test_without_weights_one_line_says_how_to_get_them(hub, tmp_path):
    result = CliRunner().invoke(main, ["evaluate", "missing", "--color", str(tmp_path), "--perceptual"])
    assert result.exit_code == 2
    (line,) = result.output.strip().splitlines()
    for url in (ALEXNET, INCEPTION):
        assert f"curl -fL --create-dirs -o {hub / Path(url).name} {url}" in line


def test_what_is_missing_or_damaged_is_named(hub, monkeypatch):
    hub.mkdir(parents=True)
    (hub / Path(ALEXNET).name).write_bytes(b"half")
    monkeypatch.setattr(perceptual, "find_spec", lambda name: None if name == "torch_fidelity" else True)
    with pytest.raises(CycleColorError) as raised:
        load_perceptual()
    message = str(raised.value)
    assert "needs torch_fidelity, " in message
    assert "'torch-fidelity>=0.4,<0.5' && curl" in message
    assert f"{Path(ALEXNET).name} as published (this one is damaged)" in message


def untrained(hub, monkeypatch):
    """Files of random weights in the place of the published ones."""
    hub.mkdir(parents=True)
    torch.manual_seed(0)
    with torch.device("meta"):
        alexnet = torchvision.models.alexnet().state_dict()
    # Only the convolutions are used; what is expanded takes no room.
    alexnet = {
        name: torch.randn(p.shape) / p[0].numel() ** 0.5
        if "features" in name
        else torch.zeros(1).expand(p.shape)
        for name, p in alexnet.items()
    }
    with monkeypatch.context() as patch:
        patch.setattr(inception_v3, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(torch.nn.Module, "load_state_dict", lambda *_, **__: None)
        inception = inception_v3.FeatureExtractorInceptionV3("untrained", ["2048"]).state_dict()
    for url, state in ((ALEXNET, alexnet), (INCEPTION, inception)):
        path = hub / Path(url).name
        torch.save(state, path)
        monkeypatch.setitem(perceptual.WEIGHTS, url, hashlib.sha256(path.read_bytes()).hexdigest())


def test_the_networks_measure_images_of_any_size(hub, monkeypatch, capfd):
    untrained(hub, monkeypatch)
    networks = load_perceptual()
    truth = torch.rand(2, 3, 32, 45)
    noise = torch.randn_like(truth)
    distances = [networks.measure((truth + s * noise).clamp(0, 1), truth)["lpips"] for s in (0, 0.05, 0.3)]
    assert distances[0].shape == (2, 1)
    assert (distances[0] == 0).all()
    assert (distances[1] > 0).all()
    assert (distances[2] > distances[1]).all()
    alone = networks.measure((truth + 0.3 * noise).clamp(0, 1)[:1], truth[:1])
    assert alone["lpips"] == pytest.approx(distances[2][:1], rel=1e-4)
    assert alone["inception"].shape == (1, 2048)
    assert capfd.readouterr() == ("", "")


def test_fid_of_scaled_and_moved_features():
    truth = torch.randn(50, 5).double() @ torch.randn(5, 5).double()
    variance = truth.var(dim=0).sum()
    # (mean difference)^2 + trace (S + 4 S - 2 (4 S S)^1/2), S the covariance
    expected = (truth.mean(dim=0) + 3).pow(2).sum() + variance
    assert fid_biased(2 * truth + 3, truth).value == pytest.approx(expected.item(), rel=1e-6)
    assert fid_biased(truth, truth).value == pytest.approx(0, abs=1e-6)
    wide = torch.nn.functional.pad(truth, (0, 300))  # more features than images, turned
    turn = torch.linalg.qr(torch.randn(305, 305).double()).Q
    assert fid_biased((2 * wide + 3) @ turn, wide @ turn).value == pytest.approx(
        expected.item() + 300 * 9, rel=1e-6
    )
    assert fid_biased(truth[:3], truth[:3]) is None


def test_kid_is_the_cubic_kernel_distance():
    x, y = torch.full((8, 1), 0.5), torch.full((8, 1), -0.25)
    expected = (1 + 0.25) ** 3 + (1 + 0.0625) ** 3 - 2 * (1 - 0.125) ** 3
    kid = kid_x1000(x, y)
    assert [kid.value, kid.low, kid.high] == pytest.approx([1000 * expected] * 3)
    assert kid_x1000(x[:3], y[:3]) is None


def test_kid_of_outputs_beside_their_own_truth_is_unbiased():
    # Of odd number, so that one is left out of each pair of halves.
    x = torch.randn(41, 2, generator=torch.Generator().manual_seed(1)).double()
    y = x + torch.tensor([0.5, -0.2])

    def mean_off_diagonal(a, b):
        kernel = (a @ b.T / 2 + 1) ** 3
        return (kernel.sum() - kernel.trace()) / (41 * 40)

    for outputs in (x, y):
        terms = mean_off_diagonal(outputs, outputs), mean_off_diagonal(x, x), mean_off_diagonal(outputs, x)
        expected = 1000 * (terms[0] + terms[1] - 2 * terms[2]).item()
        kid = kid_x1000(outputs, x)
        error = (kid.high - kid.low) / 4 / perceptual.SUBSETS**0.5
        assert kid.value == pytest.approx(expected, abs=3 * error)
        assert kid.low < kid.value < kid.high


def test_they_are_scored_beside_the_other_metrics():
    photos = [render_scene(5, i, size=48) for i in range(6)]
    # Cut to three sizes, of which each is a batch.
    photos = [photo[: 48 - 4 * (i % 3)] for i, photo in enumerate(photos)]

    class Half(Known):
        def __init__(self):
            self.by_lightness = {}
            for photo in photos:
                rgb = torch.from_numpy(photo / 255).float().permute(2, 0, 1)[None]
                lightness, chroma = self.space.split(rgb)
                self.by_lightness[lightness.mean().item()] = chroma / 2

        def colorize_lightness(self, lightness):
            means = np.array(list(self.by_lightness))
            chromas = list(self.by_lightness.values())
            nearest = [abs(means - x.mean().item()).argmin() for x in lightness]
            return self.space.merge(lightness, torch.cat([chromas[i] for i in nearest]))

    plain = evaluate(Half(), photos)
    scores = evaluate(Half(), photos, perceptual=tiny())
    new = ["lpips", "fid_biased", "kid_x1000"]
    assert {name: scores[name] for name in plain} == plain
    assert set(scores) == {*plain, *new}
    for name in new:
        assert list(scores[name]) == COLUMNS
        assert scores[name]["ours"].value < scores[name]["do_nothing"].value
    assert scores["lpips"]["truth"].value == 0
    assert scores["lpips"]["ours"].low < scores["lpips"]["ours"].value < scores["lpips"]["ours"].high
    assert scores["fid_biased"]["ours"].low is None
    assert [line.split()[0] for line in table(scores).splitlines()[1:]] == list(scores)
    scanned = evaluate(Half(), photos, photos, perceptual=tiny())
    assert {f"{name}_at_true_lightness" for name in new} < set(scanned)


def test_the_command_writes_them(photo_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(perceptual, "load_perceptual", tiny)
    checkpoint = train(tiny_experiment(num_steps=1), tmp_path / "run")
    Image.fromarray(render_scene(7, 9, size=48)).save(photo_folder / "wide.png")
    arguments = [
        "evaluate",
        checkpoint,
        "--color",
        photo_folder,
        "--perceptual",
        "--json",
        tmp_path / "s.json",
    ]
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    assert "compare sets of one size only" in result.output
    scores = json.loads((tmp_path / "s.json").read_text())["scores"]
    assert scores["fid_biased"]["ours"]["low"] is None
    kid = scores["kid_x1000"]["ours"]
    assert kid["low"] < kid["value"] < kid["high"]
