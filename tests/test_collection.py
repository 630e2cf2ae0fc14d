"""Collections in object storage: the bytes of the local command, and every input accounted for."""

import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import run_translate as call
from crashing import CRASH, CRASH_ONCE, serve_and_die, serve_nothing
from forks import FORK, Forks
from PIL import Image
from ray_driver import TOO_BUSY

from cyclecolor.cli.main import main
from cyclecolor.collection import Collection, Item, Threads, Work, Worker, apart, dispatch, ray_actors
from cyclecolor.collection import notes as notes_module
from cyclecolor.collection.catalog import Catalog
from cyclecolor.collection.coloring import Coloring
from cyclecolor.collection.manifest import read_manifest
from cyclecolor.collection.notes import Notes
from cyclecolor.inference import ChromaColorizer, load
from cyclecolor.storage import (
    Address,
    Entry,
    StorageError,
    TooLarge,
    objects,
    open_store,
    retrying,
    scrubbed,
)
from cyclecolor.translation import Job, Options, plan

fsspec = pytest.importorskip("fsspec", reason="the extra `storage` is not installed")
pytest.importorskip("pyarrow", reason="the extra `storage` is not installed")


def make(path, value=90, size=(24, 20)):
    path.parent.mkdir(parents=True, exist_ok=True)
    ramp = np.arange(size[0] * size[1], dtype=np.uint8).reshape(size[::-1]) % 100 + value
    Image.fromarray(ramp).save(path)
    return path


@pytest.fixture
def scans(tmp_path):
    """A folder with all that names can do, photos that are refused, and files that are none."""
    folder = tmp_path / "scans"
    for i, name in enumerate(("a.jpg", "b.png", "c.tif", "sub/d.jpg", "A.JPG", "\u00e9.png", "e\u0301.png")):
        make(folder / name, value=40 + 10 * i)
    make(folder / "a.png")
    make(folder / "a.gif")
    make(folder / "two\nlines.png")
    make(folder / "unnamed.png", value=7).rename(folder / "unnamed")
    make(folder / "@eaDir/thumb.jpg")
    make(folder / ".hidden.jpg")
    (folder / "broken.jpg").write_bytes(b"nothing")
    (folder / "empty.png").write_bytes(b"")
    (folder / "film.heic").write_bytes(b"\0\0\0\x18ftypheic")
    (folder / "notes.txt").write_bytes(b"not a picture")
    return folder


def upload(files, folder, root):
    for path in folder.rglob("*"):
        if path.is_file():
            files.pipe_file(f"{root}/{path.relative_to(folder).as_posix()}", path.read_bytes())


def contents(files, root) -> dict[str, bytes]:
    """What lies below a root, but for the manifest."""
    start = files._strip_protocol(root) + "/"
    found = {name[len(start) :]: files.cat_file(name) for name in files.find(start, refresh=True)}
    return {name: content for name, content in found.items() if name != "manifest.parquet"}


def local(folder) -> dict[str, bytes]:
    """The outputs in a folder of this machine."""
    paths = [p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("manifest")]
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in paths}


def records(address) -> dict[str, dict]:
    found = list(read_manifest(open_store(address), "manifest.parquet"))
    assert len({record["input"] for record in found}) == len(found)
    return {record["input"]: record for record in found}


# --- what the local command does ---------------------------------------------------------------


def test_outputs_and_names_are_those_of_the_local_command(scans, memory, checkpoint, tmp_path):
    upload(memory, scans, "/in")
    asked = ("-c", checkpoint, "--doubt", "--workers", 2, "--size", 24)
    here = call(scans, "-o", tmp_path / "out", *asked, code=1)
    there = call("memory://in", "-o", "memory://out", *asked, code=1)
    assert "11 translated, 0 skipped, 3 refused" in here
    assert "11 translated, 0 skipped, 3 refused, 0 quarantined: memory://out" in there
    assert contents(memory, "/out") == local(tmp_path / "out")
    lines = (tmp_path / "out/manifest.jsonl").read_text().splitlines()
    one, two = {r["input"]: r for r in map(json.loads, lines)}, records(Address("memory://out"))
    assert two.pop("notes.txt")["status"] == "passed over"
    both = ("status", "code", "output", "sha256", "output_sha256", "settings", "checkpoint", "doubt")
    for key in both:
        assert {n: r.get(key) for n, r in one.items()} == {n: r.get(key) for n, r in two.items()}, key
    assert two["broken.jpg"]["reason"].startswith("memory://in/broken.jpg: not a picture")


