"""Every script under benchmarks/ runs a tiny turn: what the pages of results say can be measured anew."""

import contextlib
import importlib
import json
import multiprocessing
import os
import random
import runpy
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from conftest import tiny_experiment
from PIL import Image

from cyclecolor import load
from cyclecolor.cli.main import main as cyclecolor
from cyclecolor.data import render_scene
from cyclecolor.photos import read_photo
from cyclecolor.training import train

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """Import a script by name, as Python would find it beside the others, with arguments for its `main`."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.syspath_prepend(str(Path(__file__).parent))

    def load(name, *arguments):
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
        return importlib.import_module(name)

    return load


@pytest.fixture
def photos(tmp_path):
    """A folder of three color photos of 48 px."""
    folder = tmp_path / "color"
    folder.mkdir()
    for i in range(3):
        Image.fromarray(render_scene(3, i, size=48)).save(folder / f"{i}.png")
    return folder


def size_of(path):
    """Width and height of an image."""
    with Image.open(path) as image:
        return image.size


def test_bench_color(script, monkeypatch, capsys):
    bench = script("bench_color", "--threads", 1, "--rounds", 1)
    monkeypatch.setattr(bench, "CASES", {"tiny": (1, 16, 16)})
    monkeypatch.setattr(bench, "keep_memory", lambda **_: None)  # of this process are other tests, too
    bench.main()
    said = capsys.readouterr().out
    assert "tiny, to lab: ours" in said
    assert "largest error, Lab" in said


def test_bench_train(script, tmp_path, capsys):
    bench, contenders = script("bench_train"), script("contenders")
    assert bench.largest_difference(32) < bench.TOLERANCE
    contenders.write_photos(tmp_path)
    common = {"threads": 1, "size": 32, "batch_size": 1, "workers": 0}
    rivals = [contenders.Contender(name, tmp_path, **common) for name in ("reference", "paper_cyclegan")]
    plain, ours = contenders.race(*rivals, rounds=1)
    # Both do the same work; ours is counted in products of tiles where it takes Winograd's way.
    assert 0 < ours.operations <= 1.05 * plain.operations
    assert len(plain.times) == len(ours.times) == contenders.TURN
    assert "s an image of each pile" in capsys.readouterr().out


def test_what_bench_train_keeps(script, monkeypatch, tmp_path, capsys):
    bench = script("bench_train", "--threads", 1, "--json", tmp_path / "found.json")
    monkeypatch.setattr(bench, "measure", lambda root, options: iter([("same algorithm", "2.00 x")]))
    monkeypatch.setattr(bench, "largest_difference", lambda size: 1e-6)
    bench.main()
    record = json.loads((tmp_path / "found.json").read_text())
    assert record["rows"] == {"same algorithm": "2.00 x"}
    said = capsys.readouterr().out
    assert said.endswith(f"\n\n{bench.table(record)}\n")
    assert "; 1 thread; the same losses from the same weights to 1.0e-06." in said


def test_step_time(script, monkeypatch, tmp_path):
    step_time = script("step_time")
    monkeypatch.setattr(step_time, "keep_memory", lambda **_: None)
    found = step_time.scaling([(64, 1), (64, 2)], threads=1)
    assert [case[:2] for case in found] == [(64, 1), (64, 2)]
    assert all(seconds > 0 for *_, seconds in found)
    assert step_time.line_through([(1, 3), (2, 5), (3, 7)]) == pytest.approx((1, 2, 0))
    step_time.plot({"a line": [(1, 3), (2, 5)]}, tmp_path / "plot.svg")
    assert (tmp_path / "plot.svg").read_text().count("<circle") == 2


def test_bench_translate(script, monkeypatch, tmp_path, capsys):
    bench = script("bench_translate", "--quick", "small", "stages", "--json", tmp_path / "found.json")
    monkeypatch.setattr(bench, "keep_memory", lambda **_: None)
    bench.main()
    said = capsys.readouterr().out
    assert "| 8 gray JPEGs of 1 MP (`small`) |" in said
    assert "| a gray JPEG of 1 MP, processor time on one core: | |" in said
    record = json.loads((tmp_path / "found.json").read_text())
    assert said == bench.table(record) + "\n"
    assert record["small"]["least"] <= record["small"]["ratio"] <= record["small"]["most"]


def test_bench_network(script, monkeypatch, tmp_path, capsys):
    bench = script("bench_network", "--turns", 1, "--json", tmp_path / "found.json")
    monkeypatch.setattr(bench, "keep_memory", lambda **_: None)
    threads = torch.get_num_threads()
    bench.main()
    torch.set_num_threads(threads)
    record = json.loads((tmp_path / "found.json").read_text())
    assert capsys.readouterr().out == bench.table(record) + "\n"
    assert list(record["ms"][bench.FIRST]) == ["96"]
    assert list(record["ms"][bench.RELEASED]) == ["128", "160"]


def test_compare(script, photos, tmp_path, capsys):
    """A file, a copy of it and a run: equal rows, steps and minutes, and a row of pictures each."""
    copy, run, found = (tmp_path / name for name in ("copy.safetensors", "run", "found.json"))
    sheet = tmp_path / "sheet.jpg"
    shutil.copy(Path(__file__).parent.parent / "checkpoints" / "default.safetensors", copy)
    train(tiny_experiment(num_steps=4, save_every=2, method="regression"), run)
    for minute, step in enumerate((2, 4)):
        os.utime(run / "checkpoints" / f"step_{step:08}.safetensors", (60 * minute, 60 * minute))
    compare = script("compare", photos, sheet, "default", copy, run, "--json", found)
    compare.main()
    record = json.loads(found.read_text())
    assert capsys.readouterr().out == compare.table(record) + "\n"
    rows = record["rows"]
    assert list(rows) == [*compare.BESIDE.values(), "default", "copy", "run"]
    assert rows["default"] == rows["copy"]
    assert (rows["run"]["steps"], rows["run"]["minutes"]) == (4, 2)
    gain = rows["default"]["scores"].pop("ciede2000_gain")["value"]
    gray, ours = (rows[name]["scores"]["ciede2000"]["value"] for name in ("left gray", "default"))
    assert gain == pytest.approx(gray - ours, abs=1e-5)
    assert size_of(sheet)[1] == 5 * 150  # gray, the three, truth


def test_denoise(script, photos, tmp_path, capsys):
    denoise = script("denoise", photos, "--json", tmp_path / "found.json")
    denoise.main()
    record = json.loads((tmp_path / "found.json").read_text())
    assert capsys.readouterr().out == denoise.table(record) + "\n"
    assert [float(grain) for grain in record["grain"]] == [*denoise.GRAIN]
    plain, denoised = record["grain"]["0.3"]  # more than what is let through
    assert plain != denoised


def test_faces(script, tmp_path, capsys):
    found = tmp_path / "found.json"
    faces = script("faces", tmp_path, tmp_path / "faces.csv", "default", "--json", found)
    assert faces.typology_angle(torch.tensor([70.0, 15.0, 20.0]).view(1, 3, 1, 1)) == pytest.approx(45)
    for name, color in (("light", (224, 172, 140)), ("dark", (92, 58, 42)), ("none", (90, 110, 200))):
        Image.new("RGB", (48, 48), color).save(tmp_path / f"{name}.png")
    rows = ["name,top,left,side", *(f"{name}.png,4,4,40" for name in ("light", "dark", "none"))]
    (tmp_path / "faces.csv").write_text("\n".join(rows))
    faces.main()
    said = capsys.readouterr().out
    assert "| `default` | light | 1 |" in said
    assert "| `default` | dark | 1 |" in said
    assert said == faces.table(json.loads(found.read_text())) + "\n"


def test_reliability(script, photos, tmp_path, capsys):
    reliability = script("reliability")
    reliability.main(photos, "default", tmp_path / "found.json")
    chroma, doubt = capsys.readouterr().out.split("\n\n")
    shares = [float(line.split("|")[2].rstrip(" %")) for line in chroma.splitlines()[2:]]
    assert sum(shares) == pytest.approx(100, abs=0.5)
    assert doubt == reliability.table(json.loads((tmp_path / "found.json").read_text())) + "\n"
    *fifths, correlation = doubt.splitlines()[2:]
    levels = [float(line.split("|")[2]) for line in fifths]
    assert len(levels) == 3  # one photo in each
    assert levels == sorted(levels)
    assert -1 <= float(correlation.split("|")[3]) <= 1


def test_film_gap(script, monkeypatch, tmp_path):
    folder = tmp_path / "color"
    folder.mkdir()
    for i in range(8):
        Image.fromarray(render_scene(3, i, size=48)).save(folder / f"{i}.png")
    film_gap = script("film_gap")
    called = []

    def run(*arguments):
        called.append(arguments[0])
        result = CliRunner().invoke(cyclecolor, [str(argument) for argument in arguments])
        assert result.exit_code == 0, result.output

    monkeypatch.setattr(film_gap, "run", run)
    tiny = ["num_steps=2", "match_steps=2", "batch_size=2", "data.size=32", "discriminator.layers=1"]
    tiny += ["G_color.stages=2", "G_color.width=8"]
    settings = [word for setting in tiny for word in ("--set", setting)]
    arguments = [folder, folder, tmp_path / "out", "--film", "blue_plate", "--seed", "0", *settings]
    for _ in range(2):  # the second time everything is there
        result = CliRunner().invoke(film_gap.main, [str(argument) for argument in arguments])
        assert result.exit_code == 0, result.output
        assert "| CIEDE2000 | mean |" in result.output
        assert "| oracle |" in result.output
    assert called == ["prepare", *["train"] * len(film_gap.RUNS)]
    start = ["--start", tmp_path / "out" / "any-floor-0"]
    result = CliRunner().invoke(film_gap.main, [str(argument) for argument in [*arguments, *start]])
    assert "| blue_plate | seed | start | floor |" in result.output
    assert equal_cells(result.output, "start", "floor")  # it is the floor, as it is
    errors = {"floor": 14, "augmented": 13, "one_film": 12, "unpaired": 11, "oracle": 10}
    assert film_gap.closed(errors) == 0.75


def equal_cells(markdown, *columns):
    """Whether columns of the first table have the same cells."""
    rows = [line.strip("|").split(" | ") for line in markdown.split("\n\n")[0].splitlines()]
    places = [rows[0].index(column) for column in columns]
    return all(len({cells[place] for place in places}) == 1 for cells in rows[2:])


def test_controls(script, tmp_path, capsys):
    controls = script("controls", tmp_path / "found.json", "--steps", 1, "--scenes", 3)
    controls.main()
    record = json.loads((tmp_path / "found.json").read_text())
    assert capsys.readouterr().out == controls.table(record) + "\n"
    assert list(record["controls"]) == list(controls.BOTTLENECKS)
    failing = {"score": {"value": 2.0, "low": 1.5, "high": 2.5}, "limit": 1.1, "verdict": "fails"}
    assert controls.cell(failing) == "**2.00 [1.50, 2.50]**"


def test_fuzz_checkpoints(script, capsys):
    assert script("fuzz_checkpoints", "--mutants", 20).main() == 0
    assert "20 mutants of seed 0" in capsys.readouterr().out


def test_lay_out_prokudin(script, photos, tmp_path):
    plates = tmp_path / "plates"
    plates.mkdir()
    for kind in ("color", "blue_plate", "green_plate"):
        shutil.copy(photos / "0.png", plates / f"a_{kind}.png")
    counts = script("lay_out_prokudin").lay_out(plates, tmp_path / "laid_out")
    assert counts == {"color": 1, "blue_plate": 1, "green_plate": 1}
    assert (tmp_path / "laid_out/blue_plate/a.png").is_file()


def test_mutants(script, tmp_path, monkeypatch, capsys):
    mutants = script("mutants", "--count", 6, "--batch", 3, "--limit", 1e9)
    bases = mutants.base_pictures()
    extra = {"jxl", "heic"}  # of the extras `archive` and `jxl`
    assert {suffix for suffix, _ in bases} | extra == set(mutants.SUFFIXES)
    mutants.write_batch(tmp_path / "some", bases, range(5, 8), seed=1)
    mutants.write_batch(tmp_path / "one", bases, range(6, 7), seed=1)
    (again,) = (tmp_path / "one").iterdir()
    assert (tmp_path / "some" / again.name).read_bytes() == again.read_bytes()

    def translate(source, output):  # without a process of its own
        arguments = ["translate", str(source), "-o", str(output), "--workers", "1"]
        return CliRunner().invoke(cyclecolor, arguments).exit_code, 0, 0

    monkeypatch.setattr(mutants, "translate", translate)
    mutants.main()
    assert "6 files, first 0, seed 0" in capsys.readouterr().out


def test_rounding(script, photos, monkeypatch, capsys):
    rounding = script("rounding", photos, "--steps", 2, "--every", 1, "--grain", 0, "--damage")
    for name, value in {"SIZE": 48, "BATCH": 2, "JUDGED": 8}.items():
        monkeypatch.setattr(rounding, name, value)
    rounding.main()
    told = [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines()]
    assert len(told) == 2
    assert all(0 <= share <= 1 for share in told)


def test_card(script, photos, tmp_path, capsys):
    """A card gets the figures of the file beside it, and keeps its other rows; the JSON names no place."""
    shutil.copy(BENCHMARKS.parent / "checkpoints/scans-a.safetensors", tmp_path / "one.safetensors")
    (tmp_path / "one.md").write_text(
        "# one\n\n| first | a |\n| scores, old (1) | CIEDE2000 1 |\n| last | b |\n"
    )
    sets = ["--scores", "plain", photos, "lightness", "--scores", "scans", photos, photos]
    sets += ["--scores", "on film", photos, "blue_plate", "--audit", "plain", photos, "lightness"]
    card = script("card", tmp_path / "one.safetensors", *sets)
    card.main()
    rows = capsys.readouterr().out.splitlines()
    assert [row.split(" | ")[0] for row in rows] == [
        *("| scores, plain (3)", "| scores, scans (3)", "| scores, on film (3)", "| audit, plain (3)")
    ]
    assert (tmp_path / "one.md").read_text().splitlines() == [
        "# one",
        "",
        "| first | a |",
        *rows,
        "| last | b |",
    ]
    text = (tmp_path / "one.json").read_text()
    assert str(tmp_path) not in text
    record = json.loads(text)
    ours = record["scores"]["plain"]["scores"]["ciede2000"]["ours"]["value"]
    assert f"CIEDE2000 {ours:.2f} [" in rows[0]
    assert record["scores"]["scans"]["gray"] == "color"
    assert record["scores"]["on film"]["film"] == "blue_plate"
    assert list(card.rows(record)) == rows


def test_parity(script, capsys):
    script("parity", "regression", "--steps", 1, "--size", 32).main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["on", "off", "bfloat16"]


def test_resume_grid(script, monkeypatch, capsys):
    grid = script("resume_grid")
    monkeypatch.setattr(grid, "LOADERS", (0,))
    monkeypatch.setattr(grid, "PROCESSES", (1,))
    monkeypatch.setattr(grid, "POINTS", {"end of an epoch": 3})
    assert grid.main() == 0
    said = capsys.readouterr().out
    assert "the same" in said
    assert said.count("differs, as it must") == 2


def test_sheet_of_scans(script, photos, tmp_path):
    script("sheet_of_scans", tmp_path / "sheet.jpg", *sorted(photos.iterdir())).main()
    assert size_of(tmp_path / "sheet.jpg") == (6 * 240, 2 * 190)


def test_tiff_readers(script, capsys, monkeypatch):
    readers = script("tiff_readers", "--size", 32)
    monkeypatch.setattr(readers, "COMPRESSIONS", (None, "zlib"))
    readers.main()
    ours = capsys.readouterr().out.splitlines()[0]
    assert ours.startswith("ours: sound {'right': 108} in ")
    assert ours.endswith("damaged {'refused': 216}")


def test_torture(script, capsys):
    assert script("torture", "--kills", 1, "--aimed", 0).main() == 0
    assert "all bit-identical" in capsys.readouterr().out


def test_write_scenes(script, tmp_path):
    script("write_scenes").main(tmp_path / "scenes", 2, 24)
    assert [read_photo(path).pixels.shape for path in sorted((tmp_path / "scenes").iterdir())] == [
        (24, 24, 3)
    ] * 2


def test_bench_collection(script, capsys):
    pytest.importorskip("pyarrow", reason="the extra `storage` is not installed")
    script("bench_collection", "driver", "--images", 300).main()
    assert json.loads(capsys.readouterr().out)["images"] == 300
    script("bench_collection", "page").main()
    assert json.loads(capsys.readouterr().out)["CPU ms"] > 0
    script(
        "bench_collection", "model", "--seconds", 1, "--files", 3_600_000, "--machines", 10, "--cores", 10
    ).main()
    assert json.loads(capsys.readouterr().out)["coloring"] == 10.0


class Forked:
    """In the place of a new Python: a fork, which need not load PyTorch again."""

    def __init__(self, said, *words):
        self.said = said
        self.process = multiprocessing.get_context("fork").Process(target=self.run, args=[*map(str, words)])
        self.process.start()
        self.poll = lambda: self.process.exitcode
        self.send_signal = lambda number: os.kill(self.process.pid, number)

    def run(self, *words):
        with self.said.open("w") as sys.stdout, open(os.devnull, "w") as sys.stderr:
            sys.argv = [*words[1:]] if words[0] == "-m" else [*words]
            (runpy.run_module if words[0] == "-m" else runpy.run_path)(sys.argv[0], run_name="__main__")

    def communicate(self):
        self.process.join()
        return self.said.read_text(), None

    @property
    def returncode(self):
        return self.process.exitcode


def test_bench_collection_loses_nothing(script, tmp_path, monkeypatch, capsys):
    """Of processes that fork, with a folder as the store; five crash, and the driver is killed."""
    pytest.importorskip("pyarrow", reason="the extra `storage` is not installed")
    tiny = ("--images", 120, "--kills", 0, "--folder", "--forks")
    bench = script("bench_collection", "reliability", *tiny, "--json", tmp_path / "found.json")
    reliability = importlib.import_module("collection.reliability")
    monkeypatch.setattr(reliability, "start", lambda *words: Forked(tmp_path / "said", *words))
    load()(Image.new("L", (32, 32)))  # what numba compiles, forks have then
    bench.main()  # a promise that is not kept would end it
    record = json.loads((tmp_path / "found.json").read_text())
    assert [record[name] for name in ("translated", "refused", "quarantined")] == [65, 50, 5]
    said = bench.sentence(record)
    assert capsys.readouterr().out.endswith(f"\n{said}\n")
    assert said.endswith(": 65 translated, 50 refused, 5 quarantined, all promises kept")
    assert bench.sentence(record | {"all are": False}).endswith("BROKEN: all are")


def test_bench_collection_kills_workers_alone(script):
    """Of a driver that forks its worker: neither the driver, nor workers of Ray beside it."""
    script("bench_collection")
    reliability = importlib.import_module("collection.reliability")
    busy = ["bash", "-c", "while :; do :; done & wait; echo killed"]
    driver, other = (
        subprocess.Popen([*busy, name], stdout=subprocess.PIPE, text=True, process_group=0)
        for name in ("forks_driver.py", "ray::RayWorker")
    )
    with driver, other:
        try:
            while not (workers := reliability.actors(forks=True)):
                time.sleep(0.01)
            assert [int(reliability.fields_of(pid)[1]) for pid in workers] == [driver.pid]
            assert other.pid in (others := reliability.actors(forks=False))
            assert not {*workers} & {*others}
            reliability.Killer(1, 0.1, random.Random(0), forks=True).run()
            assert driver.stdout.read() == "killed\n"
        finally:
            for process in (driver, other):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


def test_bench_collection_watches_processes(script, capsys):
    pytest.importorskip("pyarrow", reason="the extra `storage` is not installed")
    small = ("--images", 4, "--side", 24, "--workers", 1)
    script("bench_collection", "memory", *small, "--ways", "threads, store to store").main()
    found = json.loads(capsys.readouterr().out)
    assert [*found["MiB"]] == [f"{count} files" for count in (1, 2, 3, 4)]
    assert 50 < found["MiB"]["4 files"]["driver"] <= found["MiB at most"]["driver"] < 5000
    assert found["CPU seconds"] > 0.2
    script("bench_collection", "speed", *small, "--ways", "local command").main()
    assert json.loads(capsys.readouterr().out)["local command, 1"]["CPU seconds of the start"] > 0.2


def test_what_outlives_its_parent_is_seen(script, tmp_path):
    """As Ray's processes do: the parent ends once the child was seen, and the child after that."""
    script("bench_collection")
    processes = importlib.import_module("collection.processes")

    def after(watch):
        if sum("second" in use.name for use in watch.living.values()) > 1:
            (tmp_path / "first").touch()
        if watch.living and watch.pid not in watch.living:
            (tmp_path / "second").touch()

    until = "until [ -e {} ]; do sleep 0.05; done"
    command = f"cd {tmp_path}; ({until.format('second')}; touch end) & {until.format('first')}"
    processes.watched(["bash", "-c", command], after)
    assert (tmp_path / "end").exists()


