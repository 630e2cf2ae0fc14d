"""Whole folders: every file accounted for, nothing done twice, nothing written elsewhere."""

import errno
import importlib
import json
import multiprocessing
import os
import re
import signal
import subprocess
from dataclasses import replace
from itertools import islice
from pathlib import Path
from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree

import numpy as np
import pytest
from conftest import run_translate
from PIL import Image

from cyclecolor.inference import ChromaColorizer, Hint, load
from cyclecolor.photos import provenance_in, read_photo
from cyclecolor.translation import Job, Options, Shard, manifest, plan, provenance_of
from cyclecolor.translation.html_report import preview_name, write_report


@pytest.fixture
def scans(tmp_path):
    """A folder of four small gray scans, one below a subfolder."""
    folder = tmp_path / "scans"
    for i, name in enumerate(("a.jpg", "b.png", "c.tif", "sub/d.jpg")):
        make(folder / name, value=40 + 30 * i)
    return folder


@pytest.fixture
def call(checkpoint, tmp_path):
    """Run `translate` into tmp_path/out, check its exit code, return what it said."""

    def run(source, *arguments, code=0, output=tmp_path / "out"):
        return run_translate(source, "-o", output, "-c", checkpoint, *arguments, code=code)

    return run


def make(path, value=90, size=(24, 20)):
    path.parent.mkdir(parents=True, exist_ok=True)
    ramp = np.arange(size[0] * size[1], dtype=np.uint8).reshape(size[::-1]) % 100 + value
    Image.fromarray(ramp).save(path, **({"quality": 98} if path.suffix == ".jpg" else {}))
    return path


def records(output) -> dict:
    lines = (output / "manifest.jsonl").read_text().splitlines()
    found = {record["input"]: record for record in map(json.loads, lines)}
    assert len(found) == len(lines)  # one line an input
    return found


def files(folder) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()} - {
        "manifest.jsonl"
    }


# --- accounting ---------------------------------------------------------------------------------


def test_every_input_has_a_line(scans, call, tmp_path):
    (scans / "broken.jpg").write_bytes(b"nothing")
    (scans / "film.heic").write_bytes(b"\0\0\0\x18ftypheic")
    (scans / "notes.txt").write_bytes(b"not a picture")
    make(scans / "unnamed.png").rename(scans / "unnamed")
    said = call(scans, code=1)
    assert "5 translated, 0 skipped, 2 refused" in said
    assert "passed over: 1 .txt" in said
    found = records(tmp_path / "out")
    assert {n: r["status"] for n, r in found.items() if r["status"] == "refused"} == {
        "broken.jpg": "refused",
        "film.heic": "refused",
    }
    assert found["broken.jpg"]["code"] == "not-an-image"
    assert "broken.jpg" in found["broken.jpg"]["reason"]
    record = found["sub/d.jpg"]
    source, output = scans / "sub/d.jpg", tmp_path / "out" / record["output"]
    assert (record["width"], record["height"], record["pages"]) == (24, 20, 1)
    assert record["bytes"] == source.stat().st_size
    assert (record["sha256"], record["output_sha256"]) == (sha256sum(source), sha256sum(output))
    assert record["checkpoint"].startswith("step_00000002.safetensors sha256:")
    assert files(tmp_path / "out") == {"a.jpg", "b.png", "c.tif", "sub/d.jpg", "unnamed.png"}


@pytest.mark.parametrize("beside", ["a.xmp", "a.XMP", "a.jpg.xmp"])
def test_a_sidecar_is_named_as_lost(scans, call, tmp_path, beside):
    (scans / beside).write_bytes(b"<x:xmpmeta/>")
    call(scans)
    found = records(tmp_path / "out")
    assert found["a.jpg"]["lost"] == [f"sidecar {beside}"]
    assert sum("lost" in record for record in found.values()) == 1


def test_what_is_lost_and_what_is_odd_is_in_the_manifest_and_counted(scans, call, tmp_path):
    make(scans / "said.jpg")
    with Image.open(scans / "said.jpg") as image:
        image.save(scans / "said.jpg", comment=b"from box 12")
    whole = (scans / "a.jpg").read_bytes()
    (scans / "a.jpg").write_bytes(whole[:-2])
    said = call(scans, "--format", "webp")
    assert "photos that lost some metadata: 1; see" in said
    assert "photos read with a warning: 1; see" in said
    found = records(tmp_path / "out")
    assert found["said.jpg"]["lost"] == ["comment"]
    assert found["a.jpg"]["warnings"] == ["the end marker is missing; the picture is whole"]
    assert not {"lost", "warnings"} & set(found["b.png"])
    assert "not carried over: comment" in call(scans / "said.jpg", output=tmp_path / "one.webp")