def test_from_a_folder_to_a_store_and_back(scans, memory, checkpoint, tmp_path):
    call(scans, "-o", tmp_path / "here", "-c", checkpoint, code=1)
    call(scans, "-o", "memory://out", "-c", checkpoint, code=1)
    upload(memory, scans, "/in")
    call("memory://in", "-o", tmp_path / "back", "-c", checkpoint, code=1)
    call("memory://in", "-o", f"file://{tmp_path}/url", "-c", checkpoint, code=1)
    expected = local(tmp_path / "here")
    assert contents(memory, "/out") == local(tmp_path / "back") == local(tmp_path / "url") == expected
    assert {p.name for p in (tmp_path / "back").iterdir() if p.name[0] in ".m"} == {"manifest.parquet"}


def test_again_does_only_what_is_missing_or_changed(scans, memory, checkpoint):
    upload(memory, scans, "/in")
    command = ("memory://in", "-o", "memory://out", "-c", checkpoint)
    call(*command, code=1)
    before = {path: memory.created(path) for path in memory.find("/out")}
    assert "0 translated, 11 skipped, 3 refused" in call(*command, code=1)
    assert {path: memory.created(path) for path in memory.find("/out")} == before
    memory.rm_file("/out/b.png")
    memory.pipe_file("/in/sub/d.jpg", memory.cat_file("/in/A.JPG"))
    memory.pipe_file("/in/broken.jpg", memory.cat_file("/in/A.JPG"))
    assert "3 translated, 9 skipped, 2 refused" in call(*command, code=1)
    assert memory.cat_file("/out/sub/d.jpg") == memory.cat_file("/out/A.JPG")
    assert "12 translated, 0 skipped" in call(*command, "--size", 24, code=1)  # ours, and so replaced


def test_what_others_put_there_stays_and_what_is_right_is_adopted(scans, memory, checkpoint):
    upload(memory, scans, "/in")
    command = ("memory://in", "-o", "memory://out", "-c", checkpoint)
    call(*command, code=1)
    memory.rm_file("/out/manifest.parquet")  # nobody knows whose outputs are
    memory.pipe_file("/out/b.png", b"of somebody else")
    before = memory.created("/out/c.tif")
    said = call(*command, code=1)
    assert "10 translated, 0 skipped, 4 refused" in said
    assert "memory://out/b.png: exists and was not made by this job; --overwrite replaces it" in said
    assert memory.cat_file("/out/b.png") == b"of somebody else"
    assert memory.created("/out/c.tif") == before  # it was compared, not written
    assert "11 translated" in call(*command, "--overwrite", code=1)
    assert memory.cat_file("/out/b.png") != b"of somebody else"


def test_shards_make_what_one_job_makes(scans, memory, checkpoint):
    upload(memory, scans, "/in")
    call("memory://in", "-o", "memory://whole", "-c", checkpoint, code=1)
    command = ("memory://in", "-o", "memory://out", "-c", checkpoint)
    for part in ("1/2", "2/2"):
        CliRunner().invoke(main, ["translate", *map(str, command), "--shard", part])
    assert {f"/out/manifest.{part}-of-2.parquet" for part in (1, 2)} <= {*memory.find("/out")}
    assert "0 translated, 11 skipped, 3 refused" in call(*command, code=1)
    assert contents(memory, "/out") == contents(memory, "/whole")
    assert len(records(Address("memory://out"))) == 15


def test_hints_of_a_collection(scans, memory, checkpoint, tmp_path):
    upload(memory, scans, "/in")
    (tmp_path / "hints.json").write_text(json.dumps({"b.png": ["3,4=#a03020"]}))
    asked = ("-c", checkpoint, "--hints", tmp_path / "hints.json")
    call(scans, "-o", tmp_path / "out", *asked, code=1)
    call("memory://in", "-o", "memory://out", *asked, code=1)
    assert contents(memory, "/out") == local(tmp_path / "out")
    (tmp_path / "hints.json").write_text(json.dumps({"x.png": ["3,4=#a03020"]}))
    assert "hints of x.png: no such photo" in call("memory://in", "-o", "memory://out", *asked, code=2)
    assert "--hint is for one photo" in call("memory://in", "-o", "memory://o", "--hint", "1,1=red", code=2)


NAMES = st = [
    f"{stem}.{suffix}" for stem in "aAbBéE" for suffix in ("jpg", "JPG", "png", "gif", "bmp", "heic")
]


def test_a_catalog_names_outputs_as_a_folder_does():
    rng = random.Random(3)
    for trial in range(12):
        names = sorted(rng.sample(NAMES, rng.randint(1, len(NAMES))))
        known = {name: rng.choice(NAMES) for name in names if rng.random() < 0.3}
        suffix = rng.choice([None, ".png", ".jpg"])
        with Catalog() as catalog:
            for name, output in known.items():
                record = {"input": name, "status": "translated", "output": output}
                catalog.add(record, new=False)
            catalog.list_inputs(Entry(name, 1) for name in reversed(names))
            catalog.name_outputs(suffix)
            found = {row.entry.name: row.output for row in catalog.rows()}
        assert found == plan.mirror(names, suffix, known), trial


