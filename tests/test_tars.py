"""Tars of photos: whole tars of their colors, every photo accounted for, whatever a tar says."""

import io
import json
import shlex
import tarfile
from pathlib import Path

import numpy as np
import pytest
from conftest import run_translate as call
from PIL import Image

from cyclecolor.collection import tars
from cyclecolor.collection.manifest import read_manifest
from cyclecolor.storage import Address, open_store
from cyclecolor.translation.plan import Task

pytest.importorskip("pyarrow", reason="the extra `storage` is not installed")


def photo(value=90, kind="png") -> bytes:
    ramp = np.arange(24 * 20, dtype=np.uint8).reshape(20, 24) % 100 + value
    file = io.BytesIO()
    Image.fromarray(ramp).save(file, kind)
    return file.getvalue()


def packed(members: dict[str, bytes | tarfile.TarInfo], **options) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", **options) as tar:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


def unpacked(content: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


def rows(address) -> list[dict]:
    return list(read_manifest(open_store(address), "manifest.parquet"))


SAMPLES = {
    "0001.png": photo(20),
    "0001.json": b'{"caption": "a field"}',
    "./0002.jpg": photo(40, "jpeg"),
    "0002.cls": b"7",
    "sub/0003.gif": photo(60, "gif"),
    "0004.png": photo(80)[:60],
    "._0001.png": b"of a Macintosh",
}


def test_of_a_tar_comes_a_tar_of_the_outputs_of_its_files(memory, checkpoint, tmp_path):
    """And a second run leaves it alone."""
    memory.pipe_file("/in/box/a.tar", packed(SAMPLES))
    memory.pipe_file("/in/b.png", photo())
    memory.pipe_file("/in/texts.tar", packed({"a.txt": b"no photo"}))
    for name, content in SAMPLES.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(content)
    call(tmp_path / "in", "-o", tmp_path / "out", "-c", checkpoint, code=1)
    command = ("memory://in", "-o", "memory://out", "-c", checkpoint)
    said = call(*command, code=1)
    assert "in tars: 3 translated, 1 refused" in said
    assert "2 translated, 0 skipped, 0 refused" in said
    found = unpacked(memory.cat_file("/out/box/a.tar"))
    assert [*found] == ["0001.png", "0001.json", "0002.jpg", "0002.cls", "sub/0003.png", "._0001.png"]
    for name in ("0001.png", "0002.jpg", "sub/0003.png"):
        assert found[name] == (tmp_path / "out" / name).read_bytes()
    assert found["0001.json"] == SAMPLES["0001.json"]
    assert {name.removeprefix("/out/") for name in memory.find("/out")} == {
        *("box/a.tar", "b.png", "manifest.parquet")
    }
    by = {(row["input"], row.get("member")): row for row in rows(Address("memory://out"))}
    assert by["box/a.tar", "sub/0003.gif"]["output"] == "box/a.tar/sub/0003.png"
    assert by["box/a.tar", "0004.png"]["code"] == "truncated"
    assert by["box/a.tar", "0004.png"]["reason"].startswith("memory://in/box/a.tar/0004.png: ")
    assert (by["box/a.tar", None]["members"], by["box/a.tar", None]["refused_members"]) == (4, 1)
    assert by["texts.tar", None]["status"] == "passed over"
    assert len(by) == 7
    before = {path: memory.created(path) for path in memory.find("/out")}
    said = call(*command, code=1)
    assert "in tars, earlier: 1 refused" in said
    assert "0 translated, 2 skipped, 0 refused" in said
    assert {path: memory.created(path) for path in memory.find("/out")} == before


def test_what_is_not_in_a_tar_any_more_is_forgotten(memory, checkpoint):
    command = ("memory://in", "-o", "memory://out", "-c", checkpoint, "--doubt")
    memory.pipe_file("/in/a.tar", packed({"1.png": photo(10), "2.png": photo(20)}))
    call(*command)
    assert [*unpacked(memory.cat_file("/out/a.tar"))] == [
        *("1.png.doubt.png", "1.png", "2.png.doubt.png", "2.png")
    ]
    memory.pipe_file("/in/a.tar", packed({"2.png": photo(30)}))
    call(*command)
    assert [row.get("member") for row in rows(Address("memory://out"))] == [None, "2.png"]
    assert memory.cat_file("/out/doubt.csv").count(b"\n") == 2


def test_a_broken_tar_is_refused_and_the_others_go_on(memory, checkpoint):
    whole = packed({f"{i}.png": photo(i) for i in range(3)})
    third = whole.index(b"2.png")
    damaged = {
        "cut.tar": whole[: third + 600],
        "cut_between.tar": whole[:third],
        "garbage.tar": whole[:third] + bytes([7]) * 1024,
        "empty.tar": b"",
        "compressed.tar": b"\x1f\x8b" + whole,
        "twice.tar": packed({"a.png": photo(), "./a.png": photo()}),
    }
    for name, content in damaged.items():
        memory.pipe_file(f"/in/{name}", content)
    memory.pipe_file("/in/whole.tar", whole)
    said = call("memory://in", "-o", "memory://out", "-c", checkpoint, code=1)
    assert "1 translated, 0 skipped, 6 refused" in said
    assert {*memory.find("/out")} == {"/out/whole.tar", "/out/manifest.parquet"}
    found = {row["input"]: row["code"] for row in rows(Address("memory://out")) if "code" in row}
    assert found == dict.fromkeys(damaged, "broken")


def link(name: str, kind: bytes, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_hostile_members_are_refused_one_by_one(memory, checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr("cyclecolor.collection.coloring.BESIDES", 1 << 16)
    secret = tmp_path / "secret.png"
    secret.write_bytes(photo())
    hostile = {
        "../up.png": photo(),
        "/root.png": photo(),
        "x/../../up.png": photo(),
        "link.png": link("link.png", tarfile.SYMTYPE, str(secret)),
        "hard.png": link("hard.png", tarfile.LNKTYPE, "good.png"),
        "device.png": link("device.png", tarfile.CHRTYPE, ""),
        "large.png": photo() + bytes(1 << 17),
        "\udcff.png": photo(),
    }
    memory.pipe_file("/in/a.tar", packed({"good.png": photo(), **hostile}))
    command = ("memory://in", "-o", tmp_path / "out", "-c", checkpoint, "--max-pixels", 480)
    said = call(*command, code=1)
    assert "in tars: 8 refused, 1 translated" in said
    assert [*unpacked((tmp_path / "out/a.tar").read_bytes())] == ["good.png"]
    codes = [row["code"] for row in rows(tmp_path / "out") if "code" in row]
    assert sorted(codes) == ["not-a-file"] * 3 + ["too-many-bytes"] + ["unsafe-name"] * 4
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {
        *("secret.png", "a.tar", "manifest.parquet")
    }


def header(**values) -> bytes:
    info = tarfile.TarInfo("a.png")
    for name, value in values.items():
        setattr(info, name, value)
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    "content",
    [
        header(size=-1024) + bytes(2048),
        header(type=tarfile.XHDTYPE, size=1 << 33) + bytes(2048),
        header(type=tarfile.GNUTYPE_LONGNAME, size=1 << 33) + bytes(2048),
        header(type=tarfile.GNUTYPE_LONGNAME, size=3) * 3000,
        header(size=1 << 40) + bytes(2048),
    ],
    ids=["leads back", "large header", "large name", "header in header", "larger than the file"],
)
def test_headers_that_lie_cost_nothing(content, tmp_path):
    (tmp_path / "in").write_bytes(content)
    task = Task("a.tar", tmp_path / "in", tmp_path / "out", tmp_path)
    translate = tars.TarTranslator(lambda task, places: pytest.fail("read"), None, 1 << 50)
    with pytest.raises(tars.PhotoError, match=r"a\.tar: damaged"):
        translate(tars.Item("a.tar", "a.tar", None, ""), task, ("a.tar", "a.tar"))


def test_a_member_that_may_do_better_next_time_is_tried_again(memory, checkpoint, monkeypatch):
    from cyclecolor.collection.coloring import Coloring

    usual, failing = Coloring.photo, {"1.png"}

    def color(self, task, places):
        if task.name.rpartition("/")[2] in failing:
            return {"input": task.name, "status": "refused", "code": "unwritable", "reason": "disk full"}
        return usual(self, task, places)

    monkeypatch.setattr(Coloring, "photo", color)
    memory.pipe_file("/in/a.tar", packed({"1.png": photo(10), "2.png": photo(20)}))
    command = ("memory://in", "-o", "memory://out", "-c", checkpoint)
    call(*command, code=1)
    assert [*unpacked(memory.cat_file("/out/a.tar"))] == ["2.png"]
    failing.clear()
    assert "in tars: 2 translated" in call(*command)
    assert [*unpacked(memory.cat_file("/out/a.tar"))] == ["1.png", "2.png"]
    assert "0 translated, 1 skipped" in call(*command)


def test_tars_are_named_apart(memory, checkpoint):
    for name in ("a.tar", "A.tar"):
        memory.pipe_file(f"/in/{name}", packed({"1.png": photo()}))
    call("memory://in", "-o", "memory://out", "-c", checkpoint, "--format", "jpg")
    assert {*memory.find("/out")} == {"/out/A.tar", "/out/a~2.tar", "/out/manifest.parquet"}
    assert [*unpacked(memory.cat_file("/out/A.tar"))] == ["1.jpg"]


def test_a_driver_that_dies_amid_the_records_of_a_tar_does_it_again(memory, checkpoint, tmp_path):
    """Members come before the tar's own record: what has that is done."""
    memory.pipe_file("/in/a.tar", packed({"1.png": photo(10), "2.png": photo(20)}))
    command = ("memory://in", "-o", "memory://out", "-c", checkpoint)
    call(*command)
    whole = rows(Address("memory://out"))
    lines = [json.dumps(row) + "\n" for row in whole if row.get("member") == "1.png"]
    memory.rm_file("/out/manifest.parquet")
    memory.pipe_file("/out/.cyclecolor/whole/records-x.jsonl", "".join(lines).encode())
    assert "1 translated, 0 skipped" in call(*command)
    assert [row.get("member") for row in rows(Address("memory://out"))] == [None, "1.png", "2.png"]


# --- paths of this machine ------------------------------------------------------------------------


def test_paths_of_tars_are_done_as_addresses_are(checkpoint, tmp_path, monkeypatch):
    """A tar, a folder of tars, with and without --output: the same bytes."""
    monkeypatch.chdir(tmp_path)
    for name, value in (("a.tar", 10), ("sub/B.TAR", 20)):
        (tmp_path / "shards" / name).parent.mkdir(parents=True, exist_ok=True)
        members = {"1.png": photo(value), "1.json": b"{}", "2.png": b"no picture"}
        (tmp_path / "shards" / name).write_bytes(packed(members))
    (tmp_path / "shards/README.md").write_text("of whom they are")
    call(f"file://{tmp_path}/shards", "-o", "url", "-c", checkpoint, code=1)
    expected = {name: (tmp_path / "url" / name).read_bytes() for name in ("a.tar", "sub/B.TAR")}
    assert "in tars: 2 translated, 2 refused" in call("shards", "-c", checkpoint, code=1)
    for name, content in expected.items():
        assert (tmp_path / "shards_color" / name).read_bytes() == content
    call("shards/a.tar", "-o", "one", "-c", checkpoint, code=1)
    call("shards/a.tar", "-c", checkpoint, code=1)
    call(f"file://{tmp_path}/shards/a.tar", "-o", "shards/inside", "-c", checkpoint, code=1)
    for folder in ("one", "shards/a_color", "shards/inside"):
        assert {path.name for path in Path(folder).iterdir()} == {"a.tar", "manifest.parquet"}
        assert Path(folder, "a.tar").read_bytes() == expected["a.tar"]
    assert [row.get("member") for row in rows(tmp_path / "one")] == [None, "1.png", "2.png"]


def test_tars_beside_photos_are_named_with_what_to_type(checkpoint, tmp_path, said):
    folder = tmp_path / "my scans"
    folder.mkdir()
    (folder / "a.tar").write_bytes(packed({"1.png": photo()}))
    (folder / "b.png").write_bytes(photo())
    call(folder, "-o", tmp_path / "out", "-c", checkpoint)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"b.png", "manifest.jsonl"}
    (line,) = [line for line in said if line.startswith("photos in tars, too: ")]
    command = shlex.split(line.partition(": ")[2])
    assert command[:2] == ["cyclecolor", "translate"]
    assert "2 translated, 0 skipped, 0 refused" in call(*command[2:], "-c", checkpoint)
    assert [*unpacked((tmp_path / "out/a.tar").read_bytes())] == ["1.png"]


def test_one_clear_line_of_tars(checkpoint, tmp_path):
    for name in ("a.tar", "b.tar"):
        (tmp_path / name).write_bytes(packed({"1.png": photo()}))
    tar, other, before = tmp_path / "a.tar", tmp_path / "b.tar", (tmp_path / "a.tar").read_bytes()
    for arguments, said in (
        ((tar, other, "-o", tmp_path / "out"), "are for one folder, or one tar; name one"),
        ((tar, "-o", tmp_path / "c.tar"), "c.tar: is the name of a tar; name a folder"),
        ((tar, "-o", tmp_path / "c.png"), "c.png: is the name of a photo, but"),
        ((tar, "-o", other), "b.tar: is the name of a tar; name a folder"),
        ((tar, "-o", tmp_path), "lies inside the other"),
        ((f"file://{tar}", "-o", f"file://{other}"), "b.tar: is a file; name a folder"),
        ((tmp_path / "no.tar",), "no.tar: no such file or folder"),
        ((tar, "--hint", "1,1=#a03020", "-o", tmp_path / "out"), "--hint is for one photo"),
        ((tar, "--report", "-o", tmp_path / "out"), "--report is for photos in folders of this machine"),
    ):
        assert said in call(*arguments, "-c", checkpoint, code=2)
    assert {path.name for path in tmp_path.iterdir()} == {"a.tar", "b.tar"}
    assert tar.read_bytes() == before
