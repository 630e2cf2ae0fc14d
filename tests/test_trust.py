"""Checkpoints from strangers: no code runs, nothing is opened, memory is taken for what fits alone."""

import json
import os
import pickle
import random
import resource
import shutil
import struct
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from conftest import KINDS, tiny_experiment
from hostile import EMPTY, join, mutant, outcome, payloads, sealed, split

from cyclecolor.checkpoint import (
    Checkpoint,
    expected_tensors,
    export_checkpoint,
    read_checkpoint,
    save_checkpoint,
)
from cyclecolor.checkpoint.safetensors_file import MAX_HEADER, TensorFile, sealed_bytes
from cyclecolor.cli.main import main
from cyclecolor.errors import CycleColorError
from cyclecolor.inference import ChromaColorizer, load
from cyclecolor.methods import METHODS
from cyclecolor.training import Trainer, train

FORMAT_1 = Path(__file__).parent / "golden" / "format_1.safetensors"  # one step of a regression
FORMAT_2 = Path(__file__).parent / "golden" / "format_2.safetensors"  # two steps of a textbook
NETWORK = {"type": "resnet", "width": 2, "blocks": 1}


def small(**changes):
    least = {"G_color": NETWORK, "G_gray": NETWORK, "num_steps": 2, "data": {"size": 16}}
    return tiny_experiment(**{**least, **changes})


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> bytes:
    """A checkpoint of everything, as a file's bytes."""
    return train(small(), tmp_path_factory.mktemp("run")).read_bytes()


def with_settings(good: bytes, change) -> bytes:
    header, data = split(good)
    settings = json.loads(header["__metadata__"]["cyclecolor"])
    change(settings)
    header["__metadata__"]["cyclecolor"] = json.dumps(settings)
    return sealed(header, data)


def test_every_flipped_byte_is_noticed(tmp_path, good):
    path = tmp_path / "x.safetensors"
    path.write_bytes(good)
    read_checkpoint(path)
    rng = random.Random(0)
    header = range(8 + struct.unpack("<Q", good[:8])[0])
    for place in [*rng.sample(header, 60), *rng.sample(range(len(header), len(good)), 20)]:
        content = bytearray(good)
        content[place] ^= 1 << rng.randrange(8)
        path.write_bytes(content)
        with pytest.raises(CycleColorError, match="not a whole checkpoint"):
            read_checkpoint(path)


def test_mutants_are_refused_or_load(tmp_path, good):
    path = tmp_path / "x.safetensors"
    rng = random.Random(0)
    for _ in range(60):
        path.write_bytes(mutant(good, rng))
        assert outcome(path) in ("loaded", "refused")


@pytest.mark.parametrize(
    "command",
    [
        "info {}",
        "translate photos -c {}",
        "evaluate {} --color photos",
        "audit {} --color photos",
        "export {} x.safetensors",
    ],
)
def test_no_payload_runs(tmp_path, monkeypatch, command, photo_folder):
    monkeypatch.chdir(tmp_path)
    canary = tmp_path / "canary"
    hostile = tmp_path / "hostile"
    hostile.mkdir()
    made = payloads(hostile, canary)
    assert len(made) == 14
    for path in [*made, hostile]:
        result = CliRunner().invoke(main, command.format(path).split())
        assert result.exit_code in (1, 2), path
        assert not canary.exists(), path


def test_payloads_run_where_pickles_are_read(tmp_path):
    made = payloads(tmp_path, tmp_path / "canary")
    pickle.loads(made[0].read_bytes())
    assert (tmp_path / "canary").exists()


def test_training_believes_no_payload(tmp_path):
    canary, folder = tmp_path / "canary", tmp_path / "checkpoints"
    folder.mkdir()
    payloads(folder, canary)
    with pytest.raises(CycleColorError, match=r"all checkpoints .*are damaged"):
        Trainer(small(), tmp_path)
    assert not canary.exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda e: e["G_color"].update(width=1024, blocks=64), "is not one of its experiment"),
        (lambda e: e["G_color"].update(blocks=10**9), "less than or equal to 64"),
        (lambda e: e["data"].update(size=10**9), "less than or equal to 4096"),
        (lambda e: e.update(method="regression"), "is not one of its experiment"),
        (lambda e: e.update(learning_rate=float("inf")), "finite"),
        (lambda e: e.update(x=1), "unknown key 'x'"),
    ],
)
def test_settings_that_do_not_fit_are_refused_though_sealed(tmp_path, good, change, says):
    path = tmp_path / "x.safetensors"
    path.write_bytes(with_settings(good, lambda settings: change(settings["experiment"])))
    with pytest.raises(CycleColorError, match=says):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("step", -1),
        ("step", 2**32),
        ("step", 1.0),
        ("step", True),
        ("experiment", []),
        ("data", [1]),
        ("watch", None),
        ("watch", {"rate": "0.5"}),
        ("score", "0.5"),
    ],
)
def test_a_part_of_the_settings_that_is_of_no_use_is_refused(tmp_path, good, part, value):
    path = tmp_path / "x.safetensors"
    path.write_bytes(with_settings(good, lambda settings: settings.update({part: value})))
    with pytest.raises(CycleColorError, match="settings are not what a checkpoint has"):
        read_checkpoint(path)