@pytest.mark.parametrize("most", [2, 1000], ids=["page after page", "folder beside folder"])
def test_a_store_is_listed_whole(s3, most, monkeypatch):
    """Several folders at a time, if a page can name them."""
    names = {f"{folder}{i}.png" for folder in ("", "a/", "b/c/", "b/", "d/") for i in range(5)}
    for name in names:
        s3.pipe_file(f"bucket/listed/{name}", b"")
    store, both, asked = open_store(Address("s3://bucket/listed")), threading.Barrier(2, timeout=120), []
    ask = store.files.call_s3

    def asking(method, **request):
        asked.append(request["Prefix"])
        if most == 1000 and request["Prefix"] in ("listed/a/", "listed/d/"):
            both.wait()  # one alone would not pass
        return ask(method, **{**request, "MaxKeys": min(most, 3 if "Delimiter" not in request else 1000)})

    monkeypatch.setattr(store.files, "call_s3", asking)
    found = list(store.entries())
    assert len(found) == len(names)
    assert {entry.name for entry in found} == names
    assert len({*asked}) == (1 if most == 2 else 4)
    assert {entry.name for entry in store.entries("b")} == {name for name in names if name[0] == "b"}
    assert list(store.entries("e")) == []


# --- what may go wrong ---------------------------------------------------------------------------


def test_one_clear_line(scans, memory, tmp_path, monkeypatch):
    upload(memory, scans, "/in")
    for arguments, said in (
        (("memory://in",), "--output: say where outputs of memory:// go"),
        (("memory://in", "-o", "memory://in/out"), "lies inside the other"),
        (("memory://in/sub", "-o", "memory://in"), "lies inside the other"),
        (("memory://nothing", "-o", "memory://out"), "memory://nothing: no photos there"),
        (("memory://in", "memory://x", "-o", "memory://out"), "are for one folder, or one tar; name one"),
        (
            ("memory://in", "-o", "memory://out", "--report"),
            "--report is for photos in folders of this machine",
        ),
        (("nonsense://in", "-o", "memory://out"), "Protocol not known: nonsense"),
        (("memory://in", "-o", "http://127.0.0.1:9/out"), "not written to this kind of store"),
        ((scans, "--engine", "ray", "-o", scans / "out"), "lies inside the other"),
        (("s3://id:word@bucket/in", "-o", "memory://out"), "s3://bucket/in: leave name and password out"),
    ):
        answer = call(*arguments, code=2)
        assert said in answer
        assert "word@" not in answer
    assert not memory.exists("/out")


@pytest.mark.parametrize(("module", "extra"), [("fsspec", "storage"), ("pyarrow", "storage"), ("ray", "ray")])
def test_a_missing_package_is_named(module, extra, scans, memory, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, module, None)
    ends = ("memory://in", "-o", "memory://out") if module == "fsspec" else (scans, "-o", tmp_path / "out")
    said = call(*ends, "--engine", "ray", code=2)
    assert f"{module} is not installed: pip install 'cyclecolor[{extra}]'" in said


@pytest.mark.parametrize(("kind", "module"), [("gs", "gcsfs"), ("az", "adlfs")])
def test_what_another_cloud_needs_is_named(kind, module, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, module, None)
    said = call(f"{kind}://box/in", "-o", tmp_path / "out", code=2)
    assert f"{kind}://box/in: " in said
    assert f"pip install 'cyclecolor[storage]' {module}" in said


def test_names_that_lead_elsewhere_are_refused(memory, checkpoint, tmp_path):
    content = make(tmp_path / "a.png").read_bytes()
    for name in ("a.png", "../up.png", "x/../../up.png", "/root.png", "x//y.png", "./z.png", "nul\0.png"):
        memory.store[f"/in/{name}"] = memory.open("/tmp/x", "wb")
        memory.store[f"/in/{name}"].write(content)
    entries = [Entry(name[4:], len(content)) for name in memory.store if name.startswith("/in/")]

    collection = collection_of("memory://in", tmp_path / "out/deep", checkpoint)
    collection.source.entries = lambda under="": iter(entries)
    found = {record["input"]: record for record in collection.run()}
    assert found.pop("a.png")["status"] == "translated"
    assert {record["code"] for record in found.values()} == {"unsafe-name"}
    assert len(found) == 6
    assert {*local(tmp_path)} == {"a.png", "out/deep/a.png"}