def test_thumbnails_of_others_and_photos_of_ours_are_passed_over(scans, call, tmp_path):
    for name in (
        "@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg",
        ".thumbnails/x.png",
        "sub/Thumbs/y.jpg",
        "#recycle/z.jpg",
    ):
        make(scans / name)
    call(scans / "a.jpg", output=scans / "a_color.jpg")
    said = call(scans)
    assert "4 translated, 0 skipped, 0 refused" in said
    for folder in ("@eaDir", ".thumbnails", "Thumbs", "#recycle"):
        assert f"passed over: 1 in {folder}" in said
    assert "passed over: 1 colored by cyclecolor before" in said
    assert "a_color.jpg" not in files(tmp_path / "out")
    gray = call(scans, "--direction", "to-gray", output=tmp_path / "gray")  # of colors, whoever made them
    assert "5 translated" in gray
    assert provenance_in(tmp_path / "gray/b.png").startswith("Gray is made from color: cyclecolor ")


def sha256sum(path) -> str:
    return subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True).stdout[:64]


def test_again_does_only_what_is_missing_or_changed(scans, call, tmp_path):
    out = tmp_path / "out"
    call(scans)
    before = {name: (out / name).stat().st_mtime_ns for name in files(out)}
    assert "0 translated, 4 skipped" in call(scans)
    (out / "b.png").unlink()
    make(scans / "a.jpg", value=120)
    os.utime(scans / "c.tif")  # touched, not changed
    assert "2 translated, 2 skipped" in call(scans)
    after = {name: (out / name).stat().st_mtime_ns for name in files(out)}
    assert {name for name in after if after[name] != before[name]} == {"a.jpg", "b.png"}
    assert "4 translated" in call(scans, "--size", 24)  # another result is asked for
    assert "0 translated, 4 skipped" in call(scans, "--size", 24)
    assert "4 translated" in call(scans, "--size", 24, "--overwrite")


def test_what_was_not_touched_is_not_read_again(scans, call, monkeypatch):
    call(scans)
    (scans / "c.tif").touch()
    read, of_content = [], manifest.file_sha256
    monkeypatch.setattr(manifest, "file_sha256", lambda path: (read.append(path.name), of_content(path))[1])
    assert "0 translated, 4 skipped" in call(scans)
    assert read == ["c.tif"]


def test_what_people_did_to_outputs_is_left(scans, call, tmp_path):
    out = tmp_path / "out"
    call(scans)
    (out / "a.jpg").write_bytes(b"retouched")
    assert "0 translated, 4 skipped" in call(scans)
    said = call(scans, "--size", 24, code=1)
    assert "3 translated, 0 skipped, 1 refused" in said
    assert "--overwrite replaces it" in said
    assert (out / "a.jpg").read_bytes() == b"retouched"
    assert records(out)["a.jpg"]["code"] == "exists"


def test_a_refused_input_that_is_mended_gets_its_output(scans, call, tmp_path):
    call(scans)
    good = (scans / "a.jpg").read_bytes()
    (scans / "a.jpg").write_bytes(good[:300])
    call(scans, code=1)
    (scans / "a.jpg").write_bytes(good + b"\0")
    assert "1 translated, 3 skipped" in call(scans)


def test_an_input_keeps_its_output_name(scans, call, tmp_path):
    Image.new("L", (9, 9), 50).save(scans / "e.gif")
    call(scans)
    make(scans / "e.png")
    assert "1 translated, 5 skipped" in call(scans)
    names = {name: record["output"] for name, record in records(tmp_path / "out").items()}
    assert names["e.gif"] == "e.png"
    assert names["e.png"] == "e~2.png"


