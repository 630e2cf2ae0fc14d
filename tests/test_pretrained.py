"""Checkpoints that travel: as folders, from a stand-in of the Hub, through torch.hub."""

import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import PAPER, tiny_experiment
from PIL import Image

from cyclecolor import CycleColorError
from cyclecolor.checkpoint import FORMAT, read_checkpoint
from cyclecolor.data import render_scene
from cyclecolor.inference import ChromaColorizer, Colorizer, RGBColorizer, load
from cyclecolor.inference.pretrained import save_folder
from cyclecolor.training import train

ROOT = Path(__file__).parent.parent
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    return train(tiny_experiment(num_steps=2, data={"size": 32}), tmp_path_factory.mktemp("run"))


@pytest.fixture
def folder(checkpoint, tmp_path) -> Path:
    load(checkpoint).save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


@pytest.fixture
def gray() -> Image.Image:
    return Image.fromarray(render_scene(3, 1, size=48)).convert("L")


def test_a_folder_comes_back(folder, checkpoint, gray):
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    again = Colorizer.from_pretrained(folder, saturation=1.5)
    assert type(again) is ChromaColorizer
    before, after = (np.array(c(gray)).astype(int) for c in (load(checkpoint, saturation=1.5), again))
    assert np.abs(before - after).max() <= 2  # half precision
    assert again.film.keys() == load(checkpoint).film.keys()


def test_saving_again_is_the_same_and_keeps_the_card(folder, tmp_path):
    (folder / "README.md").write_text("My card.")
    Colorizer.from_pretrained(folder).save_pretrained(tmp_path / "again")
    Colorizer.from_pretrained(tmp_path / "again").save_pretrained(folder)
    assert (folder / "README.md").read_text() == "My card."
    first, second = (read_checkpoint(path / "model.safetensors") for path in (folder, tmp_path / "again"))
    assert first.experiment == second.experiment
    torch.testing.assert_close(first.tensors, second.tensors, rtol=0, atol=0)


def test_what_is_said_of_it(folder):
    config = json.loads((folder / "config.json").read_text())
    assert (config["library_name"], config["format"], config["step"]) == ("cyclecolor", FORMAT, 2)
    assert config["experiment"]["data"] == {"size": 32}
    card = (folder / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: cyclecolor\n")
    assert "by the method `cyclegan`, in lab, for\n2 steps; gray to color and color to gray." in card
    assert f"\n# {tiny_experiment().name}\n" in card


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"gray": {"photos": 12}, "color": {"scenes": 30}, "format": 1}, "gray: 12, color: 30"),
        ({"gray": {}}, "gray: ?"),
        ({}, "unknown"),
    ],
)
def test_the_card_says_how_many_photos_it_learned_from(checkpoint, tmp_path, data, words):
    save_folder(replace(read_checkpoint(checkpoint), data=data), tmp_path)
    card = (tmp_path / "README.md").read_text()
    assert f"| photos or scenes that it was trained on | {words} |\n" in card


def test_no_folder_of_this_machine_travels(checkpoint, tmp_path):
    whole = read_checkpoint(checkpoint)
    for piles in ({"root": "/home/ann/piles"}, {"gray": "/home/ann/scans", "color": "/home/ann/photos"}):
        experiment = tiny_experiment(data={"size": 32, **piles}, init="/home/ann/runs/first")
        save_folder(replace(whole, experiment=experiment), tmp_path / "saved")
        for path in (tmp_path / "saved").iterdir():
            assert b"/home/ann" not in path.read_bytes(), path.name


def test_whole_images_travel_too(tmp_path, gray):
    colorizer = load(train(tiny_experiment(num_steps=1, **PAPER), tmp_path / "run"))
    colorizer.save_pretrained(tmp_path / "saved")
    assert type(Colorizer.from_pretrained(tmp_path / "saved")) is RGBColorizer


@pytest.mark.parametrize(
    ("name", "revision", "message"),
    [
        ("nobody", None, "no such folder, and no repository"),
        ("default", None, r"released checkpoints are opened by cyclecolor\.load"),
        ("../nobody/x", COMMIT, "no such folder, and no repository"),
        ("owner/name", None, "give revision="),
        ("owner/name", "main", "give revision="),
    ],
)
def test_nothing_is_downloaded_unasked(name, revision, message, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)  # would be told by another message
    with pytest.raises(CycleColorError, match=message):
        Colorizer.from_pretrained(name, revision=revision)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(CycleColorError, match=r"pip install .cyclecolor\[hub\]"):
        Colorizer.from_pretrained("owner/name", revision=COMMIT)


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(CycleColorError, match=r"no model\.safetensors in this folder"):
        Colorizer.from_pretrained(tmp_path)


@contextmanager
def stand_in(folder: Path):
    """A server on loopback that answers as the Hub does for `owner/name` at `COMMIT`: address, requests."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self, *, with_body: bool = False):
            asked.append(f"{self.command} {self.path}")
            prefix = f"/owner/name/resolve/{COMMIT}/"
            path = folder / self.path.removeprefix(prefix)
            found = self.path.startswith(prefix) and path.is_file()
            content = path.read_bytes() if found else b""
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(content)))
            if found:
                self.send_header("ETag", '"tag"')
                self.send_header("X-Repo-Commit", COMMIT)
            else:
                self.send_header("X-Error-Code", "RevisionNotFound")
            self.end_headers()
            if with_body:
                self.wfile.write(content)

        def do_GET(self):
            self.do_HEAD(with_body=True)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


PROGRAM = """
import sys
from cyclecolor import Colorizer, CycleColorError
try:
    print(Colorizer.from_pretrained("owner/name", revision=sys.argv[1]).name)
except CycleColorError as error:
    print("refused:", error)
"""


def test_from_the_hub(folder, tmp_path):
    pytest.importorskip("huggingface_hub")

    def run(revision: str, endpoint: str) -> str:
        environment = os.environ | {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "cache")}
        environment |= {"PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1", "HF_HUB_DISABLE_XET": "1"}
        line = [sys.executable, "-c", PROGRAM, revision]
        done = subprocess.run(line, env=environment, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    with stand_in(folder) as (endpoint, asked):
        name = run(COMMIT, endpoint)
        assert name == load(folder / "model.safetensors").name
        files = {line.split("/")[-1] for line in asked if "/owner/name/" in line}
        assert files == {"model.safetensors"}  # one, no other
        asked.clear()
        assert "refused: owner/name at ffffffffffff: cannot be downloaded" in run("f" * 40, endpoint)
    assert run(COMMIT, "http://127.0.0.1:9") == name  # once it is cached, without a network


def test_torch_hub(checkpoint, gray):
    colorizer = torch.hub.load(str(ROOT), "colorizer", source="local", checkpoint=checkpoint)
    assert colorizer(gray).tobytes() == load(checkpoint)(gray).tobytes()