def test_bench_onnx(script, photos, tmp_path, monkeypatch, capsys):
    bench = script("bench_onnx", photos, photos, "--count", 2, "--json", tmp_path / "found.json")
    monkeypatch.setattr(bench, "CALIBRATED", 2)
    there = "import os, sys; [os.stat(name) for name in sys.argv[1:]]"
    monkeypatch.setattr(bench, "STARTS", {"nothing": ["-c", there, "network.onnx", "photo.png"]})
    threads = torch.get_num_threads()
    bench.main()
    torch.set_num_threads(threads)
    text = (tmp_path / "found.json").read_text()
    assert str(tmp_path) not in text
    record = json.loads(text)
    assert capsys.readouterr().out == bench.table(record) + "\n"
    plain, whole, *small = record["networks"].values()
    assert whole["ciede2000"] == pytest.approx(plain["ciede2000"], abs=0.01)  # ONNX Runtime and PyTorch
    assert [size["MB"] < whole["MB"] / 2 for size in small] == [True, True]
    assert record["starts"]["nothing"] > 0


def test_every_script_is_here():
    """Scripts that are only imported by others aside."""
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    parts = {"reference", "contenders", "sampling", "calls", "record", "translate_tables"}
    assert {path.stem for path in BENCHMARKS.glob("*.py")} - parts <= tested


