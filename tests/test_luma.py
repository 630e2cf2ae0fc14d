"""Lossless luma: the bits of a gray JPEG in a color one."""

import io
import json

import cv2
import numpy as np
import pytest
from conftest import PAPER, tiny_experiment
from conftest import run_translate as call
from PIL import Image
from test_photos import gamma_curve, gray_profile

from cyclecolor.photos import Metadata, Photo, PhotoError, read_luma, read_photo, write_photo
from cyclecolor.photos.luma import luma_of
from cyclecolor.training import train

SIZES = [(1, 1), (16, 16), (37, 50), (64, 81)]


def grain(size, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, size, np.uint8)


def gray_jpeg(pixels, **options) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", **{"quality": 80, **options})
    return out.getvalue()


def colors(size) -> np.ndarray:
    """(H, W, 3), chroma that changes slowly."""
    rows, columns = np.mgrid[: size[0], : size[1]] / max(size)
    return np.rint(np.stack([90 + 80 * rows, np.full(size, 110), 150 - 70 * columns], axis=2)).astype(
        np.uint8
    )


def planes(path) -> np.ndarray:
    """Y, Cb and Cr as they are coded, chroma brought to full size."""
    with Image.open(path) as image:
        image.draft("YCbCr", None)
        return np.asarray(image.convert("YCbCr") if image.mode != "YCbCr" else image)


def luma(path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image) if image.mode == "L" else planes(path)[..., 0]


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize(
    "coded",
    [
        {},
        {"progressive": True},
        {"optimize": True, "quality": 30},
        {"restart_marker_blocks": 2},
        {"progressive": True, "restart_marker_blocks": 3},
    ],
    ids=["plain", "progressive", "optimized", "restarts", "both"],
)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_luma_is_equal_and_chroma_is_the_photos(tmp_path, size, coded, subsampling):
    source, output = tmp_path / "gray.jpg", tmp_path / "color.jpg"
    source.write_bytes(gray_jpeg(grain(size), **coded))
    kept, photo = read_luma(source), Photo(colors(size), None, Metadata())
    write_photo(photo, output, quality=98, subsampling=subsampling, luma=kept)
    np.testing.assert_array_equal(luma(output), luma(source))
    wanted = cv2.cvtColor(photo.pixels, cv2.COLOR_RGB2YCrCb)[..., [2, 1]]
    assert np.abs(planes(output)[..., 1:].astype(int) - wanted).max() <= 6
    scans = [content for marker, content in kept.parts if marker == 0xDA]
    assert all(scan[12:] in output.read_bytes() for scan in scans)  # behind the header of a scan


def renumbered(jpeg: bytes) -> bytes:
    """Its component called 7, its quantization table 1, as some scanners write."""
    frame = jpeg.index(b"\xff\xc0")
    scan, table = jpeg.index(b"\xff\xda"), jpeg.index(b"\xff\xdb")
    changed = bytearray(jpeg)
    changed[frame + 10], changed[frame + 12] = 7, 1
    changed[scan + 5], changed[table + 4] = 7, 1
    return bytes(changed)


def adobe(jpeg: bytes) -> bytes:
    """With Adobe's marker, which in a color file says that it is RGB."""
    return jpeg[:2] + b"\xff\xee\x00\x0eAdobe\x00\x64" + bytes(5) + jpeg[2:]


def filled(jpeg: bytes) -> bytes:
    """With filling bytes before markers, and rubbish behind the end."""
    scan = jpeg.index(b"\xff\xda")
    return jpeg[:scan] + b"\xff\xff" + jpeg[scan:] + b"\xff\xd9rubbish"


@pytest.mark.parametrize("change", [renumbered, adobe, filled])
def test_other_writers_files(tmp_path, change):
    source, output = tmp_path / "gray.jpg", tmp_path / "color.jpg"
    source.write_bytes(change(gray_jpeg(grain((40, 50)))))
    write_photo(Photo(colors((40, 50)), None, Metadata()), output, luma=read_luma(source))
    np.testing.assert_array_equal(luma(output), luma(source))
    decoded = read_photo(output).pixels.astype(int)
    assert np.abs((decoded[..., 0] - decoded[..., 2]).mean() - (130 - 115)) < 12  # not taken for RGB


def arithmetic(jpeg: bytes) -> bytes:
    return jpeg.replace(b"\xff\xc0", b"\xff\xc9")


def twelve_bits(jpeg: bytes) -> bytes:
    return jpeg.replace(b"\xff\xc0\x00\x0b\x08", b"\xff\xc0\x00\x0b\x0c")


def without_scan(jpeg: bytes) -> bytes:
    return jpeg[: jpeg.index(b"\xff\xda")] + b"\xff\xd9"


def height_later(jpeg: bytes) -> bytes:
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + b"\0\0" + jpeg[at + 2 :]


