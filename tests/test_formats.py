"""Formats that are known by their first bytes, those that optional packages read, JPEGs without an end."""

import io
import struct
import sys
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from cyclecolor.photos import Metadata, Photo, PhotoError, exif, jpeg, read_photo, read_rgb8, write_photo
from cyclecolor.photos.formats import format_of
from cyclecolor.photos.icc import srgb_encoded
from cyclecolor.photos.tiff.fields import Field, numbers

H, W = 40, 56
RAMP = np.add.outer(2 * np.arange(H), 2 * np.arange(W)).astype(np.uint8)
COLORS = np.dstack([RAMP, 255 - RAMP, RAMP // 2])


def jpeg_of(image, **options):
    out = io.BytesIO()
    image.save(out, "JPEG", **{"quality": 90, **options})
    return out.getvalue()


CODED = {
    "gray": (Image.fromarray(RAMP), {}),
    "color": (Image.fromarray(COLORS), {}),
    "progressive": (Image.fromarray(COLORS), {"progressive": True}),
    "restarts": (Image.fromarray(RAMP), {"restart_marker_blocks": 3}),
    "optimized": (Image.fromarray(COLORS), {"optimize": True, "quality": 30}),
}


@pytest.mark.parametrize("coded", CODED)
@pytest.mark.parametrize("kept", [b"", b"\xff"])
def test_a_jpeg_without_its_end_marker_is_whole(tmp_path, coded, kept):
    image, options = CODED[coded]
    content = jpeg_of(image, **options)
    (tmp_path / "whole.jpg").write_bytes(content)
    (tmp_path / "a.jpg").write_bytes(content[:-2] + kept)
    whole, photo = (read_photo(tmp_path / name) for name in ("whole.jpg", "a.jpg"))
    np.testing.assert_array_equal(photo.pixels, whole.pixels)
    assert photo.warnings == ("the end marker is missing; the picture is whole",)
    assert whole.warnings == ()
    assert read_rgb8(tmp_path / "a.jpg", short_side=10).shape == (10, 14, 3)


def small_jpegs():
    """Of all sizes from 8 x 8 on, gray and color, coded in every way."""
    random, ways = np.random.default_rng(0), [options for _, options in CODED.values()]
    for number in range(60):
        height, width = random.integers(8, 60, 2).tolist()
        few = Image.fromarray(random.integers(0, 255, (5, 5, 3)).astype(np.uint8))
        image = few.resize((width, height), Image.Resampling.BICUBIC)
        yield jpeg_of(image.convert("L") if number % 2 else image, **ways[number % len(ways)])


def test_a_missing_end_is_said_and_a_missing_byte_before_it_never_passes_for_none(tmp_path):
    """The last byte may hold a single bit of the picture, and a decoder may want none of the end."""
    path = tmp_path / "a.jpg"
    for content in small_jpegs():
        whole = np.asarray(Image.open(io.BytesIO(content)))
        path.write_bytes(content[:-2])
        photo = read_photo(path)
        assert photo.warnings == ("the end marker is missing; the picture is whole",)
        np.testing.assert_array_equal(photo.pixels.squeeze(), whole)
        for cut in (3, 4, 5):
            path.write_bytes(content[:-cut])
            with suppress(PhotoError):
                photo = read_photo(path)
                np.testing.assert_array_equal(photo.pixels.squeeze(), whole)
                assert photo.warnings


@pytest.mark.parametrize("coded", CODED)
def test_a_jpeg_that_lacks_rows_stays_refused(tmp_path, coded):
    image, options = CODED[coded]
    content = jpeg_of(image, **options)
    noise = np.random.default_rng(0)
    for cut in (4, 6, 9, 40, 100, *noise.integers(10, len(content) // 3, 10)):
        (tmp_path / "a.jpg").write_bytes(content[:-cut])
        with pytest.raises(PhotoError) as refused:
            read_photo(tmp_path / "a.jpg")
        assert refused.value.reason in ("truncated", "broken")


def test_a_progressive_jpeg_without_its_last_scans_is_refused(tmp_path):
    content = jpeg_of(Image.fromarray(COLORS), progressive=True)
    last = content.rindex(b"\xff\xda")
    tables = content.rindex(b"\xff\xc4", 0, last)
    for end in (last, tables):
        (tmp_path / "a.jpg").write_bytes(content[:end])
        with pytest.raises(PhotoError, match="cut short"):
            read_photo(tmp_path / "a.jpg")


def test_formats_by_their_first_bytes():
    brands = {b"heic": "HEIF", b"mif1": "HEIF", b"avif": "AVIF", b"crx ": "RAW"}
    for brand, name in brands.items():
        assert format_of(b"\0\0\0\x14ftyp" + brand + bytes(4) + b"mif1") == name
    assert format_of(b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif") == "AVIF"
    assert format_of(b"\xff\x0a\0\0") == "JXL"
    assert format_of(b"8BPS\0\1") is None


@pytest.mark.parametrize("top", [255, 1023, 65535])
@pytest.mark.parametrize("channels", [1, 3])
def test_netpbm_keeps_its_bits(tmp_path, top, channels):
    levels = np.arange(H * W * channels).reshape(H, W, channels) * top // (H * W * channels - 1)
    head = f"P{5 if channels == 1 else 6}\n{W} {H}\n{top}\n".encode()
    (tmp_path / "a.ppm").write_bytes(head + levels.astype(">u2" if top > 255 else "u1").tobytes())
    full = 255 if top == 255 else 65535
    read = read_photo(tmp_path / "a.ppm").pixels
    assert np.abs(read - levels * (full / top)).max() <= 1
    assert read.max() == full


def test_deep_jpeg_2000_says_nothing_on_the_standard_error(tmp_path, capfd):
    imagecodecs = pytest.importorskip("imagecodecs")
    deep = COLORS.astype(np.uint16) * 257
    for codec in ("jp2", "j2k"):
        content = imagecodecs.jpeg2k_encode(deep, reversible=True, codecformat=codec)
        (tmp_path / f"a.{codec}").write_bytes(content)
        np.testing.assert_array_equal(read_photo(tmp_path / f"a.{codec}").pixels, deep)
    assert capfd.readouterr() == ("", "")


# --- JPEG of 12 bits, and without loss ------------------------------------------------------------


@pytest.mark.parametrize("options", [{"level": 100, "subsampling": "444"}, {"lossless": True}])
@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_of_12_bits(tmp_path, options, channels):
    imagecodecs = pytest.importorskip("imagecodecs")
    levels = np.arange(H * W).reshape(H, W) * 4095 // (H * W - 1)
    samples = levels.astype(np.uint16) if channels == 1 else np.dstack([levels] * 3).astype(np.uint16)
    content = imagecodecs.jpeg_encode(samples, bitspersample=12, **options)
    (tmp_path / "a.jpg").write_bytes(content)
    photo = read_photo(tmp_path / "a.jpg")
    expected = samples.reshape(H, W, channels) * (65535 / 4095)
    assert np.abs(photo.pixels - expected).max() <= (1 if "lossless" in options else 80)
    with pytest.raises(PhotoError, match="more than 10 pixels"):
        read_photo(tmp_path / "a.jpg", max_pixels=10)


@pytest.mark.parametrize("samples", [RAMP, RAMP.astype(np.uint16) * 257, COLORS], ids=["8", "16", "color"])
def test_jpeg_ls(tmp_path, samples):
    imagecodecs = pytest.importorskip("imagecodecs")
    (tmp_path / "a.jls").write_bytes(imagecodecs.jpegls_encode(samples))
    np.testing.assert_array_equal(read_photo(tmp_path / "a.jls").pixels.squeeze(), samples)


def test_adobe_rgb_of_a_camera_counts(tmp_path):
    inner = [Field(40965, 4, [Field(1, 2, b"R03\0")]), numbers(0xA001, 3, 65535)]
    said = exif.block_of([Field(34665, 4, inner)])
    flat = np.full((16, 16, 3), (120, 160, 90), np.uint8)
    (tmp_path / "a.jpg").write_bytes(jpeg_of(Image.fromarray(flat), quality=100, exif=said))
    # Adobe RGB (1998) to XYZ to sRGB, both under D65.
    adobe = np.array([[0.57667, 0.18556, 0.18823], [0.29734, 0.62736, 0.07529], [0.02703, 0.07069, 0.99134]])
    srgb = np.array([[0.41246, 0.35758, 0.18044], [0.21267, 0.71515, 0.07217], [0.01933, 0.11919, 0.95030]])
    light = np.linalg.inv(srgb) @ adobe @ (np.array([120, 160, 90]) / 255) ** (563 / 256)
    photo = read_photo(tmp_path / "a.jpg")
    assert np.abs(photo.pixels[8, 8] - 255 * srgb_encoded(light)).max() <= 3
    assert b"R98" in photo.metadata.exif


# --- HEIF and JPEG XL -----------------------------------------------------------------------------


def heic(path, image, **options):
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.from_pillow(image).save(path, quality=95, **options)
    return path


@pytest.mark.parametrize("name", ["a.heic", "a.jpg"])
def test_heic(tmp_path, name):
    exif = Image.Exif()
    exif[270] = "a barn"
    path = heic(tmp_path / name.replace(".jpg", ".heic"), Image.fromarray(COLORS), exif=exif.tobytes())
    path = path.rename(tmp_path / name)
    photo = read_photo(path)
    assert np.abs(photo.pixels.astype(int) - COLORS).mean() < 4
    assert b"a barn" in photo.metadata.exif
    with pytest.raises(PhotoError, match="more than 10 pixels"):
        read_photo(path, max_pixels=10)


def test_heic_of_10_bits(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    deep = COLORS.astype(np.uint16) * 257
    pillow_heif.from_bytes("RGB;16", (W, H), deep.tobytes()).save(tmp_path / "a.heic", quality=95)
    photo = read_photo(tmp_path / "a.heic")
    assert photo.pixels.dtype == np.uint16
    assert np.abs(photo.pixels.astype(int) - deep).mean() < 1000


@pytest.mark.parametrize("kind", ["gray", "gray alpha", "rgb", "rgba", "gray16", "rgb16", "rgba16"])
def test_jpeg_xl_without_loss(tmp_path, kind):
    imagecodecs = pytest.importorskip("imagecodecs")
    channels = {"gray": 1, "gray alpha": 2, "rgb": 3, "rgba": 4}[kind.removesuffix("16")]
    samples = np.dstack([COLORS, RAMP])[..., :channels]
    samples = samples.astype(np.uint16) * 257 + 3 * (samples < 200) if kind.endswith("16") else samples
    samples = np.ascontiguousarray(samples.astype(np.uint16) if kind.endswith("16") else samples)
    content = imagecodecs.jpegxl_encode(samples if channels > 1 else samples[..., 0], lossless=True)
    (tmp_path / "a.jxl").write_bytes(content)
    photo = read_photo(tmp_path / "a.jxl")
    read = photo.pixels if photo.alpha is None else np.dstack([photo.pixels, photo.alpha])
    if kind.endswith("16"):  # this encoder says that 16 bits are linear light
        expected = 65535 * srgb_encoded(samples[..., : photo.pixels.shape[2]] / 65535)
        assert np.abs(photo.pixels - expected).max() <= 150  # its primaries are rounded
        assert photo.alpha is None or np.array_equal(photo.alpha, samples[..., -1])
    else:
        np.testing.assert_array_equal(read, samples)
    with pytest.raises(PhotoError, match="56 x 40 is more than 10 pixels"):
        read_photo(tmp_path / "a.jxl", max_pixels=10)


@pytest.mark.parametrize("size", [(8, 8), (64, 64), (513, 7), (300, 200), (9000, 2)])
def test_the_size_of_a_jpeg_xl_is_known_before_it_is_decoded(tmp_path, size):
    imagecodecs = pytest.importorskip("imagecodecs")
    for container in (False, True):
        content = imagecodecs.jpegxl_encode(np.zeros(size[::-1], np.uint8), usecontainer=container)
        (tmp_path / "a.jxl").write_bytes(content)
        with pytest.raises(PhotoError, match=f"{size[0]} x {size[1]} is more"):
            read_photo(tmp_path / "a.jxl", max_pixels=1)


@pytest.mark.parametrize("quality", [95, 100])
def test_jpeg_xl_goes_out_and_comes_back(tmp_path, quality):
    pytest.importorskip("pillow_jxl")
    exif = b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"
    said = Metadata(exif=exif, xmp=b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>', iptc=b"\x1c\x02")
    for photo in (
        Photo(COLORS, RAMP, said),
        Photo(RAMP[..., None], None, said),
        Photo(RAMP[:1, :, None], None, said),
    ):
        written = write_photo(photo, tmp_path / "a.jxl", quality=quality)
        assert written.lost == ("IPTC",)
        back = read_photo(tmp_path / "a.jxl")
        assert np.abs(back.pixels.astype(int) - photo.pixels).mean() < 3
        assert (back.alpha is None) == (photo.alpha is None)
        assert (back.metadata.xmp, back.metadata.exif) == (said.xmp, said.exif)


@pytest.fixture
def plain_install(monkeypatch):
    """Without what the extra brings."""
    hidden = ("imagecodecs", "pi_heif", "pillow_heif", "pillow_jxl")
    for name in hidden:
        monkeypatch.setitem(sys.modules, name, None)  # importing it now fails


@pytest.mark.parametrize("kind", ["heic", "jxl", "jpg"])
def test_without_the_packages_the_message_names_the_extra(tmp_path, plain_install, kind):
    content = {
        "heic": b"\0\0\0\x14ftypheic\0\0\0\0mif1" + bytes(40),
        "jxl": b"\xff\x0a" + bytes(40),
        "jpg": b"\xff\xd8" + jpeg.segment(0xC1, struct.pack(">BHHB3B", 12, H, W, 1, 1, 0x11, 0)) + bytes(9),
    }[kind]
    (tmp_path / f"a.{kind}").write_bytes(content)
    extra = "jxl" if kind == "jxl" else "archive"
    with pytest.raises(PhotoError, match=rf"pip install 'cyclecolor\[{extra}\]'") as refused:
        read_photo(tmp_path / f"a.{kind}")
    assert refused.value.reason == "unsupported"


def test_deep_tiffs_need_no_extra(tmp_path, plain_install):
    from test_tiff import raw_tiff

    samples = np.arange(300, dtype="<u2").reshape(10, 10, 3) * 200
    path = raw_tiff(tmp_path / "a.tif", 10, 10, [16] * 3, samples.tobytes())
    np.testing.assert_array_equal(read_photo(path).pixels, samples)