def test_bench_hints(script, photos, tmp_path, capsys):
    bench = script("bench_hints", photos, "--count", 2, "--json", tmp_path / "found.json")
    bench.main()
    record = json.loads((tmp_path / "found.json").read_text())
    assert (record["folder"], record["photos"]) == ("color", 2)
    errors = record["errors"]
    assert errors["20 ours"][0] < errors["no hints"][0]
    rows = capsys.readouterr().out.splitlines()
    assert "\n".join(rows) == bench.table(record)
    assert len({line.count("|") for line in rows}) == 1
    assert rows[-1].startswith(f"| 20 | {errors['20 ours'][0]:.2f} ± {errors['20 ours'][1]:.2f} | ")
    assert rows[-1].endswith(f" | {bench.cell(errors['20 nearest, changes'])} |")


def test_means_are_of_what_is_a_number(script):
    """Two deviations of 1 about 3: half an interval is 1.96 / sqrt(2)."""
    bench = script("bench_hints")
    assert bench.with_spread([2.0, float("nan"), 4.0]) == pytest.approx([3, 1.96 / 2**0.5])
    assert bench.cell([3.0, 1.386]) == "3.00 ± 1.39"


def test_bench_reference(script, photos, tmp_path, capsys):
    """References are found out by what they do; a photo helps itself the most."""
    (photos / "manifest.csv").write_text("name,kind\n0.png,barn\n1.png,barn\n2.png,barn\n")
    bench = script("bench_reference", photos, "--count", 2, "--json", tmp_path / "found.json")
    bench.main()
    record = json.loads((tmp_path / "found.json").read_text())
    error = {what: of[0][0] for what, of in record["errors"].items()}
    assert error["another photo of its kind"] != error["another photo, of something else"]  # 2.png, not 0.png
    itself = error["the photo itself in color, mirrored"]
    assert itself < min(error["nothing"], error["another photo, of something else"])
    assert error["right half, after the left half in color"] != error["right half, after nothing"]
    said = capsys.readouterr().out
    assert said == bench.table(record) + "\n"
    assert f"| nothing | {error['nothing']:.2f} ± " in said