def test_links_in_the_output_are_not_followed(scans, memory, checkpoint, tmp_path):
    upload(memory, scans, "/in")
    for folder in ("out", "elsewhere"):
        (tmp_path / folder).mkdir()
    (tmp_path / "out/sub").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "out/b.png").symlink_to(scans / "b.png")
    before = (scans / "b.png").read_bytes()
    said = call("memory://in", "-o", tmp_path / "out", "-c", checkpoint, code=1)
    assert "9 translated, 0 skipped, 5 refused" in said
    assert "leads out of the output folder" in said
    assert "b.png: exists" in said
    assert (scans / "b.png").read_bytes() == before
    assert not list((tmp_path / "elsewhere").iterdir())


def collection_of(source, output, checkpoint, **options):
    """A job of threads."""
    colorizer = load(checkpoint)
    ends = [Address.of(str(place)) or place for place in (source, output)]
    settings = Options(**{"workers": 2, **options})
    work = Work(*ends, "whole", settings, {}, {}, (checkpoint.name, checkpoint.read_bytes()))
    pool = lambda: Threads(2, lambda name: Worker(work, name, colorizer))  # noqa: E731
    return Collection(work, lambda name: settings.digest(colorizer), pool)


def test_bombs_and_large_files_are_refused(memory, checkpoint, tmp_path, monkeypatch):
    make(tmp_path / "in/wide.png", size=(40, 40))
    make(tmp_path / "in/a.png")
    upload(memory, tmp_path / "in", "/in")
    memory.pipe_file("/in/long.png", (tmp_path / "in/a.png").read_bytes() + bytes(1 << 20))
    monkeypatch.setattr("cyclecolor.collection.coloring.BESIDES", 1 << 16)
    found = {
        r["input"]: r.get("code")
        for r in collection_of("memory://in", "memory://out", checkpoint, max_pixels=480).run()
    }
    assert found == {"a.png": None, "wide.png": "too-many-pixels", "long.png": "too-many-bytes"}


# --- a server that is busy, and one that says too much ------------------------------------------


class Busy(BaseHTTPRequestHandler):
    """Says 503 and 429 before each answer; forbids one file, and never ends another."""

    asked: dict[str, int]

    def do_GET(self):
        name = self.path.partition("?")[0]
        self.asked[self.path] = self.asked.get(self.path, 0) + 1
        if self.asked[self.path] <= 2:
            self.send_error((503, 429)[self.asked[self.path] - 1])
            return
        if name == "/forbidden.jpg":
            self.send_error(403)
            return
        self.send_response(200)
        self.end_headers()
        pieces = 1000 if name == "/endless.jpg" else 1
        try:
            for _ in range(pieces):
                self.wfile.write(self.server.content * pieces)
        except (BrokenPipeError, ConnectionResetError):
            return

    def log_message(self, *arguments):
        """Nothing."""


@pytest.fixture
def web():
    """Start a server of HTTP on this machine."""
    servers = []

    def start(handler, content=b""):
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.content, handler.asked = content, {}
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_busy_server_is_asked_again(web, checkpoint, tmp_path, monkeypatch):
    pytest.importorskip("aiohttp")
    monkeypatch.setattr(retrying, "WAITS", (0.01,) * 3)
    photo = make(tmp_path / "a.jpg")
    at = web(Busy, photo.read_bytes())
    address = f"{at}/photo.jpg?X-Amz-Signature=0123456789abcdef"
    said = call(address, "-o", tmp_path / "out", "-c", checkpoint)
    assert "1 translated" in said
    call(photo, "-o", tmp_path / "one.jpg", "-c", checkpoint)
    assert (tmp_path / "out/photo.jpg").read_bytes() == (tmp_path / "one.jpg").read_bytes()
    store = open_store(Address(f"{at}/forbidden.jpg?X-Amz-Signature=0123456789abcdef"))
    with pytest.raises(StorageError, match=r"forbidden\.jpg: access denied") as error:
        store.fetch("forbidden.jpg", tmp_path / "x", 1000)
    assert "0123" not in str(error.value)
    with pytest.raises(TooLarge, match=r"endless\.jpg: more than 100,000 bytes"):
        open_store(Address(f"{at}/endless.jpg")).fetch("endless.jpg", tmp_path / "x", 100_000)
    assert (tmp_path / "x").stat().st_size < 10_000_000
    monkeypatch.setattr(retrying, "WAITS", (0.01,))
    with pytest.raises(StorageError, match=r"late\.jpg: .*429"):
        open_store(Address(f"{at}/late.jpg")).fetch("late.jpg", tmp_path / "x", 1000)


