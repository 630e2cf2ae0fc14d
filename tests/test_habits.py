"""What people try without reading on: several paths, patterns, `~`, streams, the same thing twice."""

import errno
import io
import multiprocessing
import os
import re
import shlex
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner, Result
from conftest import tiny_experiment
from PIL import Image

from cyclecolor.cli.main import main
from cyclecolor.cli.progress import progress_bar
from cyclecolor.cli.stopping import stoppable
from cyclecolor.config import Data
from cyclecolor.data import open_piles
from cyclecolor.training import train
from cyclecolor.training.piles import say_what_is_odd


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    return train(tiny_experiment(num_steps=1), tmp_path_factory.mktemp("a run"))


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Path:
    """A folder to work in, with `scans/`: a.jpg, b.png, c.tif."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for i, name in enumerate(("a.jpg", "b.png", "c.tif")):
        make(Path("scans") / name, 40 + 30 * i)
    return tmp_path


def make(path: Path, value: int = 90, size: tuple[int, int] = (24, 20)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(size[::-1], value, np.uint8)).save(path)
    return path


@pytest.fixture
def translate(checkpoint):
    """The command, with a checkpoint: gives its result, checks its exit code."""

    def run(*arguments, code: int = 0, **options) -> Result:
        line = ["translate", *map(str, arguments), "-c", str(checkpoint)]
        result = CliRunner().invoke(main, line, **options)
        assert isinstance(result.exception, SystemExit | None), result.exc_info
        assert result.exit_code == code, result.output
        return result

    return run


def names(folder: str) -> set[str]:
    return {path.name for path in Path(folder).iterdir()} - {"manifest.jsonl"}


def test_several_photos(desk, translate):
    assert "2 translated, 0 skipped, 0 refused" in translate("scans/a.jpg", "scans/b.png").output
    assert names("scans") == {"a.jpg", "b.png", "c.tif", "a_color.jpg", "b_color.png"}


@pytest.mark.parametrize(
    ("pattern", "made"), [("scans/*.jpg", {"a.jpg"}), ("scans/?.*", {"a.jpg", "b.png", "c.tif"})]
)
def test_patterns_where_no_shell_expands_them(desk, translate, pattern, made):
    translate(pattern, "-o", "colored/")
    assert names("colored") == made


def test_a_pattern_is_no_pattern_where_a_file_has_that_name(desk, translate):
    make(Path("scans/[a].png"))
    translate("scans/[a].png", "-o", "colored/")
    assert names("colored") == {"[a].png"}
    said = translate("scans/*.gif", "scans/a.jpg", code=2).output
    assert said == "cyclecolor: scans/*.gif: no such file or folder; check the path\n"


def test_a_folder_and_photos_beside_it(desk, translate):
    make(Path("d.png"))
    assert "4 translated" in translate("scans", "d.png").output
    assert names("scans_color") == {"a.jpg", "b.png", "c.tif"}
    assert Path("d_color.png").exists()


@pytest.mark.parametrize("folder", ["colored/", "colored", "2024.05/", "deep/er/"])
def test_a_photo_into_a_folder_that_is_not_there_yet(desk, translate, folder):
    translate("scans/a.jpg", "-o", folder)
    assert names(folder) == {"a.jpg"}


def test_the_format_of_what_goes_into_a_folder(desk, translate):
    translate("scans/a.jpg", "-o", "colored/", "--format", "png")
    assert names("colored") == {"a.png"}


def test_the_same_photo_twice_is_already_done(desk, translate):
    translate("scans/a.jpg", "-o", "one.png")
    before = Path("one.png").stat()
    said = translate("scans/a.jpg", "-o", "one.png").output
    assert "already done" in said
    assert "0 translated, 1 skipped, 0 refused" in said
    after = Path("one.png").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    said = translate("scans/a.jpg", "-o", "one.png", "--saturation", 2, code=1).output
    assert "one.png: exists and was not made by this job; --overwrite replaces it" in said
    translate("scans/a.jpg", "-o", "one.png", "--saturation", 2, "--overwrite")
    assert "skipped" in translate("scans/a.jpg", "-o", "one.png", "--saturation", 2).output


def test_a_missing_map_is_made_beside_a_photo_that_is_there(desk, translate):
    translate("scans/a.jpg", "-o", "one.png", "--doubt")
    Path("one.png.doubt.png").unlink()
    assert "1 translated" in translate("scans/a.jpg", "-o", "one.png", "--doubt").output
    assert Path("one.png.doubt.png").exists()
    assert "1 skipped" in translate("scans/a.jpg", "-o", "one.png", "--doubt").output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["scans", "-o", "out.jpg"], "out.jpg: is the name of a photo, but scans is a folder"),
        (
            ["scans/a.jpg", "scans/b.png", "-o", "out.jpg"],
            "out.jpg: is one file, for 2 photos; name a folder",
        ),
        (["scans/a.jpg", "more/a.jpg", "-o", "out/"], "would be made of both scans/a.jpg and more/a.jpg"),
        (["scans/a.jpg", "-o", "out.png", "--format", "jpg"], "out.png: is not of --format jpg"),
        (["scans/a.jpg", "-o", "out.psd"], "out.psd: cannot be written in this format"),
        (["scans", "more", "-o", "out"], "--output is for one folder, or for photos"),
        (["scans/a.jpg", "--report"], "--report is for folders"),
        (["scans/a.jpg", "scans/b.png", "--shard", "1/2"], "--shard works only for folders"),
        (["-", "scans/a.jpg"], "- is for one photo"),
        (["scans", "-o", "-"], "--output - is for one photo"),
        (["scans/a.jpg", "scans/b.png", "--hint", "1,1=#a03020"], "hints are for one photo or one folder"),
        (["nobody", "scans"], "nobody: no such file or folder"),
    ],
)
def test_what_cannot_be_meant_is_said(desk, translate, arguments, says):
    make(Path("more/a.jpg"))
    before = sorted(desk.rglob("*"))
    said = translate(*arguments, code=2).output
    assert says in said
    assert len(said.splitlines()) == 1
    assert sorted(desk.rglob("*")) == before


@pytest.mark.parametrize(
    ("word", "suffix"), [("JPEG", "jpg"), ("jpeg", "jpg"), ("Tiff", "tif"), ("PNG", "png")]
)
def test_formats_as_people_write_them(desk, translate, word, suffix):
    translate("scans/b.png", "--format", word)
    assert Path(f"scans/b_color.{suffix}").exists()


@pytest.mark.parametrize("where", ["photo", "output", "folder"])
def test_names_that_are_too_long_are_said(desk, translate, where):
    long = "x" * 251 + ".jpg"
    make(Path(long))
    arguments = {
        "photo": [long],
        "output": [long, "-o", "y" * 300 + ".jpg"],
        "folder": [long, "-o", "y" * 300],
    }
    said = translate(*arguments[where], code=1).output
    assert said.count("\n") == 1
    assert "File name too long" in said


def test_links_in_circles_are_said(desk, translate):
    Path("circle.jpg").symlink_to("circle.jpg")
    Path("circle").symlink_to("circle")
    assert "circle.jpg: cannot be read" in translate("circle.jpg", code=1).output
    assert "circle: cannot be written" in translate("scans", "-o", "circle", code=1).output


def test_messages_name_the_option_that_helps(desk, translate):
    said = translate("scans/a.jpg", "--max-pixels", 100, code=1).output
    assert "24 x 20 is more than 100 pixels; raise the limit (--max-pixels)" in said


def test_home_is_known_in_every_path(desk, translate, checkpoint):
    translate("~/scans/a.jpg", "-o", "~/colored/")
    assert names("colored") == {"a.jpg"}
    line = ["doctor", "~/scans", "~/scans", "--json=~/found.json"]
    assert CliRunner().invoke(main, line).exit_code == 0
    assert Path("found.json").exists()
    piles = open_piles(Data(gray="~/scans", color="~/scans", size=16), paired=False)
    assert len(piles["gray"]) == 3
    assert not Path("~").exists()


def test_streams(desk, translate):
    content = Path("scans/a.jpg").read_bytes()
    translate("scans/a.jpg", "-o", "file.jpg")
    for arguments in (["-"], ["-", "-o", "-"], ["scans/a.jpg", "-o", "-"]):
        result = translate(*arguments, input=content)
        assert result.stdout_bytes == Path("file.jpg").read_bytes()
    result = translate("-", "--format", "png", input=content)
    assert Image.open(io.BytesIO(result.stdout_bytes)).format == "PNG"
    translate("-", "-o", "out/x.tif", input=content)
    assert Path("out/x.tif").read_bytes()[:2] in (b"II", b"MM")


@pytest.mark.parametrize(("content", "said"), [(b"no photo", "not a picture"), (b"", "is empty")])
def test_what_is_wrong_with_standard_input_is_said_of_it(desk, translate, content, said):
    result = translate("-", input=content, code=1)
    assert result.stdout_bytes == b""
    assert re.match(rf"refused: - \(standard input\): .*{said}", result.stderr)
    assert len(result.stderr.splitlines()) == 1


def no_more(size):
    raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))


@pytest.mark.parametrize(
    ("stream", "cause"),
    [(None, "it is closed"), (SimpleNamespace(buffer=SimpleNamespace(read=no_more)), "Is a directory")],
    ids=["closed", "folder"],
)
def test_standard_input_that_cannot_be_read(desk, checkpoint, monkeypatch, capsys, stream, cause):
    monkeypatch.setattr(sys, "stdin", stream)
    with pytest.raises(SystemExit) as left:
        main(["translate", "-", "-o", "made.jpg", "-c", str(checkpoint)])
    assert left.value.code == 1
    assert f"- (standard input): cannot be read: {cause}; " in capsys.readouterr().err
    assert not Path("made.jpg").exists()


def test_no_room_for_standard_input(desk, translate, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    result = translate("-", input=b"a photo", code=1)
    assert "standard input: cannot be written: No space left on device; " in result.stderr


def test_quiet_says_nothing_but_what_went_wrong(desk, translate):
    assert translate("scans", "-q").output == ""
    Path("scans/d.jpg").write_bytes(b"no photo")
    said = translate("scans", "-q", code=1).output
    assert said.startswith("refused: scans/d.jpg: ")
    assert len(said.splitlines()) == 1


def test_bars_are_for_terminals(desk, translate, said, monkeypatch):
    assert "photos/s" not in translate("scans").output
    for is_terminal in (False, True):
        stream = io.StringIO()
        stream.isatty = lambda is_terminal=is_terminal: is_terminal
        monkeypatch.setattr(sys, "stderr", stream)
        assert list(progress_bar(range(3), unit=" photos")) == [0, 1, 2]
        assert ("photos/s" in stream.getvalue()) == is_terminal


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("output", ["-", "made.jpg"])
def test_a_full_standard_output_is_said(desk, checkpoint, monkeypatch, capsys, output):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit) as left:
            main(["translate", "scans/a.jpg", "-o", output, "-c", str(checkpoint)])
    assert left.value.code == 1
    assert "standard output: No space left on device; nothing else is lost" in capsys.readouterr().err


def test_without_a_standard_error(desk, checkpoint, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    with pytest.raises(SystemExit) as left:
        main(["translate", "scans", "-c", str(checkpoint)])
    assert left.value.code == 0
    assert names("scans_color") == {"a.jpg", "b.png", "c.tif"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_twice_a_job_ends_at_once(number):
    def work():
        with stoppable():
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), number)
            time.sleep(60)

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(30)
    assert process.exitcode == 128 + number


def test_commands_to_paste_are_quoted(desk, checkpoint, photo_folder):
    run = Path("a run/it's")
    run.parent.mkdir()
    copy = run / "checkpoints" / checkpoint.name
    copy.parent.mkdir(parents=True)
    copy.write_bytes(checkpoint.read_bytes())
    said = CliRunner().invoke(main, ["info", str(run)]).output
    (line,) = (line for line in said.splitlines() if line.startswith("use "))
    assert shlex.split(line)[-1] == str(copy)
    said = CliRunner().invoke(main, ["prepare", str(photo_folder), "-o", "the piles"]).output
    (line,) = (line for line in said.splitlines() if line.startswith("next: "))
    assert shlex.split(line)[-1] == "data.root=the piles"


def test_our_own_outputs_among_the_scans_are_passed_over(desk, translate):
    for name in ("a.jpg", "b.png", "c.tif"):
        translate(f"scans/{name}")
        translate(f"scans/{name}", "--format", "webp")
    said = translate("scans").output
    assert "passed over: 6 colored by cyclecolor before" in said
    assert names("scans_color") == {"a.jpg", "b.png", "c.tif"}
    translate("scans_color", "-o", "gray", "--direction", "to-gray")  # there they are what is meant
    assert names("gray") == {"a.jpg", "b.png", "c.tif"}
    assert "3 colored by cyclecolor" in translate("scans_color", "-o", "again").output


def test_what_devices_keep_among_photos_is_passed_over(desk, translate):
    folders = (
        "@eaDir/a.jpg",
        "sub/@eaDir",
        "#recycle",
        "Thumbs",
        "$RECYCLE.BIN",
        ".thumbnails",
        ".dtrash/files",
    )
    more = (
        ".AppleDouble",
        ".picasaoriginals",
        "lost+found",
        "RECYCLER",
        "Network Trash Folder",
        "iPod Photo Cache",
    )
    for folder in folders + more:
        make(Path("scans") / folder / "thumb.jpg")
    make(Path("scans/._a.jpg"))
    make(Path("scans/sub/d.jpg"))
    said = translate("scans").output
    assert "4 translated" in said
    assert "passed over: 2 in @eaDir" in said
    assert {p.name for p in Path("scans_color").rglob("*.*")} == {
        "a.jpg", "b.png", "c.tif", "d.jpg", "manifest.jsonl",
    }  # fmt: skip


def test_what_is_odd_about_piles_is_said(desk, said):
    make(Path("large/a.png"), size=(80, 70))
    data = Data(gray="scans", color="scans", size=64)
    say_what_is_odd(open_piles(data, paired=False), data)
    assert any("both piles hold the same photos" in line for line in said)
    assert any("gray pile: 3 of 3 photos have a short side below data.size = 64" in line for line in said)
    said.clear()
    data = Data(gray="scans", color="large", size=16, load_size=70)
    say_what_is_odd(open_piles(data, paired=False), data)
    assert not said
    data = Data(color="large", size=64, load_size=32)
    say_what_is_odd(open_piles(data, paired=True), data)
    assert [line for line in said if "data.load_size = 32 is below data.size = 64" in line] == said