def test_what_hints_are_compared_with(script):
    """Two halves of unlike lightness, a hint in each: both ways give each half its own color."""
    bench = script("bench_hints")
    lightness = np.where(np.arange(12) < 6, 0.2, 0.8)[None].repeat(8, axis=0)
    chroma = np.stack([100 * lightness, -50 * lightness])
    places = np.array([[3, 3], [2, 9]])  # rows, columns
    for spread in (bench.nearest, bench.levin):
        np.testing.assert_allclose(spread(chroma, places, lightness), chroma, atol=0.5)


def test_demo_memory(script, photos, capsys):
    pytest.importorskip("gradio")
    script("demo_memory", photos / "0.png", "--requests", 2).main()
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["0", "1", "2"]


def test_mutation(script, tmp_path, capsys):
    """Of a package of one function, whose tests know 2 x 1 and nothing else of it."""
    mutation = script("mutation")
    (tmp_path / "tests").mkdir()
    (tmp_path / "small.py").write_text("def times(a, b):\n    return a * b\n")
    test = "from small import times\ndef test():\n    assert times(2, 1) == 2\n"
    (tmp_path / "tests" / "test_small.py").write_text(test)
    lines = [mutation.Line("small.py", "a * b", new, "test_small.py::test") for new in ("a / b", "5")]
    survivors = mutation.turn(tmp_path, [mutation.broken(tmp_path, line) for line in lines], seconds=60)
    assert [mutant.change for mutant in survivors] == ["small.py: a * b -> a / b"]
    assert "1 of 2 noticed" in capsys.readouterr().out