def test_a_list_on_the_web(web, scans, checkpoint, tmp_path):
    pytest.importorskip("aiohttp")

    class Folder(SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(scans))

        def log_message(self, *arguments):
            """Nothing."""

    for name in ("two\nlines.png", "e\u0301.png"):
        (scans / name).unlink()
    call(scans, "-o", tmp_path / "here", "-c", checkpoint, code=1)
    call(web(Folder) + "/", "-o", tmp_path / "out", "-c", checkpoint, code=1)
    assert local(tmp_path / "out") == local(tmp_path / "here")


class BusyS3(BaseHTTPRequestHandler):
    """Says 503 and 429 before it hands a request on to the server behind it; or forbids all."""

    protocol_version = "HTTP/1.1"  # or a client would wait for leave to send a body
    asked: dict[tuple[str, str], int]

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        key = (self.command, self.path)
        self.asked[key] = self.asked.get(key, 0) + 1
        if self.server.content == b"forbidden":
            error = (
                "<Error><Code>InvalidAccessKeyId</Code><Message>no such id: id-of-a-test</Message></Error>"
            )
            self.say(403, [], error.encode())
        elif self.asked[key] <= 2:
            code = (503, 429)[self.asked[key] - 1]
            self.say(code, [], b"<Error><Code>Busy</Code><Message>come again</Message></Error>")
        else:
            with closing(http.client.HTTPConnection(self.server.content.decode())) as behind:
                behind.request(self.command, self.path, body, dict(self.headers))
                found = behind.getresponse()
                self.say(found.status, found.getheaders(), found.read())

    def say(self, status, headers, content):
        self.send_response(status)
        kept = [(k, v) for k, v in headers if k.lower() not in ("transfer-encoding", "content-length")]
        length = dict(headers).get("Content-Length") if self.command == "HEAD" else None
        for name, value in (*kept, ("Content-Length", length or str(len(content)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        """Nothing."""

    def __getattr__(self, name):
        """`do_GET` and its like."""
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)


@pytest.fixture
def before_s3(s3, web, monkeypatch):
    """Start a server that stands before the server of S3, and is the one that is asked from now on."""

    def start(content):
        monkeypatch.setenv("AWS_ENDPOINT_URL", web(BusyS3, content.encode()))
        fsspec.get_filesystem_class("s3").clear_instance_cache()
        return BusyS3.asked

    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # what botocore does by itself takes seconds
    yield start
    fsspec.get_filesystem_class("s3").clear_instance_cache()


def test_a_busy_s3_is_asked_again_and_nothing_tells_the_keys(
    s3, before_s3, checkpoint, tmp_path, monkeypatch
):
    for i in range(3):
        make(tmp_path / f"in/{i}.png", value=20 * i)
    (tmp_path / "in/broken.jpg").write_bytes(b"nothing")
    upload(s3, tmp_path / "in", "bucket/before")
    asked = before_s3(os.environ["AWS_ENDPOINT_URL"].removeprefix("http://"))
    monkeypatch.setattr(retrying, "WAITS", (0.01,) * 3)
    said = call("s3://bucket/before", "-o", "s3://bucket/after", "-c", checkpoint, "-v", code=1)
    call(tmp_path / "in", "-o", tmp_path / "out", "-c", checkpoint, code=1)
    assert "3 translated, 0 skipped, 1 refused, 0 quarantined: s3://bucket/after" in said
    counts = {path.partition("?")[0]: count for (method, path), count in asked.items() if method == "PUT"}
    assert {f"/bucket/after/{name}" for name in ("0.png", "manifest.parquet")} <= counts.keys()
    assert min(counts.values()) == 3
    assert contents(s3, "bucket/after") == local(tmp_path / "out")
    told = said.encode() + b"".join(map(s3.cat_file, s3.find("bucket/after")))
    assert b"of-a-test" not in told


def test_a_store_that_is_closed_is_named_without_keys(before_s3, tmp_path):
    before_s3("forbidden")
    said = call("s3://bucket/in", "-o", tmp_path / "out", "-v", code=1)
    assert "s3://bucket/in: access denied; check the credentials" in said
    assert "of-a-test" not in said


def test_a_flat_folder_is_not_held(tmp_path, monkeypatch):
    """Its first name is told before the second is asked for."""
    for i in range(5):
        (tmp_path / f"{i}.png").touch()
    usual, asked = os.scandir, []

    @contextmanager
    def counted(path):
        with usual(path) as entries:
            yield (asked.append(entry) or entry for entry in entries)

    monkeypatch.setattr(os, "scandir", counted)
    entries = open_store(tmp_path).entries()
    next(entries)
    assert len(asked) == 1
    assert len(list(entries)) == 4


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("403, url='https://host/a.jpg?X-Amz-Signature=abc&X=1'", "403, url='https://host/a.jpg'"),
        ("at s3://id:word@bucket/in: no", "at s3://bucket/in: no"),
        ("bad\nAWSAccessKeyId=AKIA0 and sig", "bad AWSAccessKeyId=... and sig"),
        ("it is hunter2hunter2, you know", "it is ..., you know"),
    ],
)
def test_what_a_library_says_is_told_without_secrets(text, clean, monkeypatch):
    monkeypatch.setenv("MY_SECRET_WORD", "hunter2hunter2")
    assert scrubbed(text) == clean