def test_twins_are_numbered_one_after_the_other():
    names = ["a.gif", "a.gif.png", "a~2.png", "a~3.png", "a~4.png"]
    assert list(islice(plan.candidates("a.gif", None), 5)) == ["a.png", *names[1:]]


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (ValueError("an odd\n  thing"), "failed", "an odd thing"),
        (ZeroDivisionError(), "failed", "ZeroDivisionError"),
        (MemoryError(), "too-many-pixels", "not enough memory for a photo of this size"),
        (
            RuntimeError("can't allocate memory"),
            "too-many-pixels",
            "not enough memory for a photo of this size",
        ),
    ],
)
def test_what_nobody_foresaw_is_one_photos_refusal(scans, call, tmp_path, monkeypatch, error, code, reason):
    colorize = ChromaColorizer.colorize

    def failing(self, photo):
        if photo.pixels.min() == 70:  # b.png
            raise error
        return colorize(self, photo)

    monkeypatch.setattr(ChromaColorizer, "colorize", failing)
    assert "3 translated, 0 skipped, 1 refused" in call(scans, code=1)
    record = records(tmp_path / "out")["b.png"]
    assert (record["code"], record["reason"]) == (code, f"{scans / 'b.png'}: {reason}")


def test_a_plan_looks_at_no_more_names_than_it_needs(monkeypatch):
    """A folder's outputs are named in time that grows as the folder does."""
    looked_at, candidates = [], plan.candidates
    monkeypatch.setattr(
        plan, "candidates", lambda *of: (looked_at.append(1) or name for name in candidates(*of))
    )
    names = [f"{i}.jpg" for i in range(500)]
    assert plan.mirror(names, None, {}) == plan.mirror(names, None, {n: n for n in names})
    assert len(looked_at) <= 3 * len(names)


def test_a_killed_run_goes_on(scans, call, tmp_path):
    """Between an output and its line: the output is ours and made again; temporary files go."""
    out = tmp_path / "out"
    call(scans)
    found = records(out)
    lines = [json.dumps(r) for r in found.values()]
    begun = {"input": "a.jpg", "status": "started", "writing": [sha256sum(out / "a.jpg")]}
    (out / "manifest.jsonl").write_text("\n".join([*lines, json.dumps(begun), '{"input": "b.p']))
    (out / "sub" / ".cyclecolor-1234.tmp").write_bytes(b"half")
    assert "1 translated, 3 skipped" in call(scans)
    assert files(out) == {"a.jpg", "b.png", "c.tif", "sub/d.jpg"}
    assert {r["status"] for r in records(out).values()} == {"translated"}


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_beside_an_output(scans, call, tmp_path, checkpoint, moment):
    """Killed just before, or just after, an output is put in place, a job makes it again and says nothing."""

    def put_and_die(source, target):
        if moment == "after":
            os.rename(source, target)
        os._exit(9)

    def work():
        os.replace = put_and_die
        list(Job(scans, tmp_path / "out", load(checkpoint), Options(doubt=True, workers=1)).run())

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join()
    assert process.exitcode == 9
    assert (tmp_path / "out/a.jpg").exists() == (moment == "after")
    assert "4 translated, 0 skipped, 0 refused" in call(scans, "--doubt")
    assert len(files(tmp_path / "out")) == 9  # doubt.csv too; no temporary file


def test_after_a_kill_what_others_put_there_stays(scans, call, tmp_path):
    """However young a file is, without its checksum in the manifest it is not ours."""
    out = tmp_path / "out"
    call(scans)
    begun = {"input": "a.jpg", "status": "started", "writing": ["0" * 64]}
    (out / "manifest.jsonl").write_text(json.dumps(begun))
    for name in ("a.jpg", "b.png"):
        (out / name).write_bytes(b"of somebody else")
    assert "0 translated, 0 skipped, 4 refused" in call(scans, code=1)
    assert {(out / name).read_bytes() for name in ("a.jpg", "b.png")} == {b"of somebody else"}


@pytest.mark.parametrize("writing", [7, {"a": 1}, [["x"], None], "text"])
def test_a_manifest_may_hold_anything(scans, call, tmp_path, writing):
    make(tmp_path / "out/a.jpg")
    line = json.dumps({"input": "a.jpg", "status": "started", "writing": writing})
    (tmp_path / "out/manifest.jsonl").write_text(line)
    assert "3 translated, 0 skipped, 1 refused" in call(scans, code=1)


def test_two_jobs_in_one_folder(scans, call, tmp_path, checkpoint):
    job = Job(scans, tmp_path / "out", load(checkpoint), Options())
    assert "another translation" in call(scans, code=1)
    assert len(list(job.run())) == 4
    assert "4 translated" in call(scans)