def test_sampling(script, tmp_path, monkeypatch, capsys):
    """Of a small package, of which the tests know little, and of one function nothing."""
    sampling = script("sampling")
    source = (
        "def times(a, b=1):\n    return a * b\n\n\n"
        "def unused():\n    return 1\n\n\n"
        "class Sum:\n    @classmethod\n    def of(cls, *terms):\n        return sum(terms)\n"
    )
    test = (
        "from small.room.arithmetic import Sum, times\n\n\n"
        "def test_times():\n    assert times(2, 1) == 2\n\n\n"
        "def test_sum():\n    assert Sum.of(times(1), 2) == 3\n"
    )
    more = "def unlike(a, b):\n    return a != b\n"
    texts = {"small/room/arithmetic.py": source, "small/room/more.py": more, "tests/test_small.py": test}
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    changes = [
        ("times", "a * b", "a / b"),
        ("times", "a * b", "5"),
        ("times", "b=1", "b=2"),
        ("unused", "return 1", "return 2"),
        ("Sum.of", "sum(", "max("),
    ]
    mutants = [
        sampling.Mutant(f"small/room/arithmetic.py:{name}", source.replace(old, new), new)
        for name, old, new in changes
    ]
    monkeypatch.setattr(sampling, "ROOT", tmp_path)
    monkeypatch.setattr(sampling, "TESTS", {"room": "small"})
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    options = {"budget": 10, "minutes": 1, "calls": tmp_path / "calls.json"}
    for _ in range(2):  # the second time by what is kept
        assert [mutant.change for mutant in sampling.try_sample(mutants, options)] == ["a / b", "return 2"]
    said = capsys.readouterr().out
    assert said.count("3 of 5 noticed") == 2
    assert said.count("max(\n     by tests/test_small.py::test_sum\n") == 2
    assert said.count("2 of 2 tests passed") == said.count("0 of 0 tests passed") == 1
    # A test that was not there, and a mutant of a file of the room that was not sampled before.
    (tmp_path / "tests/test_more.py").write_text(
        "from small.room.more import unlike\n\n\ndef test_unlike():\n    assert unlike(1, 2)\n"
    )
    monkeypatch.setattr(sampling, "TESTS", {"room": "small more"})
    broken = sampling.Mutant("small/room/more.py:unlike", more.replace("!=", "=="), "==")
    assert sampling.try_sample([broken], options) == []
    assert "1 of 1 tests passed" in capsys.readouterr().out