# --- promises B1 and B2, on a server of S3, with real kills ---------------------------------------


def hundreds(folder, count=300):
    """Photos of which some cannot be read, two crash whoever decodes them, and one does so once."""
    rng = np.random.default_rng(5)
    for i in range(count):
        Image.fromarray(rng.integers(0, 255, (12, 16), np.uint8)).save(folder / f"{i:04}.png")
    for i in range(0, count, 40):
        (folder / f"{i:04}.png").write_bytes((folder / f"{i:04}.png").read_bytes()[:60])
    for i in (17, 171):
        with (folder / f"{i:04}.png").open("ab") as file:
            file.write(CRASH)


def test_every_input_is_accounted_for_whoever_dies(s3, checkpoint, tmp_path, monkeypatch):
    """300 inputs; three workers are killed and the driver, two files crash, eight are refused."""
    monkeypatch.setattr(notes_module, "MOST", 30)
    monkeypatch.setattr(objects, "KEYS", 70)
    (tmp_path / "in").mkdir()
    hundreds(tmp_path / "in")
    upload(s3, tmp_path / "in", "bucket/in")
    colorizer, settings = load(checkpoint), Options(workers=1)
    ends = Address("s3://bucket/in"), Address("s3://bucket/out")
    work = Work(*ends, "whole", settings, {}, {}, (checkpoint.name, checkpoint.read_bytes()))

    def run(kills=(), last=None):
        collection = Collection(
            work, lambda name: settings.digest(colorizer), lambda: Forks(work, colorizer, kills=kills)
        )
        for number, _ in enumerate(collection.run()):
            if number == last:
                os.kill(os.getpid(), signal.SIGKILL)
        return collection

    driver = FORK.Process(target=run, args=((3, 5), 120))
    driver.start()
    driver.join()
    assert driver.exitcode == -signal.SIGKILL
    half = len(s3.find("bucket/out"))
    assert 60 < half < 300
    run(kills=(4,))
    found = records(ends[1])
    names = {path.name for path in (tmp_path / "in").iterdir()}
    assert {*found} == names
    by = {
        s: {n for n, r in found.items() if r["status"] == s} for s in ("translated", "refused", "quarantined")
    }
    assert by["quarantined"] == {"0017.png", "0171.png"}
    assert by["refused"] == {f"{i:04}.png" for i in range(0, 300, 40)}
    assert len(by["translated"]) == 290
    after = contents(s3, "bucket/out")  # no note, no temporary key
    assert {*after} == by["translated"]
    for name in by["quarantined"]:  # nobody survives them
        (tmp_path / "in" / name).unlink()
    list(Job(tmp_path / "in", tmp_path / "out", colorizer, settings).run())
    assert local(tmp_path / "out") == after
    times = {name: info["LastModified"] for name, info in s3.find("bucket/out", detail=True).items()}
    again = Collection(work, lambda name: settings.digest(colorizer), lambda: pytest.fail("nothing is to do"))
    assert list(again.run()) == []
    assert again.settled == {"translated": 290, "refused": 8, "quarantined": 2}
    assert {name: i["LastModified"] for name, i in s3.find("bucket/out", detail=True).items()} == times


def test_what_was_in_hand_when_a_driver_died_is_tried_alone(memory, checkpoint, tmp_path):
    """Apart if it was alone in hand before, and not at all if that was so five times."""
    names = [f"{i}.png" for i in range(6)]
    for name in names:
        memory.pipe_file(f"/in/{name}", make(tmp_path / name).read_bytes())
    notes = Notes(open_store(Address("memory://out")), "whole")
    items = {name: Item(name, name, None, "") for name in names}
    notes.mark("one", [items[name] for name in names[:3]])
    notes.mark("two", [items["4.png"]])
    notes.add({"input": "5.png", "status": "started", "deaths": 4})
    notes.mark("three", [replace(items["5.png"], deaths=3)])  # of the death that is told above
    notes.mark("four", [replace(items["5.png"], deaths=4)])
    for folder in ("whole", "2-of-3"):  # of a shard that has ended, too
        memory.pipe_file(f"/out/.cyclecolor/{folder}/in-hand-x.json", b'{"deaths": {"2.png": 0, "1.png": 0}}')
    memory.pipe_file("/out/.cyclecolor-0123.tmp", b"half")
    batches = []

    class Seen(Threads):
        def submit(self, worker, batch):
            batches.append([(item.name, item.deaths) for item in batch])
            super().submit(worker, batch)

    collection = collection_of("memory://in", "memory://out", checkpoint)
    usual = collection.pool
    collection.pool = lambda: Seen(1, usual().worker)
    found = {record["input"]: record for record in collection.run()}
    assert [("3.png", None)] in batches
    alone = [("0.png", 0), ("1.png", 0), ("2.png", 0), ("4.png", 1)]
    assert sorted(batch[0] for batch in batches if batch != [("3.png", None)]) == alone
    assert all(len(batch) == 1 for batch in batches)
    assert {name for name, record in found.items() if record["status"] == "quarantined"} == {"5.png"}
    assert records(Address("memory://out"))["5.png"]["deaths"] == 5
    assert {*contents(memory, "/out")} == {*names} - {"5.png"}