@pytest.mark.parametrize(
    "change", [arithmetic, twelve_bits, without_scan, height_later, lambda jpeg: jpeg[2:]]
)
def test_what_is_left_alone(change):
    jpeg = gray_jpeg(grain((40, 50)))
    assert luma_of(jpeg) is not None
    assert luma_of(change(jpeg)) is None


@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
def test_luma_is_of_gray_jpegs_that_are_shown_as_they_are_stored(tmp_path, mode):
    """Not of colors, of what is turned upright, or of what a profile changes."""
    path, gray = tmp_path / "a.jpg", Image.fromarray(grain((8, 16)))
    turned = Image.Exif()
    turned[0x0112] = 3
    gray.convert(mode).save(path)
    assert read_luma(path) is None
    for options, kept in (
        ({"exif": turned}, False),
        ({"icc_profile": gray_profile(gamma_curve(1.0))}, False),
        ({}, True),
    ):
        gray.save(path, **options)
        assert (read_luma(path) is not None) == kept
    gray.save(tmp_path / "a.png")
    assert read_luma(tmp_path / "a.png") is None


def test_broken_bytes_give_a_luma_or_none():
    """Cut anywhere or with any byte changed: nothing is raised."""
    jpeg, rng = gray_jpeg(grain((24, 24)), progressive=True), np.random.default_rng(0)
    assert all(luma_of(jpeg[:end]) is None for end in range(jpeg.index(b"\xff\xda")))
    for at, value in zip(rng.integers(0, len(jpeg), 2000), rng.integers(0, 256, 2000), strict=True):
        changed = bytearray(jpeg)
        changed[at] = value
        luma_of(bytes(changed))


def test_damaged_files_that_are_read_keep_their_luma(tmp_path):
    """What a decoder makes of damage in the coded data, it makes of the same data in the other file."""
    jpeg, rng, kept = gray_jpeg(grain((40, 40))), np.random.default_rng(0), 0
    source, output = tmp_path / "gray.jpg", tmp_path / "color.jpg"
    for _ in range(150):
        changed = bytearray(jpeg)
        changed[rng.integers(jpeg.index(b"\xff\xda"), len(jpeg))] = rng.integers(0, 256)
        source.write_bytes(changed)
        try:
            photo, found = read_photo(source), read_luma(source)
        except PhotoError:
            continue
        if found and photo.pixels.shape == (40, 40, 1):
            write_photo(Photo(colors((40, 40)), None, Metadata()), output, luma=found)
            np.testing.assert_array_equal(luma(output), luma(source))
            kept += 1
    assert kept > 50


def test_an_archive_says_whose_luma_was_kept(checkpoint, tmp_path):
    scans = tmp_path / "scans"
    scans.mkdir()
    pixels = np.clip(grain((48, 64)) // 4 + 90, 0, 255).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned
    files = {
        "plain.jpg": {"dpi": (300, 300)},
        "progressive.jpg": {"progressive": True},
        "profile.jpg": {"icc_profile": gray_profile(gamma_curve(1.8))},
        "turned.jpg": {"exif": exif},
    }
    for name, options in files.items():
        (scans / name).write_bytes(gray_jpeg(pixels, **options))
    Image.fromarray(np.dstack([pixels] * 3)).save(scans / "color.jpg")
    Image.fromarray(pixels).save(scans / "gray.png")
    out = tmp_path / "out"
    arguments = scans, "-o", out, "-c", checkpoint, "--lossless-luma", "--subsampling", "4:2:0"
    assert "luma of gray JPEGs kept: 2, encoded again: 4" in call(*arguments, "--saturation", 3)
    records = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert {r["input"] for r in records if r["luma"] == "kept"} == {"plain.jpg", "progressive.jpg"}
    for name in ("plain.jpg", "progressive.jpg"):
        np.testing.assert_array_equal(luma(out / name), luma(scans / name))
        with Image.open(out / name) as image:
            assert image.mode == "RGB"
            assert image.info["icc_profile"]
            assert b"Colors are inferred" in image.info["xmp"]
    with Image.open(out / "plain.jpg") as image:
        assert image.info["dpi"] == (300, 300)
    assert read_photo(out / "turned.jpg").pixels.shape == (64, 48, 3)
    assert "6 skipped" in call(*arguments, "--saturation", 3)
    assert "6 translated" in call(*arguments[:-3], "--saturation", 3)


def test_lossless_luma_is_refused_where_it_means_nothing(checkpoint, tmp_path):
    scan = tmp_path / "a.jpg"
    scan.write_bytes(gray_jpeg(grain((24, 24))))
    whole = train(tiny_experiment(num_steps=1, **PAPER), tmp_path / "run")
    for arguments in (
        ("-c", checkpoint, "--direction", "to-gray"),
        ("-c", checkpoint, "--format", "png"),
        ("-c", checkpoint, "-o", tmp_path / "a.png"),
        ("-c", whole),
    ):
        assert "--lossless-luma works only for JPEG" in call(scan, "--lossless-luma", *arguments, code=2)
