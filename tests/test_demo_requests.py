"""The page as its requests see it, without a browser: what comes out, and what is refused (promise W1)."""

import json
import re
import shutil
import urllib.error
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import tiny_experiment
from page_client import API, PageClient, PageError, served
from PIL import Image

from cyclecolor.cli.main import main
from cyclecolor.data import render_scene
from cyclecolor.training import train

pytest.importorskip("gradio")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    return train(tiny_experiment(num_steps=1, method="regression"), tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def address(checkpoint):
    with served(checkpoint) as (address, _):
        yield address


@pytest.fixture
def page(address) -> PageClient:
    return PageClient(address)


@pytest.fixture
def photo(tmp_path) -> Path:
    """A gray photo that says where it was taken, 120 x 90."""
    exif = Image.Exif()
    exif[0x010E] = "The harbor, 1931"
    scene = Image.fromarray(render_scene(3, 1, size=120)).convert("L").crop((0, 0, 120, 90))
    scene.save(tmp_path / "my photo.jpg", exif=exif, quality=95)
    return tmp_path / "my photo.jpg"


@pytest.fixture
def translated(checkpoint, tmp_path):
    """What the command makes of a photo."""

    def run(photo, *arguments) -> bytes:
        target = tmp_path / "made.jpg"
        line = ["translate", str(photo), "-o", str(target), "-c", str(checkpoint), "--overwrite", *arguments]
        result = CliRunner().invoke(main, line)
        assert result.exit_code == 0, result.output
        return target.read_bytes()

    return run


# --- what comes out -----------------------------------------------------------------------------


def test_the_download_is_what_translate_writes(page, photo, translated):
    uploaded = page.upload(photo)
    hint = "30,22=#a03020"
    before, shown, button, *_ = page.press("go", photos=[uploaded], hints=hint)
    assert before[0] == shown
    assert button["value"]["orig_name"] == "my photo_color.jpg"
    made = page.file(button["value"])
    assert made == translated(photo, "--hint", hint)
    assert b"The harbor, 1931" in made
    plain = page.file(page.press("go", photos=[uploaded])[2]["value"])
    assert plain == translated(photo)
    assert plain != made


def test_a_reference_is_followed(page, photo, translated, tmp_path):
    Image.fromarray(render_scene(3, 2, size=96)).save(tmp_path / "other.png")
    given = {"photos": [page.upload(photo)], "reference": page.upload(tmp_path / "other.png")}
    made = page.file(page.press("go", **given)[2]["value"])
    assert made == translated(photo, "--reference", str(tmp_path / "other.png"))


def test_all_into_one_archive(page, photo, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"not a photo")
    files = [page.upload(path) for path in (photo, tmp_path / "broken.jpg", photo)]
    archive = page.press("everything", photos=files)[0]["value"]
    (tmp_path / "photos.zip").write_bytes(page.file(archive))
    shutil.unpack_archive(tmp_path / "photos.zip", tmp_path / "all")
    names = {path.name for path in (tmp_path / "all").iterdir()}
    assert names == {"my photo_color.jpg", "3_my photo_color.jpg"}


def test_hints_of_each_photo_are_in_the_archive(page, photo, translated, tmp_path):
    """Those with which a photo was colored last, and for the one that is shown, what stands on the page."""
    other = tmp_path / "other.jpg"
    Image.fromarray(render_scene(3, 2, size=96)).convert("L").save(other)
    files = [page.upload(path) for path in (photo, other)]
    first, second = "30,22=#a03020", "40,40=#2050c0"
    page.press("photos", "change", photos=files)  # now they can be chosen
    page.press("go", photos=files, photo="0", hints=first)
    archive = page.press("everything", photos=files, photo="1", hints=second)[0]["value"]
    (tmp_path / "photos.zip").write_bytes(page.file(archive))
    shutil.unpack_archive(tmp_path / "photos.zip", tmp_path / "all")
    for path, hint in ((photo, first), (other, second)):
        made = (tmp_path / "all" / f"{path.stem}_color.jpg").read_bytes()
        assert made == translated(path, "--hint", hint), path.name


def test_hints_come_back_with_their_photo(page, photo, tmp_path):
    other = shutil.copy(photo, tmp_path / "other.jpg")
    files = [page.upload(path) for path in (photo, Path(other))]
    page.press("photos", "change", photos=files)
    page.press("go", photos=files, photo="1", hints="30,22=#a03020")
    assert page.press("photo", "input", photos=files, photo="0") == [""]
    assert page.press("photo", "input", photos=files, photo="1") == ["30,22=#a03020"]


# --- what is refused ----------------------------------------------------------------------------


def test_a_broken_file_is_told_by_its_reason(page, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"not a photo")
    with pytest.raises(PageError, match=r"^broken\.jpg: "):
        page.press("go", photos=[page.upload(tmp_path / "broken.jpg")])


def test_a_gray_reference_is_told_by_its_reason(page, photo):
    uploaded = page.upload(photo)
    with pytest.raises(PageError, match=r"^my photo\.jpg: a reference needs colors"):
        page.press("go", photos=[uploaded], reference=uploaded)


def test_a_bomb_is_refused(page, tmp_path):
    Image.new("1", (8000, 8000)).save(tmp_path / "bomb.png")  # 64 megapixels in a few kilobytes
    with pytest.raises(PageError, match=r"^bomb\.png: .*pixels"):
        page.press("go", photos=[page.upload(tmp_path / "bomb.png")])


@pytest.mark.parametrize(
    "control",
    [
        {"checkpoint": "/etc/passwd"},
        {"checkpoint": "../../run"},
        {"size": 100_000},
        {"size": -16},
        {"saturation": 1e9},
        {"direction": "to-anything"},
    ],
)
def test_controls_take_what_the_page_offers_alone(page, photo, control):
    (name,) = control
    assert name in page.ids.values()
    with pytest.raises(PageError) as refused:
        page.press("go", photos=[page.upload(photo)], **control)
    assert "NoneType" not in str(refused.value)


@pytest.mark.parametrize("path", ["/etc/passwd", "/etc/../etc/passwd", "pyproject.toml"])
def test_no_file_but_an_uploaded_one_is_read(page, path):
    file = {"path": path, "orig_name": "a.jpg", "meta": {"_type": "gradio.FileData"}}
    with pytest.raises((PageError, urllib.error.HTTPError)):
        page.press("go", photos=[file])


@pytest.mark.parametrize(
    "path",
    [
        f"{API}/file=/etc/passwd",
        f"{API}/file=../../../../etc/passwd",
        f"{API}/file=http://127.0.0.1:22/",
        f"{API}/file=pyproject.toml",
        f"{API}/proxy=http://127.0.0.1:22/",
        f"{API}/openapi.json",
    ],
)
def test_the_page_gives_no_files_of_others(page, path):
    with pytest.raises(urllib.error.HTTPError) as refused:
        page.get(path)
    assert refused.value.code in (403, 404)
    refused.value.close()


@pytest.mark.parametrize(
    ("path", "body", "headers", "code"),
    [
        (f"{API}/upload", b"", {"Content_Length": str(200 << 20)}, 413),
        (f"{API}/queue/join", b"{}", {"Origin": "http://evil.example"}, 403),
        (f"{API}/queue/join", json.dumps({"data": [{"path": "http://127.0.0.1:22/"}]}).encode(), {}, 403),
        (f"{API}/call/color_one", b"{}", {}, 404),
        ("", None, {"Host": "evil.example"}, 403),
    ],
)
def test_hostile_requests_are_refused(page, path, body, headers, code):
    with pytest.raises(urllib.error.HTTPError) as refused:
        page.request(path, body, **headers)
    assert refused.value.code == code
    refused.value.close()


def test_nothing_on_the_page_comes_from_elsewhere(page):
    """Neither what it loads nor what its settings name, but links to be clicked."""
    text = page.get("").decode()
    loaded = re.findall(r"""<(?:script|link|img|iframe)[^>]*(?:src|href)=["'](https?:)?//([^"'/]+)""", text)
    assert [host for _, host in loaded if host != page.address.removeprefix("http://")] == []