def test_control_c_finishes_the_photo_in_hand(call, tmp_path, monkeypatch):
    """It comes while the fourth photo is in hand, of forty."""
    for i in range(40):
        make(tmp_path / "scans" / f"{i:03}.png", size=(20, 16))
    colorize, begun = ChromaColorizer.colorize, []

    def interrupted(self, photo):
        begun.append(photo)
        if len(begun) == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return colorize(self, photo)

    monkeypatch.setattr(ChromaColorizer, "colorize", interrupted)
    said = call(tmp_path / "scans", "--workers", 1, code=130)
    assert "the same command continues from here" in said
    done = records(tmp_path / "out")
    assert 4 <= len(done) < 40
    assert files(tmp_path / "out") == {r["output"] for r in done.values()}
    assert all(read_photo(tmp_path / "out" / f).pixels.shape == (16, 20, 3) for f in files(tmp_path / "out"))
    monkeypatch.undo()
    assert f"{40 - len(done)} translated, {len(done)} skipped" in call(tmp_path / "scans")


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_do_not_change_a_byte(scans, call, tmp_path, workers):
    make(scans / "big.png", size=(300, 200))
    call(scans, "--workers", 1)
    call(scans, "--workers", workers, output=tmp_path / "again")
    hashes = [
        {name: record["output_sha256"] for name, record in records(tmp_path / folder).items()}
        for folder in ("out", "again")
    ]
    assert hashes[0] == hashes[1]
    for name, digest in hashes[0].items():  # and so is what a job of each photo alone makes
        alone = tmp_path / "alone" / Path(name).name
        alone.parent.mkdir(exist_ok=True)
        call(scans / name, output=alone)
        assert sha256sum(alone) == digest


# --- shards -------------------------------------------------------------------------------------


def parts(folder) -> set[str]:
    return {path.name for path in folder.glob("manifest.*-of-*.jsonl")}


def test_shards_make_what_one_job_makes(scans, call, tmp_path):
    for i in range(8):
        make(scans / f"more/{i}.png", value=i)
    call(scans, output=tmp_path / "whole")
    whole = records(tmp_path / "whole")
    out = tmp_path / "out"
    said = [call(scans, "--shard", part) for part in ("1/3", "2/3", "3/3")]
    done = [int(re.search(r"(\d+) translated", text)[1]) for text in said]
    assert sum(done) == 12
    assert max(done) < 12
    assert parts(out) == {f"manifest.{i}-of-3.jsonl" for i in (1, 2, 3)}
    assert "0 translated" in call(scans, "--shard", "2/3")
    (out / "more/3.png").unlink()  # what a part has missed, the whole does
    assert "1 translated, 11 skipped" in call(scans)
    assert parts(out) == set()
    found = records(out)
    assert {n: r["output_sha256"] for n, r in found.items()} == {
        n: r["output_sha256"] for n, r in whole.items()
    }
    assert "0 translated, 12 skipped" in call(scans)


def test_shards_run_side_by_side(scans, call, tmp_path, checkpoint):
    out, colorizer = tmp_path / "out", load(checkpoint)
    provenance = provenance_of(colorizer, "to-color")
    options = [Options(shard=Shard(i, 2), provenance=provenance) for i in (1, 2)]
    jobs = [Job(scans, out, colorizer, part) for part in options]
    assert "another translation" in call(scans, "--shard", "1/2", code=1)
    assert "another translation" in call(scans, code=1)
    assert "another number of parts" in call(scans, "--shard", "1/3", code=2)
    (out / ".cyclecolor-1.tmp").write_bytes(b"of the other")
    outcomes = [outcome for job in jobs for outcome in job.run()]
    assert sorted(outcome.task.name for outcome in outcomes) == ["a.jpg", "b.png", "c.tif", "sub/d.jpg"]
    assert (out / ".cyclecolor-1.tmp").exists()
    assert "0 translated, 4 skipped" in call(scans)
    assert files(out) == {"a.jpg", "b.png", "c.tif", "sub/d.jpg"}


def test_a_killed_shard_goes_on(scans, call, tmp_path):
    out = tmp_path / "out"
    call(scans, "--shard", "1/1")
    path = out / "manifest.1-of-1.jsonl"
    begun = {"input": "a.jpg", "status": "started", "writing": [sha256sum(out / "a.jpg")]}
    path.write_text(path.read_text() + "\n" + json.dumps(begun) + '\n{"input": "b.p')
    assert "1 translated, 3 skipped" in call(scans, "--shard", "1/1")
    assert "0 translated, 4 skipped" in call(scans)


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "1/2/3", "-1/2", "a/b", "1/0", "", "\u0661/2"])
def test_what_is_no_shard(scans, call, text):
    assert "write it as 1/2" in call(scans, "--shard", text, code=2)


