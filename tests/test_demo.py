"""The page, as a person uses it: in headless Chromium, where that, Selenium and Gradio are there."""

import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from conftest import tiny_experiment
from page_client import PATIENCE, served
from PIL import Image

from cyclecolor.data import render_scene
from cyclecolor.training import train

pytest.importorskip("gradio")

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
# What Chromium may ask of other machines on its own behalf does not count.
QUIET = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-proxy-server")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    return train(tiny_experiment(num_steps=1, method="regression"), tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def address(checkpoint):
    """A page of its own."""
    with served(checkpoint) as (address, _):
        yield address


@pytest.fixture(scope="module")
def photo(tmp_path_factory) -> Path:
    """A gray photo that says where it was taken, 120 x 90."""
    path = tmp_path_factory.mktemp("photos") / "my photo.jpg"
    exif = Image.Exif()
    exif[0x010E] = "The harbor, 1931"
    scene = Image.fromarray(render_scene(3, 1, size=120)).convert("L").crop((0, 0, 120, 90))
    scene.save(path, exif=exif, quality=95)
    return path


@pytest.fixture
def page(address):
    """A browser that has opened the page."""
    webdriver = pytest.importorskip("selenium.webdriver")
    if not (BROWSER and DRIVER):
        pytest.skip("no chromium and chromedriver here")
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in (*QUIET, "--window-size=1200,1400"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        driver.set_page_load_timeout(PATIENCE)
        driver.get(address)
        until(lambda: driver.find_elements("css selector", "#photos input[type=file]"))
        yield driver
        # The page's own rules refused nothing that it wanted.
        refused = [
            entry["message"] for entry in driver.get_log("browser") if "Content Security" in entry["message"]
        ]
        assert not refused
    finally:
        driver.quit()


def until(found):
    """The first true answer of a question that is asked again and again."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if answer := found():
            return answer
        time.sleep(0.5)
    raise TimeoutError("the page did not come to it")


def upload(page, *paths) -> None:
    page.find_element("css selector", "#photos input[type=file]").send_keys("\n".join(map(str, paths)))


def shown(page) -> list[str]:
    """Addresses of the pictures before and after."""
    sources = [image.get_attribute("src") for image in page.find_elements("css selector", "#slider img")]
    return sources if len(sources) == 2 and all(sources) else []


def get(url: str) -> bytes:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=PATIENCE) as answer:
        return answer.read()


def test_a_photo_from_upload_to_download(page, photo, checkpoint, tmp_path):
    from selenium.webdriver import ActionChains

    upload(page, photo)
    before, after = until(lambda: shown(page))
    assert Image.open(urllib.request.urlopen(before)).size == (120, 90)

    # The slider moves: what is cut off of the picture on top changes.
    slider = page.find_element("css selector", "#slider")
    was = slider.get_attribute("outerHTML")
    image = page.find_element("css selector", "#slider img")
    ActionChains(page).drag_and_drop_by_offset(image, 60, 0).perform()
    until(lambda: slider.get_attribute("outerHTML") != was)

    # A click on a place makes a hint of it, and the picture changes there.
    place = page.find_element("css selector", "#place img")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", place)
    width, height = place.size["width"], place.size["height"]
    ActionChains(page).move_to_element_with_offset(place, width // 4, height // 4).click().perform()
    text = until(lambda: page.find_element("css selector", "#hints textarea").get_property("value"))
    x, y = map(int, re.fullmatch(r"(\d+),(\d+)=#a03020", text).groups())
    assert (x, y) == pytest.approx((90, 67), abs=4)
    hinted = until(lambda: (now := shown(page)) and now[1] != after and now)[1]
    first, second = (
        np.asarray(Image.open(urllib.request.urlopen(url)).convert("RGB")) for url in (after, hinted)
    )
    change = np.abs(first.astype(int) - second).sum(axis=2)
    assert change[y, x] > 20
    assert change[y, x] > 2 * change[5, 5]

    # The file is what `translate` writes.
    page.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path / "downloads")}
    )
    page.find_element("css selector", "#one").click()
    downloaded = until(lambda: [*(tmp_path / "downloads").glob("*.jpg")])[0]
    assert downloaded.name == "my photo_color.jpg"
    target = tmp_path / "made.jpg"
    line = [sys.executable, "-m", "cyclecolor", "translate", photo, "-o", target, "-c", checkpoint]
    subprocess.run([*line, "--hint", text], check=True, capture_output=True)
    assert downloaded.read_bytes() == target.read_bytes()
    with Image.open(target) as made:
        assert made.getexif()[0x010E] == "The harbor, 1931"


def test_a_broken_file_shows_its_reason(page, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"not a photo")
    upload(page, tmp_path / "broken.jpg")
    said = until(lambda: [e.text for e in page.find_elements("css selector", ".toast-body") if e.text])
    assert "broken.jpg" in said[0]
    assert str(tmp_path) not in said[0]


def test_several_photos_into_one_archive(page, photo, tmp_path):
    other = shutil.copy(photo, tmp_path / "other.jpg")
    upload(page, photo, other)
    until(lambda: shown(page))
    page.find_element("css selector", "#everything").click()
    link = until(lambda: page.find_elements("css selector", "#archive a[href]"))[0]
    (tmp_path / "photos.zip").write_bytes(get(link.get_attribute("href")))
    shutil.unpack_archive(tmp_path / "photos.zip", tmp_path / "all")
    assert {path.name for path in (tmp_path / "all").iterdir()} == {"my photo_color.jpg", "other_color.jpg"}