def test_a_network_with_a_tensor_missing_is_refused(tmp_path, good):
    path = tmp_path / "x.safetensors"
    path.write_bytes(good)
    whole = read_checkpoint(path)
    tensors = dict(whole.tensors)
    del tensors["ema/G_color/module.decoder.4.bias"]
    save_checkpoint(replace(whole, tensors=tensors), path)
    with pytest.raises(CycleColorError, match="missing"):
        read_checkpoint(path)


def test_a_tensor_of_another_type_is_refused(tmp_path, good):
    path = tmp_path / "x.safetensors"
    path.write_bytes(good)
    whole = read_checkpoint(path)
    counts = {n: t.long() for n, t in whole.below("ema").items()}
    save_checkpoint(replace(whole, tensors={f"ema/{n}": t for n, t in counts.items()}), path)
    with pytest.raises(CycleColorError, match="is not one of its experiment"):
        read_checkpoint(path)


def test_no_path_in_a_checkpoint_is_opened(tmp_path, good):
    trap = tmp_path / "trap"
    os.mkfifo(trap)  # opening it would wait for ever

    def change(settings):
        settings["experiment"]["data"] |= {"root": str(trap), "gray": str(trap), "color": str(trap)}
        settings["experiment"]["init"] = str(trap)
        settings["experiment"]["G_color"] |= {"pretrained": True, "encoder": "resnet18"}
        settings["data"] = {"file": str(trap)}

    path = tmp_path / "x.safetensors"
    path.write_bytes(with_settings(good, change))
    load(path).chroma(torch.zeros(1, 1, 16, 16))
    assert CliRunner().invoke(main, ["info", str(path)]).exit_code == 0
    with pytest.raises(CycleColorError, match="no such checkpoint file"):
        read_checkpoint(trap)