def test_further_cases_of_a_test_wait(script):
    seconds = {"a[1]": 2, "a[2]": 2, "b": 3, "c[1]": 5, "c[2]": 6}
    calls = script("calls").Calls({"function": sorted(seconds)}, seconds)
    assert calls.of("function", budget=99) == ["a[1]", "b", "a[2]", "c[1]", "c[2]"]
    assert calls.of("function", budget=8) == ["a[1]", "b", "a[2]"]
    assert calls.of("function", budget=0) == ["a[1]"]
    assert calls.of("another", budget=99) == []


def test_what_mutation_found_is_kept_once(script, tmp_path):
    """Of the same paths, number and seed, the last run; of others, all."""
    mutation, kept = script("mutation"), tmp_path / "kept.json"
    for seed, noticed in ((1, 5), (0, 6), (1, 7)):
        asked = {"paths": ["cyclecolor/a"], "sample": 8, "seed": seed}
        runs = mutation.keep(kept, {**asked, "tried": 8, "noticed": noticed, "survivors": []})
    assert json.loads(kept.read_text()) == runs
    assert [(run["seed"], run["noticed"]) for run in runs] == [(0, 6), (1, 7)]
    last = mutation.table(runs).splitlines()[-1]
    assert last == f"| `a` | 8, seed 1 | {runs[1]['commit']} | 7 of 8 (88%) |"


