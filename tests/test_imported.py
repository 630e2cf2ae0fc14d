"""Imported generators answer as the original network, and their files run nothing."""

import pickle
import zipfile

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hostile import Canary, payloads
from torch import nn

from cyclecolor.checkpoint.import_pix2pix import LUMA, import_generator
from cyclecolor.cli.main import main
from cyclecolor.errors import CycleColorError
from cyclecolor.inference import load
from cyclecolor.photos import Photo, read_photo, write_photo


class Original(nn.Module):
    """The generator as published: names of modules included."""

    class Block(nn.Module):
        def __init__(self, channels: int, dropout: bool):
            super().__init__()
            half = [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.InstanceNorm2d(channels)]
            other = [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.InstanceNorm2d(channels)]
            self.conv_block = nn.Sequential(*half, nn.ReLU(), *[nn.Dropout(0.5)] * dropout, *other)

        def forward(self, image):
            return image + self.conv_block(image)

    def __init__(self, inputs: int, outputs: int, width: int, blocks: int, dropout: bool = False):
        super().__init__()
        layers = [nn.ReflectionPad2d(3), nn.Conv2d(inputs, width, 7), nn.InstanceNorm2d(width), nn.ReLU()]
        for i in (1, 2):
            layers += [
                nn.Conv2d(width * i, width * 2 * i, 3, 2, 1),
                nn.InstanceNorm2d(width * 2 * i),
                nn.ReLU(),
            ]
        layers += [self.Block(width * 4, dropout) for _ in range(blocks)]
        for i in (4, 2):
            up = nn.ConvTranspose2d(width * i, width * i // 2, 3, 2, 1, output_padding=1)
            layers += [up, nn.InstanceNorm2d(width * i // 2), nn.ReLU()]
        self.model = nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(width, outputs, 7), nn.Tanh())

    def forward(self, image):
        return self.model(image)


@pytest.mark.parametrize(
    ("inputs", "outputs", "blocks", "dropout"),
    [(3, 3, 9, False), (3, 3, 6, True), (1, 3, 6, False), (3, 1, 6, False)],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_imported_answers_as_the_original(tmp_path, inputs, outputs, blocks, dropout, zipped):
    torch.manual_seed(0)
    original = Original(inputs, outputs, 8, blocks, dropout).eval()
    state = original.state_dict()
    if blocks == 9:  # as old versions wrote it, trained on several GPUs
        state = {f"module.{name}": tensor for name, tensor in state.items()}
        state["module.model.2.running_mean"] = torch.zeros(8)
        state["module.model.2.num_batches_tracked"] = torch.tensor(3)
    torch.save(state, tmp_path / "x.pth", _use_new_zipfile_serialization=zipped)
    result = CliRunner().invoke(main, ["import", str(tmp_path / "x.pth"), str(tmp_path / "x.safetensors")])
    assert result.exit_code == 0, result.output
    ((name, imported),) = load(tmp_path / "x.safetensors").generators.items()
    assert name == ("G_gray" if outputs == 1 else "G_color")
    images = torch.rand(2, 3, 48, 64) * 2 - 1
    luma = (images * torch.tensor(LUMA).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    with torch.no_grad():
        assert (imported(images) - original(images if inputs == 3 else luma)).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("outputs", "direction", "other"), [(3, "to-color", "to-gray"), (1, "to-gray", "to-color")]
)
def test_a_photo_is_translated_as_the_original_would(tmp_path, outputs, direction, other):
    torch.manual_seed(0)
    original = Original(3, outputs, 4, 1).eval()
    torch.save(original.state_dict(), tmp_path / "x.pth")
    import_generator(tmp_path / "x.pth", tmp_path / "x.safetensors")
    pixels = np.random.default_rng(0).integers(0, 65536, (36, 52, 1), np.uint16)
    write_photo(Photo(pixels), tmp_path / "in.png")
    command = ["translate", str(tmp_path / "in.png"), "-c", str(tmp_path / "x.safetensors")]
    made = CliRunner().invoke(main, [*command, "-o", str(tmp_path / "out.png"), "--direction", direction])
    assert made.exit_code == 0, made.output
    seen = torch.from_numpy(pixels / 32767.5 - 1).float().movedim(-1, 0)[None].repeat(1, 3, 1, 1)
    with torch.no_grad():
        image = original(seen)
    expected = ((image[0] + 1) * 32767.5).movedim(0, -1).numpy()
    found = read_photo(tmp_path / "out.png").pixels
    assert (found.shape, found.dtype) == (expected.shape, np.uint16)
    assert abs(found - expected).max() < 8
    refused = CliRunner().invoke(main, [*command, "--direction", other])
    assert refused.exit_code == 2
    assert len(refused.output.splitlines()) == 1
    assert "has no G_" in refused.output


def test_an_imported_generator_is_scored(tmp_path, photo_folder):
    torch.save(Original(1, 3, 4, 1).state_dict(), tmp_path / "x.pth")
    import_generator(tmp_path / "x.pth", tmp_path / "x.safetensors")
    for command in ("evaluate", "audit"):
        result = CliRunner().invoke(
            main, [command, str(tmp_path / "x.safetensors"), "--color", str(photo_folder)]
        )
        assert result.exit_code == (0 if command == "evaluate" else 2), result.output
    assert "has no G_gray, so there is no cycle" in result.output
    info = CliRunner().invoke(main, ["info", str(tmp_path / "x.safetensors")])
    assert "pytorch-CycleGAN-and-pix2pix" in info.output


@pytest.mark.parametrize(
    "change",
    [
        lambda s: {"epoch": 3, **s},
        lambda s: {n: t for n, t in s.items() if n != "model.7.bias"},
        lambda s: {**s, "model.2.weight": torch.ones(4)},
        lambda s: {**s, "model.4.weight": torch.ones(8, 4, 3, 4)},
        lambda s: {**s, "model.1.weight": torch.ones(4)},
        lambda s: {**s, "model.18.weight": torch.ones(1, 4, 7, 7)},
        lambda s: {**s, "model.18.weight": torch.ones(2, 4, 7, 7), "model.18.bias": torch.ones(2)},
        lambda s: {},
        lambda s: [1, 2],
        lambda s: [*s],
        lambda s: dict(enumerate(s.values())),
    ],
    ids=["more", "less", "affine", "shape", "flat", "bias", "two", "empty", "list", "names", "numbers"],
)
def test_other_networks_are_refused(tmp_path, change):
    torch.save(change(Original(3, 3, 4, 1).state_dict()), tmp_path / "x.pth")
    with pytest.raises(CycleColorError, match=r"x\.pth"):
        import_generator(tmp_path / "x.pth", tmp_path / "x.safetensors")
    assert not (tmp_path / "x.safetensors").exists()


def test_no_payload_runs(tmp_path):
    canary, hostile = tmp_path / "canary", tmp_path / "hostile"
    hostile.mkdir()
    made = payloads(hostile, canary)
    torch.save({"model.1.weight": torch.zeros(1)}, hostile / "mixed.pth")
    with zipfile.ZipFile(hostile / "mixed.pth") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(hostile / "mixed.pth", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, pickle.dumps(Canary(canary)) if name.endswith("data.pkl") else content)
    for path in [*made, hostile / "mixed.pth"]:
        with pytest.raises(CycleColorError):
            import_generator(path, tmp_path / "x.safetensors")
        with pytest.raises(CycleColorError):
            load(path)
        assert not canary.exists(), path


def test_a_compressed_archive_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "x.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(50_000_000))
    assert path.stat().st_size < 100_000
    with pytest.raises(CycleColorError, match="compressed"):
        import_generator(path, tmp_path / "x.safetensors")