def test_a_photo_that_ends_the_process_is_quarantined(memory, checkpoint, tmp_path, monkeypatch):
    """Threads die with it: what was marked before it was decoded tells the next job to color it apart."""
    for i in range(4):
        memory.pipe_file(f"/in/{i}.png", make(tmp_path / f"{i}.png", value=i).read_bytes())

    class EndOfProcess(BaseException):
        pass

    def ending(self, task, places, usual=Coloring.photo):
        if task.name == "2.png":
            raise EndOfProcess
        return usual(self, task, places)

    def run():
        collection = collection_of("memory://in", "memory://out", checkpoint)
        usual = collection.pool
        collection.pool = lambda: Threads(1, usual().worker)
        return {record["input"]: record for record in collection.run()}

    monkeypatch.setattr(Coloring, "photo", ending)
    with pytest.raises(EndOfProcess):
        run()
    monkeypatch.setattr(apart, "serve", serve_and_die)
    record = run()["2.png"]
    assert (record["status"], record["deaths"]) == ("quarantined", 2)
    assert record["reason"] == "2.png: a process of its own died of SIGKILL with it alone in hand"
    assert {*contents(memory, "/out")} == {"0.png", "1.png", "3.png"}
    assert run() == {}


def test_what_does_not_come_up_is_no_photos_fault(checkpoint, tmp_path, monkeypatch):
    work = collection_of(tmp_path / "in", tmp_path / "out", checkpoint).work
    item, task = Item("a.png", "a.png", None, "", deaths=1), SimpleNamespace()
    (record,) = apart.color_apart(
        replace(work, checkpoint=("a.safetensors", b"")), item, task, ("s3://a.png", "")
    )
    assert (record["status"], record["code"]) == ("refused", "failed")
    assert record["reason"].startswith("s3://a.png: no process of its own comes up for it (CycleColorError: ")
    monkeypatch.setattr(apart, "serve", serve_nothing)
    (record,) = apart.color_apart(work, item, task, ("s3://a.png", ""))
    assert (record["status"], record["code"]) == ("refused", "failed")
    assert "(it ended at once); try again" in record["reason"]


@pytest.mark.parametrize(("limit", "status"), [(None, "translated"), (2, "quarantined")])
def test_workers_killed_from_outside_quarantine_no_sound_photo(
    limit, status, checkpoint, tmp_path, monkeypatch
):
    """Though two die with it alone in hand, its output written; what a limit of two leaves is taken back."""
    if limit:
        monkeypatch.setattr(dispatch, "LAST_DEATH", limit)
    for i in range(6):
        make(tmp_path / f"in/{i}.png", value=i)

    def killed(self, batch, usual=Worker.__call__):
        found = usual(self, batch)
        if [item.name for item in batch] == ["3.png"] and (batch[0].deaths or 0) < 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    monkeypatch.setattr(Worker, "__call__", killed)
    collection = collection_of(tmp_path / "in", tmp_path / "out", checkpoint)
    collection.pool = lambda: Forks(collection.work, load(checkpoint))
    found = {record["input"]: record["status"] for record in collection.run()}
    assert found.pop("3.png") == status
    assert {*found.values()} == {"translated"}
    assert {*local(tmp_path / "out")} == {f"{i}.png" for i in range(6)} - (
        {"3.png"} if status == "quarantined" else set()
    )