def test_a_photo_has_no_shards(scans, call):
    assert "works only for folders" in call(scans / "a.jpg", "--shard", "1/2", code=2)
    assert "without --shard" in call(scans, "--shard", "1/2", "--report", code=2)


# --- paths (P1 of the promises) -----------------------------------------------------------------


def tree(folder) -> dict:
    """Everything below a folder that is not the output: a write outside of it shows."""
    return {
        path.relative_to(folder): (path.lstat().st_ino, path.read_bytes() if path.is_file() else b"")
        for path in folder.rglob("*")
        if "out" not in path.relative_to(folder).parts
    }


def link_out(tmp_path, scans):
    """A folder link in the output leads out of it."""
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out/sub").symlink_to(tmp_path / "elsewhere")


def link_in_place(tmp_path, scans):
    """An output's place is taken by a link to an original."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a.jpg").symlink_to(scans / "a.jpg")


def link_to_file_elsewhere(tmp_path, scans):
    make(tmp_path / "elsewhere/x.png")
    (scans / "link.png").symlink_to(tmp_path / "elsewhere/x.png")


def link_to_itself(tmp_path, scans):
    (scans / "self.png").symlink_to("self.png")


def link_broken(tmp_path, scans):
    (scans / "gone.png").symlink_to("nowhere.png")


def loop(tmp_path, scans):
    (scans / "loop").symlink_to(scans, target_is_directory=True)


def fifo(tmp_path, scans):
    os.mkfifo(scans / "pipe.png")


def device(tmp_path, scans):
    (scans / "device.png").symlink_to("/dev/zero")


def long_name(tmp_path, scans):
    make(scans / ("x" * 251 + ".png"))


def too_long_once_renamed(tmp_path, scans):
    Image.new("L", (9, 9)).save(scans / ("y" * 251 + ".gif"))
    make(scans / ("y" * 251 + ".png"))


def not_utf8(tmp_path, scans):
    make(scans / os.fsdecode(b"caf\xe9.png"))


def newline(tmp_path, scans):
    make(scans / "two\nlines.png")


def case_twins(tmp_path, scans):
    make(scans / "A.JPG".replace("JPG", "jpg"))


def accent_twins(tmp_path, scans):
    make(scans / "\u00e9.png")
    make(scans / "e\u0301.png")


def same_stem(tmp_path, scans):
    make(scans / "a.png")
    Image.new("L", (9, 9)).save(scans / "a.gif")


def climbing_manifest(tmp_path, scans):
    """A manifest that somebody wrote names an output above the folder."""
    (tmp_path / "out").mkdir()
    lines = [{"input": "a.jpg", "status": "translated", "output": "../a.jpg"}]
    lines += [{"input": "b.png", "status": "translated", "output": "/b.png"}, {"input": ["x"]}]
    lines += [{"input": "c.tif", "status": "translated", "output": "nul\0.tif"}]
    (tmp_path / "out/manifest.jsonl").write_text("\n".join(map(json.dumps, lines)))


def folder_in_place(tmp_path, scans):
    (tmp_path / "out/a.jpg").mkdir(parents=True)


PATHS = [  # what is done, inputs, how many of them are refused, what their reasons say
    (link_out, 4, 1, "leads out of"),
    (link_in_place, 4, 1, "exists"),
    (link_to_file_elsewhere, 5, 0, ""),
    (link_to_itself, 5, 1, "symbolic links"),
    (link_broken, 5, 1, "No such file"),
    (loop, 4, 0, ""),
    (fifo, 5, 1, "not a regular file"),
    (device, 5, 1, "not a regular file"),
    (long_name, 5, 0, ""),
    (too_long_once_renamed, 6, 1, "File name too long"),
    (not_utf8, 5, 0, ""),
    (newline, 5, 0, ""),
    (case_twins, 5, 0, ""),
    (accent_twins, 6, 0, ""),
    (same_stem, 6, 0, ""),
    (climbing_manifest, 4, 0, ""),
    (folder_in_place, 4, 1, "exists"),
]


@pytest.mark.parametrize(
    ("arrange", "inputs", "refused", "reason"), PATHS, ids=lambda v: getattr(v, "__name__", "")
)
def test_paths(arrange, inputs, refused, reason, scans, call, tmp_path):
    arrange(tmp_path, scans)
    before = tree(tmp_path)
    said = call(scans, code=1 if refused else 0)
    assert tree(tmp_path) == before
    found = records(tmp_path / "out")
    assert len(found) == inputs
    assert [reason in r["reason"] for r in found.values() if r["status"] == "refused"] == [True] * refused
    assert said.isprintable() or "\n" in said
    outputs = [r["output"] for r in found.values() if r["status"] == "translated"]
    assert len({plan.folded(name) for name in outputs}) == len(outputs) == inputs - refused
    assert {*outputs} <= files(tmp_path / "out")


@pytest.mark.parametrize("output", ["scans", "scans/out", ".", "scans/../scans", "link/inner"])
def test_output_in_or_around_the_input_is_refused(scans, call, tmp_path, output):
    (tmp_path / "link").symlink_to(scans)
    before = tree(tmp_path)
    assert "choose another --output" in call(scans, code=2, output=tmp_path / output)
    assert tree(tmp_path) == before


def test_single_photos(scans, call, tmp_path):
    assert "is an original" in call(scans / "a.jpg", "--overwrite", code=2, output=scans / "a.jpg")
    os.link(scans / "a.jpg", tmp_path / "twin.jpg")
    assert "is an original" in call(scans / "a.jpg", "--overwrite", code=2, output=tmp_path / "twin.jpg")
    assert "cannot be written in this format" in call(scans / "a.jpg", code=2, output=tmp_path / "a.psd")
    call(scans / "a.jpg", output=tmp_path / "one.png")
    assert read_photo(tmp_path / "one.png").pixels.shape == (20, 24, 3)
    assert "exists" in call(scans / "b.png", code=1, output=tmp_path / "one.png")
    call(scans / "b.png", "--overwrite", output=tmp_path / "one.png")
    (tmp_path / "folder").mkdir()
    call(scans / "a.jpg", output=tmp_path / "folder")
    assert files(tmp_path / "folder") == {"a.jpg"}


# --- formats ------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "avif", "bmp"])
def test_format(scans, call, tmp_path, suffix):
    make(scans / "a.png")
    call(scans, "--format", suffix)
    names = {record["output"] for record in records(tmp_path / "out").values()}
    assert {Path(name).suffix for name in names} == {f".{suffix}"}
    assert len(names) == 5
    for name in names:
        with Image.open(tmp_path / "out" / name) as image:
            assert image.size == (24, 20)


def test_quality_and_subsampling_reach_the_file(scans, call, tmp_path):
    from PIL import JpegImagePlugin

    call(scans / "a.jpg", "--subsampling", "4:2:0", output=tmp_path / "half.jpg")
    with Image.open(tmp_path / "half.jpg") as image:
        assert JpegImagePlugin.get_sampling(image) == 2
    for quality in (50, 95):
        call(scans / "a.jpg", "--quality", quality, output=tmp_path / f"{quality}.jpg")
    assert (tmp_path / "50.jpg").stat().st_size < (tmp_path / "95.jpg").stat().st_size


def test_max_pixels(scans, call, tmp_path):
    make(scans / "big.png", size=(30, 20))
    said = call(scans, "--max-pixels", 24 * 20, code=1)
    assert "4 translated, 0 skipped, 1 refused" in said
    assert records(tmp_path / "out")["big.png"]["code"] == "too-many-pixels"


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "avif"])
def test_provenance(scans, call, tmp_path, suffix):
    call(scans / "b.png", output=tmp_path / f"with.{suffix}")
    call(scans / "b.png", "--no-provenance", output=tmp_path / f"without.{suffix}")
    xmp = ElementTree.fromstring(read_photo(tmp_path / f"with.{suffix}").metadata.xmp.rstrip(b"\0"))
    history = xmp.find(".//{http://ns.adobe.com/photoshop/1.0/}History").text
    assert history.startswith("Colors are inferred, not recorded: cyclecolor ")
    assert "step_00000002.safetensors sha256:" in history
    source_type = xmp.find(".//{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType").text
    assert source_type.endswith("/compositeWithTrainedAlgorithmicMedia")
    assert b"inferred" not in (tmp_path / f"without.{suffix}").read_bytes()


# --- the system says no (R7 of the promises) -----------------------------------------------------


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_outputs_cannot_be_written(scans, call, tmp_path, monkeypatch, number):
    fsync, failing = os.fsync, []

    def fail_on_photos(descriptor):
        name = os.readlink(f"/proc/self/fd/{descriptor}")
        if failing and name.startswith(str(tmp_path / "out" / "sub")):
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fail_on_photos)
    failing.append(True)
    said = call(scans, code=1)
    assert "3 translated, 0 skipped, 1 refused" in said
    assert os.strerror(number) in said
    assert "sub/d.jpg" in said
    assert files(tmp_path / "out") == {"a.jpg", "b.png", "c.tif"}
    assert records(tmp_path / "out")["sub/d.jpg"]["code"] == "unwritable"
    failing.clear()
    assert "1 translated, 3 skipped" in call(scans)


def test_manifest_cannot_be_written(scans, call, tmp_path, monkeypatch):
    (tmp_path / "out").write_bytes(b"a file")
    said = call(scans, code=1)
    assert str(tmp_path / "out") in said
    assert "File exists" in said
    (tmp_path / "out").unlink()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/manifest.jsonl").symlink_to("/dev/zero")
    assert "not a regular file" in call(scans, code=1)
    (tmp_path / "out/manifest.jsonl").unlink()
    usual = Path.open
    full = {"manifest.jsonl": "/dev/full"}
    monkeypatch.setattr(Path, "open", lambda self, *a, **k: usual(Path(full.get(self.name, self)), *a, **k))
    said = call(scans, code=1)
    assert "manifest.jsonl: cannot be written: No space left on device" in said
    assert files(tmp_path / "out") == set()


def test_full_disk_when_the_manifest_is_put_in_order(call, tmp_path, monkeypatch):
    make(tmp_path / "scans/sub/d.jpg")
    fsync, failing = os.fsync, [True]

    def fail_beside_the_manifest(descriptor):
        if failing and Path(os.readlink(f"/proc/self/fd/{descriptor}")).parent == tmp_path / "out":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fail_beside_the_manifest)
    said = call(tmp_path / "scans", code=1)
    assert "manifest.jsonl: cannot be written: No space left on device" in said
    assert files(tmp_path / "out") == {"sub/d.jpg"}
    failing.clear()
    assert "0 translated, 1 skipped" in call(tmp_path / "scans")


# --- how sure the network is --------------------------------------------------------------------


def test_confidence_writes_maps_and_a_list(scans, call, tmp_path):
    (scans / "a.jpg.doubt.png").write_bytes((scans / "b.png").read_bytes())
    call(scans, "--doubt")
    out = tmp_path / "out"
    found = records(out)
    assert found["a.jpg.doubt.png"]["output"] == "a.jpg.doubt~2.png"
    assert {f"{record['output']}.doubt.png" for record in found.values()} <= files(out)
    header, *rows = (line.split(",") for line in (out / "doubt.csv").read_text().splitlines())
    assert header == ["doubt", "output"]
    assert [float(row[0]) for row in rows] == sorted((r["doubt"] for r in found.values()), reverse=True)
    with Image.open(out / "b.png.doubt.png") as image:
        assert image.mode == "L"
    assert "0 translated, 5 skipped" in call(scans, "--doubt")
    (out / "b.png.doubt.png").unlink()
    assert "1 translated, 4 skipped" in call(scans, "--doubt")
    assert (out / "b.png.doubt.png").exists()
    assert "5 translated" in call(scans)
    assert "5 translated" in call(scans, "--doubt")  # over the maps of before


def test_a_map_of_doubt_replaces_nothing_of_others(scans, call, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/b.png.doubt.png").write_bytes(b"of somebody else")
    assert "b.png.doubt.png: exists and was not made by this job" in call(scans, "--doubt", code=1)
    assert (tmp_path / "out/b.png.doubt.png").read_bytes() == b"of somebody else"
    assert not (tmp_path / "out/b.png").exists()


def test_lists_and_reports_replace_nothing_of_others(scans, call, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    for name in ("doubt.csv", "report.html"):
        (out / name).write_bytes(b"of somebody else")
    assert "doubt.csv: exists, and is not ours; move it away" in call(scans, "--doubt", code=1)
    assert len(records(out)) == 4  # the photos are done nevertheless
    assert "report.html: exists, and is not ours; move it away" in call(scans, "--report", code=1)
    assert {(out / name).read_bytes() for name in ("doubt.csv", "report.html")} == {b"of somebody else"}


# --- damaged pictures (I1 of the promises; the long run is benchmarks/mutants.py) ---------------


def test_mutants_are_translated_or_refused(checkpoint, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent / "benchmarks"))
    mutants = importlib.import_module("mutants")
    mutants.write_batch(tmp_path / "in", mutants.base_pictures(), range(300), seed=1)
    job = Job(tmp_path / "in", tmp_path / "out", load(checkpoint), Options(max_pixels=10**6, workers=1))
    outcomes = list(job.run())
    kinds, _ = mutants.check(tmp_path / "in", tmp_path / "out", 1)
    assert len(outcomes) == 300
    assert kinds["translated"] > 50
    assert {"broken", "truncated"} <= set(kinds)


# --- the report ---------------------------------------------------------------------------------


def test_report(scans, call, tmp_path):
    (scans / "broken <b>.jpg").write_bytes(b"nothing")
    make(scans / os.fsdecode(b"caf\xe9 #1.png"))
    call(scans, "--doubt", "--report", code=1)
    out = tmp_path / "out"
    page = (out / "report.html").read_text()
    assert "5 photos translated, 1 refused" in page
    assert "broken &lt;b&gt;.jpg" in page
    assert "http" not in page  # no network
    links = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(links) == 5 * 3
    assert all((out / os.fsdecode(unquote_to_bytes(link))).is_file() for link in links)
    doubts = [float(number) for number in re.findall(r"doubt ([\d.]+)", page)]
    assert len(doubts) == 5
    assert doubts == sorted(doubts, reverse=True)
    # One of five is the most doubtful tenth; each filter hides what is not of its kind.
    kinds = re.findall(r'<li class="([^"]*)">', page)
    assert kinds[0].split()[-1] == "doubtful"
    assert sum("doubtful" in kind for kind in kinds) == sum("refused" in kind for kind in kinds) == 1
    for kind in ("doubtful", "refused"):
        assert f'<input type="radio" name="kind" id="{kind}">' in page
    rules = re.findall(r"^#(\w+):checked ~ ol li:not\(\.(\w+)\) \{ display: none \}$", page, re.MULTILINE)
    assert rules == [("refused", "refused"), ("doubtful", "doubtful")]
    record = records(out)["b.png"]
    (preview,) = (out / link for link in set(links) if link.endswith(preview_name(record)))
    before, after = np.split(np.asarray(Image.open(preview).convert("RGB")).astype(int), 2, axis=1)
    # JPEG codes gray exactly; only in the last column do decoders mix in chroma from beyond it.
    assert np.ptp(before[:, :-1], axis=2).max() == 0
    means = [((half / 255) ** 2.2 @ [0.2126, 0.7152, 0.0722]).mean() ** (1 / 2.2) for half in (before, after)]
    assert 255 * abs(means[0] - means[1]) < 1
    times = {p.name: p.stat().st_mtime_ns for p in (out / "report_files").iterdir()}
    call(scans, "--doubt", "--report", code=1)
    assert times == {p.name: p.stat().st_mtime_ns for p in (out / "report_files").iterdir()}


def test_what_the_report_says_of_a_photo(tmp_path):
    scans, out = tmp_path / "scans", tmp_path / "out"
    make(scans / "a.tif")
    make(out / "a.tif")
    record = {
        "input": "a.tif",
        "output": "a.tif",
        "status": "translated",
        "sha256": "1",
        "output_sha256": "2",
    }
    record |= {"width": 24, "height": 20, "seconds": 1.5, "pages": 3}
    record |= {"lost": ["IPTC", "comment"], "warnings": ["<16> bits of ink were read as 8"]}
    page = write_report(out, scans, [record]).read_text()
    for said in (
        "24 × 20, 1.5 s, 3 pages",
        "not carried over: IPTC, comment",
        "warning: &lt;16&gt; bits of ink were read as 8",
    ):
        assert f"<small>{said}</small>" in page


def test_what_decides_on_an_output_is_in_its_digest(checkpoint):
    """And nothing else, so that another number of workers makes nothing anew."""
    colorizer, usual = load(checkpoint), Options()
    deciding = {
        "direction": "to-gray",
        "suffix": ".png",
        "quality": 90,
        "subsampling": "4:2:0",
        "doubt": True,
    }
    deciding |= {"provenance": "by hand", "lossless_luma": True}
    others = {"max_pixels": 10**6, "overwrite": True, "workers": 3, "shard": Shard(1, 2)}
    digests = {replace(usual, **{name: value}).digest(colorizer) for name, value in deciding.items()}
    digests |= {usual.digest(colorizer), usual.digest(load(checkpoint, saturation=0.5))}
    digests |= {usual.digest(colorizer, [Hint(1, 2, color)]) for color in ("red", "blue")}
    assert len(digests) == len(deciding) + 4
    assert {replace(usual, **{name: value}).digest(colorizer) for name, value in others.items()} == {
        usual.digest(colorizer)
    }
