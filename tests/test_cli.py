"""The command line as a user types it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import tiny_experiment
from PIL import Image

import cyclecolor
from cyclecolor.cli.main import main
from cyclecolor.data.prepare import lightness_photo
from cyclecolor.data.prepare import prepare as prepare_piles
from cyclecolor.photos import read_photo
from cyclecolor.training import train

LOOK = {"working_size", "saturation", "emphasis", "balance"}  # of a checkpoint, when colors are made
OPTIONS = {
    "train": {"experiment", "overrides", "run_dir", "fresh", "device", "allow_changed_data"},
    "translate": {
        "reference_path",
        "sources",
        "output",
        "checkpoint",
        "direction",
        "size",
        "saturation",
        "shard",
        "hint_texts",
        "hints_path",
        "denoise",
        "flip_average",
        "engine",
        "doubt",
        "device",
        "suffix",
        "quality",
        "subsampling",
        "lossless_luma",
        "provenance",
        "max_pixels",
        "workers",
        "report",
        "overwrite",
    },
    "prepare": {"photos", "output", "test_share", "gray_share", "seed", "film"},
    "evaluate": {
        "plots",
        "checkpoint",
        "color",
        "gray",
        "film",
        "pile",
        "json_path",
        "sheet_path",
        "perceptual",
        "device",
    },
    "audit": {"checkpoint", "color", "gray", "film", "json_path", "plots", "device"},
    "demo": {"checkpoints", "host", "port"},
    "report": {"run_dirs", "output"},
    "doctor": {"gray", "color", "json_path"},
    "info": {"checkpoint"},
    "import": {"source", "output"},
    "export": {"checkpoint", "output", "generator", "statistics", "average"} | LOOK,
}


def call(*arguments, code: int = 0) -> str:
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result.output


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    return train(tiny_experiment(), tmp_path_factory.mktemp("run"))


def test_options_are_frozen():
    found = {name: {p.name for p in command.params} for name, command in main.commands.items()}
    assert found == {name: options | {"quiet", "verbose"} for name, options in OPTIONS.items()}
    assert sorted(cyclecolor.__all__) == ["Colorizer", "CycleColorError", "Hint", "load"]


def test_translate_mirrors_a_folder(photo_folder, checkpoint, tmp_path):
    (photo_folder / "broken.jpg").write_bytes(b"no image")
    Image.new("P", (9, 9)).save(photo_folder / "0.gif")
    output = call("translate", photo_folder, "--checkpoint", checkpoint, code=1)
    assert "7 translated, 0 skipped, 1 refused" in output
    assert "broken.jpg" in output
    mirrored = tmp_path / "photos_color"
    names = {p.relative_to(mirrored).as_posix() for p in mirrored.rglob("*") if p.is_file()} - {
        "manifest.jsonl"
    }
    assert names == {"0.png", "0.gif.png", "1.jpg", "2.png", "3.jpg", "4.png", "sub/5.png"}
    assert read_photo(mirrored / "1.jpg").pixels.shape == read_photo(photo_folder / "1.jpg").pixels.shape
    again = call("translate", photo_folder, "--checkpoint", checkpoint, code=1)
    assert "0 translated, 7 skipped, 1 refused" in again


def test_translate_keeps_lightness(photo_folder, checkpoint, tmp_path):
    source, target = photo_folder / "0.png", tmp_path / "out.png"
    Image.fromarray(np.arange(48 * 48, dtype=np.uint8).reshape(48, 48)).save(source)
    call("translate", source, "--output", target, "--checkpoint", checkpoint)
    gray = read_photo(source).pixels[..., 0].astype(float)
    color = read_photo(target).pixels / 255
    linear = np.where(color > 0.04045, ((color + 0.055) / 1.055) ** 2.4, color / 12.92)
    y = linear @ [0.212671, 0.715160, 0.072169]
    back = np.where(y > 0.0031308, 1.055 * y ** (1 / 2.4) - 0.055, 12.92 * y) * 255
    assert abs(back - gray).max() <= 0.5


def test_translate_to_gray(photo_folder, checkpoint, tmp_path):
    call(
        "translate",
        photo_folder / "0.png",
        "-o",
        tmp_path / "g.png",
        "-c",
        checkpoint,
        "--direction",
        "to-gray",
    )
    assert read_photo(tmp_path / "g.png").pixels.shape == (48, 48, 1)


def test_python_api(checkpoint):
    colorizer = cyclecolor.load(checkpoint)
    image = Image.new("L", (37, 51), 120)
    assert colorizer(image).size == image.size
    assert colorizer(image).mode == "RGB"


def test_released_checkpoint_is_found():
    image = Image.new("L", (40, 30), 120)
    assert cyclecolor.load()(image).size == (40, 30)


def test_doctor_says_what_is_wrong(photo_folder, tmp_path):
    (photo_folder / "bad.png").write_bytes(b"bad")
    output = call("doctor", photo_folder, photo_folder, "--json", tmp_path / "d.json")
    assert "1 cannot be read" in output
    assert "6 pictures are in both piles" in output
    assert "too few" in json.loads((tmp_path / "d.json").read_text())["advice"]


def test_doctor_names_pictures_too_small_to_examine(photo_folder, tmp_path):
    sizes = [(1, 1), (3, 2), (8, 8), (600, 8), (15, 40)]
    for size in sizes:
        Image.new("RGB", size, (200, 30, 30)).save(photo_folder / f"{size[0]}x{size[1]}.png")
    output = call("doctor", photo_folder, photo_folder, "--json", tmp_path / "d.json")
    assert "5 have a short side below 16 px: too small to be examined" in output
    found = json.loads((tmp_path / "d.json").read_text())
    assert set(found["color"]["too_small"]) == {f"{width}x{height}.png" for width, height in sizes}
    assert found["color"]["photos"] == 6
    for path in (photo_folder / "sub", *photo_folder.glob("?.*")):
        path.rename(tmp_path / path.name)
    output = call("doctor", photo_folder, tmp_path / "sub", code=1)
    assert "none of its 5 photos can be used: 0 cannot be read, 5 have a short side below 16 px" in output


def test_prepare_makes_disjoint_piles(photo_folder, tmp_path):
    Image.new("RGB", (40, 40), (90, 90, 91)).save(photo_folder / "gray.png")
    (photo_folder / "bad.png").write_bytes(b"bad")
    out = tmp_path / "piles"
    call("prepare", photo_folder, "--output", out, "--test-share", "0.3")
    names = {
        pile: {p.relative_to(out / pile).with_suffix("").as_posix() for p in (out / pile).rglob("*.*")}
        for pile in ("gray_train", "color_train", "gray_test", "color_test")
    }
    assert not names["gray_train"] & names["color_train"]
    assert names["gray_test"] == names["color_test"]
    assert not names["gray_test"] & (names["gray_train"] | names["color_train"])
    listed = (out / "set_aside.csv").read_text()
    assert "gray.png" in listed
    assert "bad.png" in listed


@pytest.mark.parametrize(("share", "grays"), [("0", 1), ("0.4", 2), ("0.5", 2), ("1", 4)])
def test_gray_share(photo_folder, tmp_path, share, grays):
    call("prepare", photo_folder, "--output", tmp_path / "piles", "--test-share", "0", "--gray-share", share)
    counts = [len(list((tmp_path / "piles" / name).iterdir())) for name in ("gray_train", "color_train")]
    assert (counts[0], sum(counts)) == (grays, 5)  # of six, one to test


def test_prepare_leaves_photos_to_train_on_and_takes_no_odd_seed(photo_folder, tmp_path):
    call("prepare", photo_folder, "--output", tmp_path / "piles", "--test-share", "0.9")
    for name in ("gray_train", "color_train"):
        assert len(list((tmp_path / "piles" / name).rglob("*.*"))) == 1
    said = call("prepare", photo_folder, "--output", tmp_path / "odd", "--seed", "-1", code=2)
    assert "-1 is not in the range x>=0" in said


def test_info_counts_the_images_of_all_batches_of_a_step(tmp_path):
    train(tiny_experiment(method="regression", num_steps=2, accumulate=3), tmp_path)
    assert "images seen   12 of each pile" in call("info", tmp_path)


def test_what_prepare_was_kept_from_finishing_is_no_pile(photo_folder, tmp_path, monkeypatch):
    """Cut short in its third photo: nothing is there but what the next turn takes away."""
    made, output = [], tmp_path / "piles"

    def cut_short(*arguments):
        made.append(arguments)
        if len(made) == 3:
            raise KeyboardInterrupt
        return copyfile(*arguments)

    copyfile = shutil.copyfile
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", cut_short)
        with pytest.raises(KeyboardInterrupt):
            prepare_piles(photo_folder, output)
    assert [path.name for path in output.iterdir()] == [".partial"]
    prepare_piles(photo_folder, output)
    assert sorted(path.name for path in output.iterdir()) == [
        *("color_test", "color_train", "gray_test", "gray_train", "set_aside.csv")
    ]


def test_the_gray_twin_of_what_is_transparent_lies_on_white(tmp_path):
    clear = np.zeros((8, 8, 4), np.uint8)
    clear[..., 0], clear[:4, :, 3] = 200, 255
    Image.fromarray(clear).save(tmp_path / "clear.png")
    gray = lightness_photo(read_photo(tmp_path / "clear.png"))
    assert (gray.pixels[4:] == 255).all()
    assert (gray.pixels[:4] < 128).all()
    assert gray.alpha is None


def test_prepare_renders_a_film(photo_folder, tmp_path):
    for folder, options in (("plain", ()), ("film", ("--film", "blue_plate"))):
        call("prepare", photo_folder, "--output", tmp_path / folder, "--test-share", "0.3", *options)
    plain, film = (
        {
            path.relative_to(tmp_path / folder): np.array(Image.open(path))
            for path in (tmp_path / folder).rglob("*.png")
        }
        for folder in ("plain", "film")
    )
    assert plain.keys() == film.keys()
    for path, image in film.items():
        assert image.shape == plain[path].shape
        assert (image == plain[path]).all() == path.parts[0].startswith("color")


def test_train_evaluate_info_export(photo_folder, tmp_path):
    piles, run = tmp_path / "piles", tmp_path / "run"
    call("prepare", photo_folder, "--output", piles, "--test-share", "0.3")
    experiment = tmp_path / "x.toml"
    experiment.write_text("num_steps = 2\nbatch_size = 2\n[data]\nsize = 32\n[discriminator]\nlayers = 1\n")
    said = call("train", experiment, "--run-dir", run, "--set", f"data.root={piles}")
    assert "CIEDE2000" in said
    assert (run / "sheet.png").is_file()
    color, gray = piles / "color_test", piles / "gray_test"
    table = call("evaluate", run, "--color", color, "--gray", gray, "--json", tmp_path / "s.json")
    assert "do_nothing" in table
    for name in json.loads((tmp_path / "s.json").read_text())["scores"]:
        assert name in table
    audited = CliRunner().invoke(
        main, ["audit", str(run), "--color", str(color), "--json", str(tmp_path / "a.json")]
    )
    record = json.loads((tmp_path / "a.json").read_text())
    assert audited.exit_code == (0 if record["passed"] else 1)
    assert all(name in audited.output for name in record["figures"])
    assert "cyclegan in lab, step 2" in call("info", run)
    call("export", run, tmp_path / "small.safetensors")
    assert str(tmp_path).encode() not in (tmp_path / "small.safetensors").read_bytes()
    call("translate", piles / "gray_test", "--checkpoint", tmp_path / "small.safetensors")
    call("train", experiment, "--run-dir", run, "--fresh", "--set", f"data.root={piles}")
    assert (tmp_path / "run.old-1").is_dir()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["train", "missing.toml"], 2, "missing.toml"),
        (["translate", "missing", "-c", "x"], 2, "missing"),
        (["translate", ".", "-c", "missing.safetensors"], 2, "missing.safetensors"),
        (["translate", "empty", "-c", "CHECKPOINT"], 2, "empty"),
        (["info", "missing"], 2, "missing"),
        (["info", "bad.safetensors"], 1, "bad.safetensors"),
        (["prepare", "empty", "-o", "out"], 2, "empty"),
        (["prepare", "photos", "-o", "out", "--film", "none"], 2, "blue_plate"),
        (["evaluate", "CHECKPOINT", "--color", "empty"], 2, "empty"),
        (["audit", "CHECKPOINT", "--color", "empty"], 2, "empty"),
        (["doctor", "empty", "photos"], 2, "empty"),
        (["evaluate", "CHECKPOINT", "--color", "photos", "--gray", "empty"], 2, "empty"),
        (["evaluate", "CHECKPOINT", "--color", "photos", "--film", "none"], 2, "blue_plate"),
        (["evaluate", "CHECKPOINT", "--color", "photos", "--gray", "scans"], 2, "no scan for 1 of the 1"),
    ],
)
def test_mistakes_get_one_line(arguments, code, says, tmp_path, monkeypatch, checkpoint):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    for name in ("photos/a.png", "scans/b.png"):
        (tmp_path / name).parent.mkdir()
        Image.new("RGB", (40, 40)).save(tmp_path / name)
    (tmp_path / "bad.safetensors").write_bytes(b"bad")
    arguments = [str(checkpoint) if a == "CHECKPOINT" else a for a in arguments]
    output = call(*arguments, code=code)
    assert says in output
    assert len(output.strip().splitlines()) == 1


def test_too_little_memory_is_one_line(tmp_path, monkeypatch):
    import torch

    from cyclecolor.methods import CycleGAN

    monkeypatch.setattr(CycleGAN, "losses", lambda *_: torch.empty(2**50))
    experiment = tmp_path / "x.toml"
    experiment.write_text("num_steps = 1\nbatch_size = 1\n[data]\nsize = 32\n[discriminator]\nlayers = 1\n")
    output = call("train", experiment, "--run-dir", tmp_path / "run", code=1)
    assert "not enough memory; close other programs" in output.splitlines()[-1]