def test_control_c_finishes_the_batch_in_hand(memory, checkpoint, tmp_path, monkeypatch):
    for i in range(40):
        memory.pipe_file(f"/in/{i:02}.png", make(tmp_path / f"{i:02}.png", value=i).read_bytes())
    colorize, begun = ChromaColorizer.colorize, []

    def interrupted(self, photo):
        begun.append(photo)
        if len(begun) == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return colorize(self, photo)

    monkeypatch.setattr(ChromaColorizer, "colorize", interrupted)
    command = ("memory://in", "-o", "memory://out", "-c", checkpoint)
    assert "the same command continues from here" in call(*command, "--workers", 1, code=130)
    done = contents(memory, "/out")
    assert 4 <= len(done) < 40
    assert {*done} == {
        name for name, r in records(Address("memory://out")).items() if r["status"] == "translated"
    }
    monkeypatch.undo()
    assert f"{40 - len(done)} translated, {len(done)} skipped" in call(*command)


def test_an_output_that_is_lost_after_it_was_written_is_made_again(memory, checkpoint, tmp_path):
    """What a worker says is not trusted: the store is listed."""
    for i in range(5):
        memory.pipe_file(f"/in/{i}.png", make(tmp_path / f"{i}.png", value=i).read_bytes())

    lost = ["2.png", "3.png", "3.png"]

    class Losing(Threads):
        def events(self):
            found = super().events()
            for record in (record for event in found for record in event.records):
                if record["input"] in lost:
                    lost.remove(record["input"])
                    memory.rm_file(f"/out/{record['input']}")
            return found

    collection = collection_of("memory://in", "memory://out", checkpoint)
    usual = collection.pool
    collection.pool = lambda: Losing(1, usual().worker)
    said = list(collection.run())
    assert [record["input"] for record in said].count("2.png") == 2
    assert said[-1]["code"] == "lost"
    assert {*contents(memory, "/out")} == {"0.png", "1.png", "2.png", "4.png"}


# --- Ray -----------------------------------------------------------------------------------------


def test_machines_that_join_later_get_workers(monkeypatch):
    ray = MagicMock()  # in the place of the package
    ray.cluster_resources.return_value = {"memory": 1e9}  # a head that does no work itself
    ray.wait.return_value = ([], [])
    ray.remote.return_value.return_value.remote.side_effect = lambda work: MagicMock()
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr(ray_actors, "EVERY", 0)
    work = SimpleNamespace(device=None)
    pool, three = ray_actors.RayActors(work), ray_actors.RayActors(work, 3)
    assert pool.size == 1
    for cpus, size in ((1, 1), (5, 5), (2, 5), (6, 6)):
        ray.cluster_resources.return_value = {"CPU": float(cpus)}
        assert pool.events() == three.events() == []
        assert (pool.size, len(pool.starting)) == (size, size - 1)
    assert (three.size, len(three.starting)) == (3, 0)


def test_workers_of_ray_need_not_be_where_the_command_is(checkpoint, tmp_path, monkeypatch):
    make(tmp_path / "in/a.png")
    (tmp_path / "elsewhere").mkdir()

    def actors(work, size):
        os.chdir(tmp_path / "elsewhere")
        return Threads(1, lambda name: Worker(work, name, load(checkpoint)))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ray_actors, "RayActors", actors)
    assert "1 translated" in call("in", "--engine", "ray", "-c", checkpoint)
    assert (tmp_path / "in_color/a.png").exists()
    monkeypatch.chdir(tmp_path)
    assert "1 translated" in call("in", "-o", "out", "--engine", "ray", "-c", checkpoint)
    assert (tmp_path / "out/a.png").exists()


def test_ray_makes_the_bytes_of_the_local_command(checkpoint, tmp_path):
    """Two actors: one photo ends the process that decodes it, once; one is refused."""
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    for i in range(12):
        make(tmp_path / f"in/{i:02}.png", value=5 * i)
    with (tmp_path / "in/08.png").open("ab") as file:
        file.write(CRASH_ONCE + os.fsencode(tmp_path / "taken away"))
    (tmp_path / "in/05.png").write_bytes(b"nothing")
    command = ("translate", tmp_path / "in", "-c", checkpoint)
    driver = [sys.executable, Path(__file__).with_name("ray_driver.py"), *command, "-o", tmp_path / "out"]
    said = subprocess.run([*map(str, driver), "--engine", "ray"], capture_output=True, text=True, check=False)
    if said.returncode == TOO_BUSY:
        pytest.skip("this machine is too busy for Ray to start")
    assert said.returncode == 1, said.stderr
    assert "11 translated, 0 skipped, 1 refused, 0 quarantined" in said.stdout
    assert (tmp_path / "taken away").exists()
    call(tmp_path / "in", "-c", checkpoint, "-o", tmp_path / "here", code=1)
    assert local(tmp_path / "out") == local(tmp_path / "here")
    assert {
        record["input"] for record in read_manifest(open_store(tmp_path / "out"), "manifest.parquet")
    } == {path.name for path in (tmp_path / "in").iterdir()}
    assert not (tmp_path / "out/.cyclecolor").exists()