def test_a_sample_is_of_mutants_that_tell(script, tmp_path):
    """Of this function mutmut makes eight; those with None, or with an argument less, are left out."""
    pytest.importorskip("mutmut")
    source = "class Small:\n    at = 3\n\n    def most(self, a):\n        return max(a, 1) + self.at\n"
    (tmp_path / "small.py").write_text(source)
    found = script("sampling").sampled(tmp_path, [Path("small.py")], 9, seed=0)
    assert {mutant.function for mutant in found} == {"small.py:Small.most"}
    assert {mutant.source.split("return ")[1].strip() for mutant in found} == {
        "max(a, 2) + self.at",
        "max(a, 1) - self.at",
    }


def test_the_lines_that_mutation_breaks_are_there(script):
    mutation = script("mutation")
    for line in mutation.LINES:
        compile(mutation.broken(mutation.ROOT, line).source, line.path, "exec")


def test_beside_others(script, photos, tmp_path, capsys):
    bench = script("beside_others", photos, f"the truth itself={photos}", "--json", tmp_path / "found.json")
    bench.main()
    said = capsys.readouterr().out
    assert said == bench.table(json.loads((tmp_path / "found.json").read_text())) + "\n"
    _, _, gray, truth = said.splitlines()
    cells = truth.split(" | ")
    assert cells[:4] == ["| the truth itself", *2 * ["0.00 [0.00, 0.00]"], "1.00 [1.00, 1.00]"]
    assert float(gray.split("|")[2].split()[0]) > 5
    script("beside_others", photos, photos)
    with pytest.raises(SystemExit, match="2"):
        bench.main()
    assert "is not NAME=FOLDER" in capsys.readouterr().err
