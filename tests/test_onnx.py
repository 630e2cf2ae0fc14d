"""ONNX files: any size, the same numbers, and of use without torch."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from conftest import PAPER, tiny_experiment
from PIL import Image

from cyclecolor.checkpoint import read_checkpoint
from cyclecolor.cli.main import main
from cyclecolor.data import render_scene
from cyclecolor.errors import CycleColorError
from cyclecolor.inference import colorizer_of, load, onnx_export
from cyclecolor.inference.onnx_export import export_onnx
from cyclecolor.training import train

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

EXAMPLE = Path(__file__).parent.parent / "examples/color_with_onnx.py"
RESNET = {"type": "resnet", "width": 4, "blocks": 1}
GENERATORS = {
    "resnet10": ("G_color", {"method": "regression"}),
    "lite0": ("G_color", {"method": "regression", "G_color": {"encoder": "efficientnet_lite0", "width": 8}}),
    "resnet": ("G_color", {"method": "regression", "G_color": RESNET}),
    "residual": ("G_gray", {"G_gray": {"type": "fusion", "stages": 2, "width": 8}}),
    "whole": ("G_gray", PAPER),
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    experiment = tiny_experiment(num_steps=1, method="regression", balance=0.6)
    return train(experiment, tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def network(checkpoint, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "network.onnx"
    result = CliRunner().invoke(main, ["export", str(checkpoint), str(path), "--saturation", "1.5"])
    assert result.exit_code == 0, result.output
    assert "G_color: differs by at most" in result.output
    return path


@pytest.mark.parametrize("kind", GENERATORS)
def test_every_generator_of_any_size(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_export, "CHECKED", ((1, 17, 23), (3, 64, 96)))
    name, changes = GENERATORS[kind]
    colorizer = load(train(tiny_experiment(num_steps=1, **changes), tmp_path / "run"))
    assert export_onnx(colorizer, name, tmp_path / "network.onnx") <= 1e-4
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx")
    network = colorizer.generators[name]
    for size in ((1, 16, 16), (2, 45, 31)):  # others than were checked
        image = torch.rand(size[0], session.get_inputs()[0].shape[1], *size[1:]) * 2 - 1
        with torch.inference_mode():
            expected = network(image).numpy()
        (made,) = session.run(None, {"image": image.numpy()})
        np.testing.assert_allclose(made, expected, rtol=0, atol=1e-4)


def test_the_file_says_what_it_takes(network):
    """Read from the file itself: three free sizes, one network, no other file beside it."""
    model = onnx.load(network)
    (image,), (output,) = model.graph.input, model.graph.output
    assert (image.name, output.name) == ("image", "output")
    sides = [
        [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim] for value in (image, output)
    ]
    assert sides == [["batch", 1, "height", "width"], ["batch", 2, "output_height", "output_width"]]
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    facts = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert facts["generator"] == "G_color"
    assert (facts["space"], facts["size"], facts["stride"], facts["saturation"]) == ("lab", 32, 4, 1.5)


def test_a_photo_is_colored_without_torch(network, checkpoint, tmp_path):
    """As the checkpoint colors it, but for edges, along which the example draws nothing."""
    gray = Image.fromarray(render_scene(3, 1, size=64)).convert("L")
    gray.save(tmp_path / "old.png")
    code = (
        "import runpy, sys; sys.modules['torch'] = None; sys.modules['cyclecolor'] = None; "
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0])"
    )
    line = [sys.executable, "-c", code, EXAMPLE, network, tmp_path / "old.png", tmp_path / "new.png"]
    subprocess.run(line, check=True)
    made = np.array(Image.open(tmp_path / "new.png")).astype(int)
    ours = np.array(load(checkpoint, saturation=1.5)(gray)).astype(int)
    assert made.shape == ours.shape
    color = np.ptp(ours, axis=2).mean()
    assert color > 3  # there is something to agree on
    assert np.abs(made - ours).mean() < 0.25 * color


@pytest.mark.parametrize("kind", ["film", "film_resnet"])
def test_a_film_takes_its_noise(kind, tmp_path, monkeypatch):
    """Given the same noise, it makes the gray that training sees; without any, an even film without grain."""
    monkeypatch.setattr(onnx_export, "CHECKED", ((1, 17, 23), (3, 64, 96)))
    experiment = tiny_experiment(num_steps=1, match_steps=0, G_gray={"type": kind})
    colorizer = load(train(experiment, tmp_path / "run"))
    film = colorizer.generators["G_gray"]
    if kind == "film_resnet":
        torch.nn.init.normal_(film.answer.weight)  # or it would be one film for all photos
    assert export_onnx(colorizer, "G_gray", tmp_path / "film.onnx") <= 1e-4
    session = onnxruntime.InferenceSession(tmp_path / "film.onnx")
    names = [value.name for value in session.get_inputs()]
    assert names == ["image", "scatter", "grain", "unevenness"]
    for sizes in ((1, 16, 19), (2, 145, 31)):  # others than were checked
        known = dict(zip(("batch", "height", "width"), sizes, strict=True))
        shapes = [[known.get(side, side) for side in value.shape] for value in session.get_inputs()]
        image, *noise = torch.rand(shapes[0]) * 2 - 1, *map(torch.randn, shapes[1:])
        for drawn in (noise, [torch.zeros_like(values) for values in noise]):
            by_shape = {values.shape: values for values in drawn}
            with torch.inference_mode():
                expected = film.train()(image, lambda shape, device, of=by_shape: of[shape]).numpy()
            inputs = zip(names, (values.numpy() for values in (image, *drawn)), strict=True)
            (made,) = session.run(None, dict(inputs))
            np.testing.assert_allclose(made, expected, rtol=0, atol=1e-4)


def test_a_file_that_differs_is_not_written(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_export, "CHECKED", ((1, 17, 23),))
    monkeypatch.setattr(onnx_export, "TOLERANCE", -1.0)
    with pytest.raises(CycleColorError, match="not written, as it would differ"):
        export_onnx(colorizer_of(read_checkpoint(checkpoint)), "G_color", tmp_path / "a.onnx")
    assert not list(tmp_path.glob("*.onnx"))


def test_a_missing_package_is_named(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    result = CliRunner().invoke(main, ["export", str(checkpoint), str(tmp_path / "a.onnx")])
    assert result.exit_code == 2
    assert "onnxscript is not installed: pip install 'cyclecolor[onnx]'" in result.output