@pytest.mark.parametrize(
    "content",
    [
        struct.pack("<Q", MAX_HEADER) + b"[" * MAX_HEADER,
        struct.pack("<Q", MAX_HEADER + 1) + b" " * (MAX_HEADER + 1),
        join({f"t{i}": EMPTY for i in range(300_000)}, b""),
        join({"t": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}, b""),
        join(
            b'{"__metadata__":{"format":"cyclecolor-checkpoint-3","cyclecolor":"' + b"[" * 10**6 + b'"}}', b""
        ),
    ],
    ids=["deep", "long", "many", "huge", "deep settings"],
)
def test_bombs_are_refused_in_little_memory(tmp_path, content):
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CycleColorError, match="not a whole checkpoint"):
        read_checkpoint(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB


def test_a_file_of_holes_is_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    header = join({"t": {"dtype": "F32", "shape": [2**38], "data_offsets": [0, 2**40]}}, b"")
    with open(path, "wb") as file:
        file.write(header)
        file.truncate(len(header) + 2**40)
    with pytest.raises(CycleColorError, match="larger than"):
        read_checkpoint(path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("gray", ["film", "fusion"])
def test_expected_tensors_are_those_of_a_real_method(kind, gray):
    options = {"G_gray": {"type": gray, "stages": 1}, "data": {"size": 32}}
    options |= {"discriminator": {"spectral_norm": True, "scales": 2}}
    experiment = small(**{**options, **KINDS[kind]})
    real = METHODS[experiment.method](experiment, device=torch.device("cpu"))
    expected = expected_tensors(experiment)
    for group in ("networks", "optimizers"):
        assert any(name.startswith(group) for name in expected)
    networks = {n: t for n, t in expected.items() if n.startswith("networks/")}
    shapes = {
        f"networks/{name}/{key}": tensor.shape
        for name, network in real.networks.items()
        for key, tensor in network.state_dict().items()
    }
    assert {name: tensor.shape for name, tensor in networks.items()} == shapes
    for name, optimizer in real.optimizers.items():
        count = sum(p.numel() for group in optimizer.param_groups for p in group["params"])
        moments = [n for n in expected if n.startswith(f"optimizers/{name}/") and n.endswith("/exp_avg")]
        assert sum(expected[n].numel() for n in moments) == count


def test_to_read_an_export_no_discriminator_is_made(tmp_path, good, monkeypatch):
    """They and their optimizers take a second."""
    (tmp_path / "whole.safetensors").write_bytes(good)
    export_checkpoint(read_checkpoint(tmp_path / "whole.safetensors"), tmp_path / "x.safetensors")
    expected_tensors.cache_clear()
    monkeypatch.setattr(METHODS["cyclegan"], "__init__", lambda *_, **__: pytest.fail("all was made"))
    assert read_checkpoint(tmp_path / "x.safetensors").averaged("G_color")


def test_files_of_format_1_still_load():
    with open(FORMAT_1, "rb") as opened:
        assert TensorFile(opened).metadata["format"] == "cyclecolor-checkpoint-1"
    chroma = ChromaColorizer(read_checkpoint(FORMAT_1)).chroma(torch.linspace(-1, 1, 1024).view(1, 1, 32, 32))
    assert chroma.shape == (1, 2, 32, 32)
    # As the version answered that wrote it; so below.
    assert chroma[0, :, 7, 11].tolist() == pytest.approx([0.2214262, 0.0002196], abs=1e-5)


def test_files_of_format_2_still_load(tmp_path):
    """With a bias before each norm and other names of layers, which are to be told apart."""
    with open(FORMAT_2, "rb") as opened:
        names = [entry.name for entry in TensorFile(opened).entries]
    assert "networks/D_gray/judges.0.8.bias" in names
    image = torch.linspace(-1, 1, 3072).view(1, 3, 32, 32)
    with torch.no_grad():
        answers = {name: g(image)[0, :, 7, 11].tolist() for name, g in load(FORMAT_2).generators.items()}
    assert answers["G_color"] == pytest.approx([-0.0231839, 0.4080684, -0.1251946], abs=1e-5)
    assert answers["G_gray"] == pytest.approx([0.2179610, 0.2189082, 0.1590414], abs=1e-5)
    read = read_checkpoint(FORMAT_2)
    assert {n for n in read.tensors if n.startswith("networks/D_gray")} == {
        n for n in expected_tensors(read.experiment) if n.startswith("networks/D_gray")
    }
    assert not read.below("optimizers")
    (tmp_path / "checkpoints").mkdir()
    shutil.copy(FORMAT_2, tmp_path / "checkpoints" / "step_00000002.safetensors")
    with pytest.raises(CycleColorError, match=r"from an earlier version.*--fresh"):
        train(read.experiment.model_copy(update={"num_steps": 3}), tmp_path)


def test_a_checkpoint_with_restraint_still_loads(good, tmp_path):
    """Some of format 4 have this setting, which is no more; an unknown one is refused."""
    path = tmp_path / "x.safetensors"
    for name in ("restraint", "restrain"):
        header, data = split(good)
        described = json.loads(header["__metadata__"]["cyclecolor"])
        described["experiment"][name] = 0.25
        header["__metadata__"]["cyclecolor"] = json.dumps(described)
        path.write_bytes(sealed(header, data))
        if name == "restraint":
            assert read_checkpoint(path).experiment == small()
        else:
            with pytest.raises(CycleColorError, match=name):
                read_checkpoint(path)


def test_a_checkpoint_with_settings_that_did_nothing_still_loads(good, tmp_path):
    """Unpaired trainings took the film and the tones of paired ones, the paper's generators ImageNet."""
    header, data = split(good)
    described = json.loads(header["__metadata__"]["cyclecolor"])
    assert described["experiment"]["method"] in ("cyclegan", "paper_cyclegan")
    described["experiment"]["data"] |= {"tones": 0.3, "film": "blue_plate"}
    described["experiment"]["G_gray"]["pretrained"] = True
    header["__metadata__"]["cyclecolor"] = json.dumps(described)
    (tmp_path / "x.safetensors").write_bytes(sealed(header, data))
    assert read_checkpoint(tmp_path / "x.safetensors").experiment == small()


def test_what_format_2_leaves_out_is_bounded(tmp_path):
    with open(FORMAT_2, "rb") as opened:
        file = TensorFile(opened)
        tensors, metadata = dict(file.read()), {k: v for k, v in file.metadata.items() if k != "sha256"}
    path = tmp_path / "x.safetensors"
    for count, whole in ((2, True), (10**6, False)):
        tensors["ema/G_color/module.encoder.0.bias"] = torch.zeros(count)
        path.write_bytes(sealed_bytes(tensors, metadata))
        if whole:
            read_checkpoint(path)
        else:
            with pytest.raises(CycleColorError, match="more than its experiment"):
                read_checkpoint(path)


def test_a_bit_of_a_file_of_format_1_flipped_is_noticed(tmp_path):
    content = bytearray(FORMAT_1.read_bytes())
    content[-1000] ^= 1
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(CycleColorError, match="checksum"):
        read_checkpoint(path)


def test_what_is_saved_is_what_is_read(tmp_path):
    expected = expected_tensors(small())
    tensors = {
        n: torch.ones_like(t, device="cpu") for n, t in expected.items() if n.startswith("ema/G_color/")
    }
    saved = Checkpoint(small(), 7, {"color": {"photos": 3}}, tensors, {"rate": 0.5}, 0.25)
    save_checkpoint(saved, tmp_path / "x.safetensors")
    read = read_checkpoint(tmp_path / "x.safetensors")
    assert (read.experiment, read.step, read.data, read.watch, read.score) == (
        saved.experiment,
        7,
        {"color": {"photos": 3}},
        {"rate": 0.5},
        0.25,
    )
    assert all(torch.equal(read.tensors[name], tensor) for name, tensor in tensors.items())
