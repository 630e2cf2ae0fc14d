"""Photographs: every mode, orientation and profile comes in right, goes out whole or is refused."""

import errno
import io
import os
import struct
import threading
import warnings
import zlib
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFile, JpegImagePlugin, TiffImagePlugin

from cyclecolor.errors import CycleColorError
from cyclecolor.files import atomic_write
from cyclecolor.photos import (
    Metadata,
    Photo,
    PhotoError,
    decode_image,
    encode_image,
    find_photos,
    narrow,
    read_photo,
    read_rgb8,
    write_photo,
)
from cyclecolor.photos import icc as icc_format
from cyclecolor.photos.png import encode_png16
from cyclecolor.photos.tiff.writing import encode_tiff

H, W = 48, 64
RAMP = np.add.outer(2 * np.arange(H), 2 * np.arange(W)).astype(np.uint8)  # 0 to 220, smooth for JPEG
RGB = np.dstack([RAMP, 255 - RAMP, RAMP // 2 + 60])
ALPHA = np.where(np.arange(W) < W // 2, 255, 40).astype(np.uint8) * np.ones((H, 1), np.uint8)
RAMP16 = np.arange(65536, dtype=np.uint16).reshape(256, 256)
RGB16 = np.dstack([RAMP16, RAMP16[::-1], RAMP16.T])


def save(image, path, **options):
    image.save(path, **options)
    return path


# --- color modes --------------------------------------------------------------------------------


def one_bit():
    bits = RAMP > 100
    return Image.fromarray(bits), (255 * bits[..., None]).astype(np.uint8), None


def gray():
    return Image.fromarray(RAMP), RAMP[..., None], None


def gray_alpha():
    return Image.fromarray(np.dstack([RAMP, ALPHA])), RAMP[..., None], ALPHA


def gray_keyed():
    image = Image.fromarray(RAMP)
    image.info["transparency"] = 50
    return image, RAMP[..., None], np.where(RAMP == 50, 0, 255).astype(np.uint8)


def gray16():
    return Image.fromarray(RAMP16), RAMP16[..., None], None


def gray16_big_endian():
    image = Image.frombytes("I;16B", (256, 256), RAMP16.astype(">u2").tobytes())
    return image, RAMP16[..., None], None


def integers():
    return Image.fromarray(RAMP16.astype(np.int32)), RAMP16[..., None], None


def integers8():
    return Image.fromarray(RAMP.astype(np.int32)), RAMP[..., None], None


def floats():
    return Image.fromarray((RAMP16 / 65535).astype(np.float32)), RAMP16[..., None], None


def _palette_image():
    image = Image.frombytes("P", (W, H), (RAMP // 16).tobytes())
    colors = np.stack([np.arange(256), 255 - np.arange(256), np.full(256, 7)], 1).astype(np.uint8)
    image.putpalette(colors.tobytes())
    return image, colors[RAMP // 16]


def palette():
    return *_palette_image(), None


def palette_keyed():
    image, pixels = _palette_image()
    image.info["transparency"] = 3
    return image, pixels, np.where(RAMP // 16 == 3, 0, 255).astype(np.uint8)


def palette_alphas():
    image, pixels = _palette_image()
    image.info["transparency"] = bytes(range(256))
    return image, pixels, RAMP // 16


def rgb():
    return Image.fromarray(RGB), RGB, None


def rgb_keyed():
    image = Image.fromarray(RGB)
    image.info["transparency"] = tuple(int(v) for v in RGB[5, 5])
    return image, RGB, np.where((RGB[5, 5] == RGB).all(2), 0, 255).astype(np.uint8)


def rgba():
    return Image.fromarray(np.dstack([RGB, ALPHA])), RGB, ALPHA


def cmyk():
    inks = np.dstack([RAMP, RAMP // 2, RAMP // 3, RAMP // 4])
    light = (255 - inks.astype(float)) / 255
    image = Image.frombytes("CMYK", (W, H), inks.tobytes())
    return image, np.rint(255 * light[..., :3] * light[..., 3:]), None


def ycbcr():
    y, cb, cr = RAMP.astype(float), 128 + RAMP / 8, 128 - RAMP / 8
    image = Image.frombytes("YCbCr", (W, H), np.dstack([y, cb, cr]).astype(np.uint8).tobytes())
    cb, cr = np.floor(cb) - 128, np.floor(cr) - 128
    red, green, blue = y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb
    return image, np.rint(np.dstack([red, green, blue]).clip(0, 255)), None


def lab():
    colors = np.array([[[255, 255, 255], [119, 119, 119], [180, 120, 90], [90, 130, 160]]])
    xyz = srgb_decoded(colors / 255) @ icc_format.SRGB_COLORANTS / (0.9642, 1, 0.8249)
    x, y, z = np.moveaxis(np.cbrt(xyz), 2, 0)  # none of them is near black
    codes = np.rint(np.dstack([2.55 * (116 * y - 16), 500 * (x - y), 200 * (y - z)])).astype(int)
    codes = (codes & 255).astype(np.uint8)  # a and b as signed bytes: TIFF 6.0, section 23
    return Image.frombytes("LAB", (4, 1), codes.tobytes()), colors, None


LOSSLESS = {"webp": {"lossless": True, "exact": True}}
MODES = [
    (one_bit, "png tif bmp pbm", 0),
    (gray, "png tif bmp pgm gif jp2", 0),
    (gray, "jpg", 2),
    (gray_alpha, "png tif", 0),
    (gray_keyed, "png", 0),
    (gray16, "png tif pgm jp2", 0),
    (gray16_big_endian, "tif", 0),
    (integers, "tif pgm", 0),
    (integers8, "tif", 0),
    (floats, "tif", 0),
    (palette, "png gif tif bmp", 0),
    (palette_keyed, "png gif", 0),
    (palette_alphas, "png", 0),
    (rgb, "png tif bmp ppm webp jp2", 0),
    (rgb, "jpg avif", 8),
    (rgb_keyed, "png", 0),
    (rgba, "png tif webp jp2", 0),
    (cmyk, "tif", 1),
    (cmyk, "jpg", 8),
    (ycbcr, "tif", 1),
    (ycbcr, "jpg", 4),
    (lab, "tif", 3),
]
MODE_CASES = [
    pytest.param(make, suffix, tolerance, id=f"{make.__name__}-{suffix}")
    for make, suffixes, tolerance in MODES
    for suffix in suffixes.split()
]


@pytest.mark.parametrize(("make", "suffix", "tolerance"), MODE_CASES)
def test_mode_is_read_right(tmp_path, make, suffix, tolerance):
    image, pixels, alpha = make()
    options = {"jpg": {"quality": 98}, "avif": {"quality": 98}, **LOSSLESS}.get(suffix, {})
    photo = read_photo(save(image, tmp_path / f"a.{suffix}", **options))
    if suffix in ("jpg", "avif"):
        assert np.abs(photo.pixels - pixels.astype(float)).mean() <= tolerance / 4
    if photo.pixels.shape[2] > pixels.shape[2]:  # GIF and BMP may store gray as a palette
        pixels = np.repeat(pixels, 3, 2)
    assert photo.pixels.shape == pixels.shape
    assert photo.pixels.dtype == (np.uint16 if pixels.dtype == np.uint16 else np.uint8)
    assert np.abs(photo.pixels - pixels.astype(float)).max() <= tolerance
    assert (photo.alpha is None) == (alpha is None)
    if alpha is not None:
        np.testing.assert_array_equal(photo.alpha, alpha)


@pytest.mark.parametrize("make", [one_bit, gray_alpha, gray16, palette_keyed, rgba, cmyk, lab])
def test_pil_image_is_decoded_like_a_file(make):
    image, pixels, alpha = make()
    photo = decode_image(image)
    assert np.abs(photo.pixels - pixels.astype(float)).max() <= 3
    assert (photo.alpha is None) == (alpha is None)
    assert photo.metadata == Metadata()


def test_adobe_inverted_cmyk_jpeg(tmp_path):
    path = save(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), tmp_path / "a.jpg", quality=95)
    assert b"Adobe" in path.read_bytes()
    assert np.abs(read_photo(path).pixels.astype(int) - (255, 0, 0)).max() <= 3


def png_file(path, width, height, depth, color_type, rows, *chunks):
    def chunk(name, data):
        return struct.pack(">L", len(data)) + name + data + struct.pack(">L", zlib.crc32(name + data))

    header = struct.pack(">2L5B", width, height, depth, color_type, 0, 0, 0)
    body = b"".join(chunk(name, data) for name, data in chunks)
    body += chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize(("depth", "row"), [(2, b"\x1b"), (4, b"\x01\x23")])
def test_transparent_level_below_8_bits(tmp_path, depth, row):
    # Levels 0, 1, 2, 3; level 2 is transparent, in the file's own scale.
    path = png_file(tmp_path / "a.png", 4, 1, depth, 0, [row], (b"tRNS", b"\0\x02"))
    photo = read_photo(path)
    np.testing.assert_array_equal(photo.pixels[0, :, 0], np.arange(4) * 255 // (2**depth - 1))
    np.testing.assert_array_equal(photo.alpha, [[255, 255, 0, 255]])


@pytest.mark.parametrize(("channels", "suffix"), [(3, "png"), (4, "png"), (3, "tif"), (4, "tif")])
def test_16_bit_color_keeps_all_levels(tmp_path, channels, suffix):
    samples = np.dstack([RGB16, RAMP16])[..., :channels]
    path = tmp_path / f"a.{suffix}"
    cv2.imwrite(str(path), samples[..., [2, 1, 0, 3][:channels]])
    photo = read_photo(path)
    np.testing.assert_array_equal(photo.pixels, RGB16)
    assert (photo.alpha is not None) == (channels == 4)
    if channels == 4:
        np.testing.assert_array_equal(photo.alpha, RAMP16)


@pytest.mark.parametrize("wrong", ["a pixel", "the order of channels", "the size", "another depth"])
def test_16_bits_that_two_readers_see_differently_are_not_believed(tmp_path, monkeypatch, wrong):
    """The second reader errs; what comes back is right all the same, or the photo is refused."""
    path = tmp_path / "a.jp2"
    lossless = [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000]
    cv2.imwrite(str(path), np.ascontiguousarray(RGB16[..., ::-1]), lossless)
    np.testing.assert_array_equal(read_photo(path).pixels, RGB16)
    decode = cv2.imdecode

    def err(content, flags):
        pixels = decode(content, flags).copy()
        pixels[200, 100, 1] ^= 0x0100 if wrong == "a pixel" else 0
        changed = {"the order of channels": pixels[..., ::-1], "the size": pixels[1:]}
        changed["another depth"] = (pixels >> 8).astype(np.uint8)
        return np.ascontiguousarray(changed.get(wrong, pixels))

    monkeypatch.setattr(cv2, "imdecode", err)
    with suppress(PhotoError):
        np.testing.assert_array_equal(read_photo(path).pixels, RGB16)


def test_16_bit_gray_alpha_png(tmp_path):
    rows = np.dstack([RAMP16, RAMP16[::-1]]).astype(">u2")
    path = png_file(tmp_path / "a.png", 256, 256, 16, 4, [row.tobytes() for row in rows])
    photo = read_photo(path)
    np.testing.assert_array_equal(photo.pixels, RAMP16[..., None])
    np.testing.assert_array_equal(photo.alpha, RAMP16[::-1])
    with Image.open(path) as image:
        np.testing.assert_array_equal(decode_image(image).pixels, RAMP16[..., None])
        # Loaded by now, as RGBA of 8 bits.
        np.testing.assert_array_equal(decode_image(image).pixels[..., :1], (RAMP16 >> 8)[..., None])


def test_16_bit_transparent_color(tmp_path):
    rows = [np.array([[258, 2, 3], [259, 2, 3]], ">u2").tobytes()]  # equal in their high bytes
    path = png_file(tmp_path / "a.png", 2, 1, 16, 2, rows, (b"tRNS", struct.pack(">3H", 258, 2, 3)))
    photo = read_photo(path)
    np.testing.assert_array_equal(photo.pixels, [[[258, 2, 3], [259, 2, 3]]])
    np.testing.assert_array_equal(photo.alpha, [[0, 65535]])


def tiff_file(path, samples, *, photometric, orientation=1, bits=None, data=None):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    height, width, channels = samples.shape
    bits = bits or 8 * samples.itemsize
    data = samples.tobytes() if data is None else data
    tags.update({256: width, 257: height, 258: (bits,) * channels, 259: 1, 262: photometric})
    tags.update({274: orientation, 277: channels, 278: height, 279: len(data), 273: 0})
    out = io.BytesIO()
    tags.save(out)
    path.write_bytes(out.getvalue() + data)
    return path


def test_16_bit_white_is_zero(tmp_path):
    path = tiff_file(tmp_path / "a.tif", RAMP16[..., None], photometric=0)
    np.testing.assert_array_equal(read_photo(path).pixels[..., 0], 65535 - RAMP16)


def test_12_bit_tiff_reaches_white(tmp_path):
    packed = bytes([0x00, 0x0F, 0xFF, 0x80, 0x00, 0x00])  # 0, 4095, 2048, 0
    path = tiff_file(tmp_path / "a.tif", np.zeros((1, 4, 1), np.uint16), photometric=1, bits=12, data=packed)
    assert np.abs(read_photo(path).pixels[0, :, 0] - [0, 65535, 32775.5, 0]).max() < 1


@pytest.mark.parametrize("values", [[0.0, 1.5], [-0.1, 1.0], [0.0, np.nan]])
def test_floats_without_known_range_are_refused(tmp_path, values):
    path = save(Image.fromarray(np.array([values], np.float32)), tmp_path / "a.tif")
    with pytest.raises(PhotoError, match="decimal values") as refused:
        read_photo(path)
    assert refused.value.reason == "unsupported"


def test_wide_integers_are_refused(tmp_path):
    path = save(Image.fromarray(np.array([[-1, 70000]], np.int32)), tmp_path / "a.tif")
    with pytest.raises(PhotoError, match="32-bit") as refused:
        read_photo(path)
    assert refused.value.reason == "unsupported"


def test_first_frame_of_several(tmp_path):
    for suffix, size in (("tif", (5, 5)), ("gif", (8, 6)), ("webp", (8, 6))):
        more = {"save_all": True, "append_images": [Image.new("RGB", size)]}
        image = Image.new("RGB", (8, 6), (255, 255, 255))
        photo = read_photo(save(image, tmp_path / f"a.{suffix}", **more, **LOSSLESS.get(suffix, {})))
        assert photo.pixels.shape == (6, 8, 3)
        assert photo.pixels.min() == 255


# --- orientation and metadata -------------------------------------------------------------------

STORED_AS = {  # how a writer turns the upright picture for each orientation
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: np.rot90(np.fliplr(a), 1),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.rot90(np.fliplr(a), -1),
    8: lambda a: np.rot90(a, -1),
}


def exif_with(orientation):
    exif = Image.Exif()
    exif.update({0x0112: orientation, 0x010E: "a barn", 0x0132: "1911:05:03 10:00:00"})
    exif[0x8769] = {0x9003: "1911:05:03 10:00:00"}
    return exif


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once_and_reset(tmp_path, orientation, suffix):
    stored = Image.fromarray(np.ascontiguousarray(STORED_AS[orientation](RGB)))
    options = {"jpg": {"quality": 98}, **LOSSLESS}.get(suffix, {})
    path = save(stored, tmp_path / f"a.{suffix}", exif=exif_with(orientation).tobytes(), **options)
    photo = read_photo(path)
    assert photo.pixels.shape == RGB.shape
    assert np.abs(photo.pixels.astype(int) - RGB).max() <= (8 if suffix == "jpg" else 0)
    assert photo.pixels.flags.c_contiguous
    carried = Image.Exif()
    carried.load(photo.metadata.exif)
    assert carried.get(0x0112, 1) == 1
    assert carried[0x010E] == "a barn"
    assert carried.get_ifd(0x8769)[0x9003] == "1911:05:03 10:00:00"


@pytest.mark.parametrize("orientation", [1, 2, 5, 6, 8])
def test_16_bit_tiff_is_turned_with_all_levels(tmp_path, orientation):
    stored = np.ascontiguousarray(STORED_AS[orientation](RGB16[:200]))
    path = tiff_file(tmp_path / "a.tif", stored, photometric=2, orientation=orientation)
    np.testing.assert_array_equal(read_photo(path).pixels, RGB16[:200])


def test_alpha_and_resolution_turn_with_the_picture(tmp_path):
    stored = Image.fromarray(np.rot90(np.dstack([RGB, ALPHA])).copy())
    path = save(stored, tmp_path / "a.png", exif=exif_with(6), dpi=(300, 600))
    photo = read_photo(path)
    np.testing.assert_array_equal(photo.alpha, ALPHA)
    assert photo.metadata.dpi == pytest.approx((600, 300), abs=0.1)


@pytest.mark.parametrize("dpi", [(0.2, 300), (300, 0.2), (300, 66_000)])
def test_a_resolution_that_cannot_be_is_left_out(tmp_path, dpi):
    path = save(Image.new("L", (4, 4)), tmp_path / "a.png", dpi=dpi)
    assert read_photo(path).metadata.dpi is None


@pytest.mark.parametrize("value", [0, 9, 99])
def test_unknown_orientation_is_ignored(tmp_path, value):
    path = save(Image.fromarray(RGB), tmp_path / "a.png", exif=exif_with(value))
    np.testing.assert_array_equal(read_photo(path).pixels, RGB)


def test_orientation_from_xmp_alone(tmp_path):
    xmp = b'<x:xmpmeta><a tiff:Orientation="6" dc:title="barn"/></x:xmpmeta>'
    stored = Image.fromarray(np.rot90(RGB).copy())
    photo = read_photo(save(stored, tmp_path / "a.webp", xmp=xmp, lossless=True))
    np.testing.assert_array_equal(photo.pixels, RGB)
    assert photo.metadata.xmp == xmp.replace(b'"6"', b'"1"')


def test_thumbnail_is_unlinked(tmp_path):
    block = exif_with(1).tobytes()
    tiff = bytearray(block.removeprefix(b"Exif\0\0"))
    assert tiff[:8] == b"MM\0*\0\0\0\x08"
    (count,) = struct.unpack_from(">H", tiff, 8)
    struct.pack_into(">L", tiff, 10 + 12 * count, 4711)  # where the thumbnail's directory would be
    path = save(Image.fromarray(RGB), tmp_path / "a.jpg", exif=b"Exif\0\0" + bytes(tiff))
    assert read_photo(path).metadata.exif == block


@pytest.mark.parametrize("block", [b"Exif\0\0", b"Exif\0\0nonsense", b"Exif\0\0II*\0\xff\xff\0\0"])
def test_broken_exif_is_left_out(tmp_path, block):
    path = tmp_path / "a.jpg"
    Image.fromarray(RGB).save(path, exif=block)
    photo = read_photo(path)
    assert photo.pixels.shape == RGB.shape
    assert photo.metadata.exif is None


# --- color profiles -----------------------------------------------------------------------------

ADOBE = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
# The same two spaces under D65, and sRGB, as their standards give them.
ADOBE_D65 = [[0.57667, 0.18556, 0.18823], [0.29734, 0.62736, 0.07529], [0.02703, 0.07069, 0.99134]]
P3_D65 = [[0.48657, 0.26567, 0.19822], [0.22897, 0.69174, 0.07929], [0.0, 0.04511, 1.04394]]
SRGB_D65 = [[0.41246, 0.35758, 0.18044], [0.21267, 0.71515, 0.07217], [0.01933, 0.11919, 0.95030]]
SRGB_CURVE = b"para\0\0\0\0\0\3\0\0" + icc_format.fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def gamma_curve(gamma):
    return b"curv\0\0\0\0" + struct.pack(">LH", 1, round(gamma * 256))


def rgb_profile(colorants, curve):
    tags = {b"desc": icc_format.text("test"), b"wtpt": icc_format.xyz((0.9642, 1, 0.8249))}
    for name, colorant in zip("rgb", colorants, strict=True):
        tags[name.encode() + b"XYZ"] = icc_format.xyz(colorant)
        tags[name.encode() + b"TRC"] = curve
    return icc_format.make_profile(b"RGB ", tags)


def gray_profile(curve):
    tags = {b"desc": icc_format.text("test"), b"wtpt": icc_format.xyz((0.9642, 1, 0.8249))}
    return icc_format.make_profile(b"GRAY", tags | {b"kTRC": curve})


def srgb_encoded(linear):
    linear = np.clip(linear, 0, 1)
    return np.where(linear < 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def srgb_decoded(x):
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


MUTED = (RGB // 2 + 64).astype(np.uint8)  # inside sRGB, whatever the space
TWO_PERCENT = 655 * 2


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("space", ["adobe", "p3"])
def test_wide_gamut_becomes_srgb(tmp_path, space, suffix, deep):
    x = MUTED / 255
    if space == "adobe":
        icc = rgb_profile(ADOBE, gamma_curve(2.19921875))
        xyz = x**2.19921875 @ np.transpose(ADOBE_D65)
    else:
        icc = rgb_profile(P3, SRGB_CURVE)
        xyz = srgb_decoded(x) @ np.transpose(P3_D65)
    expected = srgb_encoded(xyz @ np.linalg.inv(SRGB_D65).T)
    path = tmp_path / f"a.{suffix}"
    if deep:
        write_with_profile(path, MUTED.astype(np.uint16) * 257, icc)
    else:
        save(Image.fromarray(MUTED), path, icc_profile=icc)
    photo = read_photo(path)
    top = np.iinfo(photo.pixels.dtype).max
    assert top == (65535 if deep else 255)
    assert np.abs(photo.pixels / top - expected).max() < (0.0012 if deep else 0.0045)
    assert np.abs(photo.pixels / top - x).max() > 0.02  # the profile does matter


def write_with_profile(path, samples, icc):
    page = (samples, Metadata(), icc)
    path.write_bytes(encode_png16(*page) if path.suffix == ".png" else encode_tiff([page]))


def test_black_and_white_alone_are_one_channel(tmp_path):
    Image.fromarray(RAMP).convert("1").save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    assert photo.pixels.shape == (*RAMP.shape[:2], 1)
    assert set(np.unique(photo.pixels)) == {0, 255}


# Curves by a formula, of each type of ICC.1:2022, 10.18: its parameters, and what it makes of x.
FORMULAS = {
    "type 0": ((1.8,), lambda x: x**1.8),
    "type 1": ((2, 0.8, 0.2), lambda x: (0.8 * x + 0.2) ** 2),
    "type 1, flat at first": ((2, 1.25, -0.25), lambda x: np.where(x < 0.2, 0, (1.25 * x - 0.25) ** 2)),
    "type 2": ((2, 0.6, 0.2, 0.1), lambda x: (0.6 * x + 0.2) ** 2 + 0.1),
    "type 3": ((2, 1, 0, 0.25, 0.25), lambda x: np.where(x < 0.25, 0.25 * x, x**2)),
    "type 4": (
        (2, 0.9, 0, 0.3, 0.5, 0.1, 0.05),
        lambda x: np.where(x < 0.5, 0.3 * x + 0.05, (0.9 * x) ** 2 + 0.1),
    ),
}


@pytest.mark.parametrize("curve", ["gamma", "table", *FORMULAS])
def test_tone_curves_at_16_bits(tmp_path, curve):
    x = np.arange(65536) / 65535
    curves = {
        "gamma": (gamma_curve(1.8), x ** (round(1.8 * 256) / 256)),
        "table": (
            b"curv\0\0\0\0" + struct.pack(">L3H", 3, 0, 16384, 65535),
            np.interp(x, [0, 0.5, 1], [0, 16384 / 65535, 1]),
        ),
    }
    for kind, (parameters, formula) in FORMULAS.items():
        head = b"para\0\0\0\0" + struct.pack(">HH", int(kind[5]), 0)
        curves[kind] = head + icc_format.fixed(*parameters), formula(x)
    tag, linear = curves[curve]
    expected = np.rint(65535 * srgb_encoded(linear)).reshape(256, 256)
    samples = np.dstack([RAMP16] * 3)
    write_with_profile(tmp_path / "a.png", samples, rgb_profile(icc_format.SRGB_COLORANTS, tag))
    photo = read_photo(tmp_path / "a.png")
    assert np.abs(photo.pixels - expected[..., None]).max() <= 3


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg"])
def test_gray_gamma_8_bits(tmp_path, suffix):
    icc = gray_profile(gamma_curve(2.2))
    photo = read_photo(
        save(Image.fromarray(RAMP), tmp_path / f"a.{suffix}", icc_profile=icc, quality=100)
        if suffix == "jpg"
        else save(Image.fromarray(RAMP), tmp_path / f"a.{suffix}", icc_profile=icc)
    )
    expected = 255 * srgb_encoded((RAMP / 255) ** (round(2.2 * 256) / 256))
    assert np.abs(photo.pixels[..., 0] - expected).max() <= (3 if suffix == "jpg" else 1)
    assert photo.pixels[0, 2, 0] != RAMP[0, 2]


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_gray_gamma_16_bits(tmp_path, suffix):
    icc = gray_profile(gamma_curve(2.2))
    photo = read_photo(save(Image.fromarray(RAMP16), tmp_path / f"a.{suffix}", icc_profile=icc))
    expected = 65535 * srgb_encoded((RAMP16 / 65535) ** (round(2.2 * 256) / 256))
    error = np.abs(photo.pixels[..., 0] - expected)
    assert error.max() <= 2
    assert len(np.unique(photo.pixels)) > 60000


def test_gray_with_an_rgb_profile_follows_its_curve(tmp_path):
    icc = rgb_profile(ADOBE, gamma_curve(1.0))
    photo = read_photo(save(Image.fromarray(RAMP), tmp_path / "a.jpg", icc_profile=icc, quality=98))
    assert photo.pixels.shape == (H, W, 1)
    assert np.abs(photo.pixels[..., 0] - 255 * srgb_encoded(RAMP / 255)).mean() < 2


@pytest.mark.parametrize(
    "icc",
    [
        icc_format.SRGB_ICC,
        rgb_profile(icc_format.SRGB_COLORANTS, SRGB_CURVE),
        b"nonsense",
        rgb_profile(ADOBE, gamma_curve(2.2))[:300],
        gray_profile(gamma_curve(1.0)),
    ],
    ids=["ours", "foreign sRGB", "nonsense", "cut short", "for gray"],
)
@pytest.mark.parametrize("deep", [False, True])
def test_profile_without_effect(tmp_path, icc, deep):
    if deep:
        write_with_profile(tmp_path / "a.png", RGB16, icc)
    else:
        save(Image.fromarray(RGB), tmp_path / "a.png", icc_profile=icc)
    np.testing.assert_array_equal(read_photo(tmp_path / "a.png").pixels, RGB16 if deep else RGB)


# --- refusals -----------------------------------------------------------------------------------

BIG = {"png": {}, "jpg": {}, "tif": {}, "webp": {}, "bmp": {}, "gif": {}, "ppm": {}, "jp2": {}}
BIG |= {"avif": {}, "mpo": {"save_all": True, "append_images": [Image.new("RGB", (100, 100))]}}


@pytest.mark.parametrize("suffix", BIG)
def test_too_many_pixels_is_refused_before_decoding(tmp_path, monkeypatch, suffix):
    path = save(Image.new("RGB", (100, 100)), tmp_path / f"a.{suffix}", **BIG[suffix])
    assert read_photo(path, max_pixels=10_000).pixels.shape == (100, 100, 3)
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("decoded"))
    for read in (read_photo, read_rgb8):
        with pytest.raises(PhotoError, match="100 x 100 is more than 9,999 pixels") as refused:
            read(path, max_pixels=9_999)
        assert refused.value.reason == "too-many-pixels"


def test_default_limit_is_ours_and_pillow_is_untouched(tmp_path):
    before = Image.MAX_IMAGE_PIXELS
    path = png_file(tmp_path / "bomb.png", 30_000, 30_000, 1, 0, [b"\0" * 3750])
    with pytest.raises(PhotoError) as refused:
        read_photo(path)
    assert refused.value.reason == "too-many-pixels"
    # 100 megapixels pass the check, above Pillow's own warning limit, and fail for want of bytes.
    path = png_file(tmp_path / "scan.png", 10_000, 10_000, 1, 0, [b"\0" * 1250])
    with pytest.raises(PhotoError) as refused:
        read_photo(path)
    assert refused.value.reason == "truncated"
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp", "bmp", "gif", "ppm", "avif"])
@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_truncated_is_refused(tmp_path, suffix, kept):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    path = save(Image.fromarray(noise), tmp_path / f"a.{suffix}")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(PhotoError) as refused:
        read_photo(path)
    assert refused.value.reason in ("truncated", "broken")
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_truncated_has_its_own_reason(tmp_path):
    path = save(Image.fromarray(RGB), tmp_path / "a.jpg", quality=100)
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(PhotoError, match="cut short") as refused:
        read_photo(path)
    assert refused.value.reason == "truncated"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html>", "not-an-image"),
        (b"\x89", "not-an-image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not-an-image"),
        (b"8BPS\0\1" + bytes(40), "not-an-image"),
        (b"\xff\xd8\xff\xe0" + bytes(60), "broken"),
        (b"\x89PNG\r\n\x1a\n" + bytes(60), "broken"),
    ],
)
def test_what_is_no_photograph(tmp_path, content, reason):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(PhotoError) as refused:
        read_photo(path)
    assert refused.value.reason == reason
    assert refused.value.exit_code == 1


@pytest.mark.parametrize("name", ["missing.jpg", "folder", "fifo", "/dev/zero", "nul\0.jpg"])
def test_what_is_no_regular_file(tmp_path, name):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(PhotoError) as refused:
        read_photo(tmp_path / name)
    assert refused.value.reason in ("unreadable", "broken")


def test_message_stays_on_one_line(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/new\nline\xff.jpg")
    Path(path).write_bytes(b"x")
    with pytest.raises(PhotoError, match=r"new\\nline\\udcff\.jpg: not a picture") as refused:
        read_photo(path)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp", "gif", "bmp"])
def test_mutants_are_read_or_refused(tmp_path, suffix):
    rng = np.random.default_rng(0)
    whole = save(Image.fromarray(RGB[:20, :20]), tmp_path / f"a.{suffix}").read_bytes()
    outcomes = set()
    for _ in range(60):
        mutant = np.frombuffer(whole, np.uint8).copy()
        places = rng.integers(0, len(mutant), rng.integers(1, 12))
        mutant[places] = rng.integers(0, 256, len(places))
        (tmp_path / "mutant").write_bytes(mutant[: rng.integers(1, len(mutant) + 1)].tobytes())
        try:
            outcomes.add(read_photo(tmp_path / "mutant", max_pixels=10**6).pixels.ndim)
        except PhotoError as refused:
            outcomes.add(refused.reason)
    assert len(outcomes) >= 2


def test_warning_filters_survive_threads(tmp_path):
    path = save(Image.fromarray(RGB), tmp_path / "a.png")
    before = list(warnings.filters)
    threads = [threading.Thread(target=lambda: [read_photo(path) for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters == before


# --- training piles -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("short_side", "size"),
    [(None, (48, 64)), (24, (24, 32)), (7, (7, 9)), (48, (48, 64)), (99, (48, 64))],
)
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_short_side(tmp_path, suffix, short_side, size):
    path = save(Image.fromarray(RGB), tmp_path / f"a.{suffix}")
    small = read_rgb8(path, short_side=short_side)
    assert small.shape == (*size, 3)
    assert small.dtype == np.uint8
    assert np.abs(small.mean((0, 1)) - RGB.mean((0, 1))).max() < 2


def test_shrinking_averages(tmp_path):
    checks = (255 * (np.indices((64, 64)).sum(0) % 2)).astype(np.uint8)
    path = save(Image.fromarray(checks), tmp_path / "a.png")
    assert set(np.unique(read_rgb8(path, short_side=16))) <= {127, 128}


def test_jpeg_is_decoded_small(tmp_path, monkeypatch):
    path = save(Image.fromarray(np.tile(RGB, (10, 10, 1))), tmp_path / "a.jpg", exif=exif_with(6))
    sizes = []
    load = JpegImagePlugin.JpegImageFile.load
    monkeypatch.setattr(
        JpegImagePlugin.JpegImageFile,
        "load",
        lambda self: (sizes.append(self.size), load(self))[1],
    )
    assert read_rgb8(path, short_side=100).shape == (133, 100, 3)
    assert sizes[0] == (160, 120)


def test_the_smallest_short_side_is_a_pixel(tmp_path):
    for name, size in (("wide", (40, 3)), ("high", (3, 40))):
        path = save(Image.new("L", size, 9), tmp_path / f"{name}.png")
        assert min(read_rgb8(path, short_side=1).shape[:2]) == 1


def test_rgb8_flattens_what_training_cannot_use(tmp_path):
    image = Image.fromarray(np.dstack([RAMP * 0 + 10, RAMP * 0]))  # gray, fully transparent
    np.testing.assert_array_equal(read_rgb8(save(image, tmp_path / "a.png")), 255)
    deep = read_rgb8(save(Image.fromarray(RAMP16), tmp_path / "b.png"))
    np.testing.assert_array_equal(deep, np.rint(RAMP16 / 257)[..., None].repeat(3, 2))


# --- writing ------------------------------------------------------------------------------------

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><dc:title>Barn \xc3\xa9</dc:title></x:xmpmeta>'
METADATA = Metadata("TIFF", exif_with(1).tobytes(), XMP, (300.0, 300.0))
PHOTOS = {
    "gray": Photo(RAMP[..., None], None, METADATA),
    "gray alpha": Photo(RAMP[..., None], ALPHA, METADATA),
    "rgb": Photo(RGB, None, METADATA),
    "rgba": Photo(RGB, ALPHA, METADATA),
    "gray16": Photo(RAMP16[..., None], None, METADATA),
    "gray16 alpha": Photo(RAMP16[..., None], RAMP16[::-1].copy(), METADATA),
    "rgb16": Photo(RGB16, None, METADATA),
    "rgba16": Photo(RGB16, RAMP16, METADATA),
}


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("kind", PHOTOS)
def test_lossless_formats_give_everything_back(tmp_path, kind, suffix):
    photo, path = PHOTOS[kind], tmp_path / f"a{suffix}"
    write_photo(photo, path)
    back = read_photo(path)
    assert back.pixels.dtype == photo.pixels.dtype
    pixels = photo.pixels
    if suffix == ".tif" and "gray" in kind and "alpha" in kind:  # written as RGB: see _tiff
        pixels = np.repeat(pixels, 3, 2)
    np.testing.assert_array_equal(back.pixels, pixels)
    assert (back.alpha is None) == (photo.alpha is None)
    if photo.alpha is not None:
        np.testing.assert_array_equal(back.alpha, photo.alpha)
    assert back.metadata.dpi == pytest.approx((300, 300), abs=0.05)
    assert back.metadata.xmp.rstrip(b"\0") == XMP


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff"])
def test_another_reader_sees_the_same_16_bits(tmp_path, suffix):
    write_photo(PHOTOS["rgba16"], tmp_path / f"a{suffix}")
    seen = cv2.imread(str(tmp_path / f"a{suffix}"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(seen, np.dstack([RGB16[..., ::-1], RAMP16]))


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".JPG", ".webp", ".avif", ".bmp"])
@pytest.mark.parametrize("kind", PHOTOS)
def test_8_bit_formats_come_close(tmp_path, kind, suffix):
    photo, path = PHOTOS[kind], tmp_path / f"a{suffix}"
    write_photo(photo, path)
    back = read_photo(path)
    expected = narrow(photo.pixels).astype(float)
    keeps_alpha = suffix in (".webp", ".avif")
    assert (back.alpha is not None) == (keeps_alpha and photo.alpha is not None)
    if photo.alpha is not None and not keeps_alpha:
        opacity = narrow(photo.alpha)[..., None] / 255
        expected = expected * opacity + 255 * (1 - opacity)
    wide = RAMP16.shape[0] == len(back.pixels)  # noise for these codecs: its low bits run fast
    assert back.pixels.shape[:2] == photo.pixels.shape[:2]
    assert np.abs(back.pixels - expected).mean() < (6 if wide else 1.5)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".webp", ".avif"])
@pytest.mark.parametrize("kind", ["gray", "rgb", "gray16", "rgb16"])
def test_profile_and_metadata_go_along(tmp_path, kind, suffix):
    write_photo(PHOTOS[kind], tmp_path / f"a{suffix}")
    with Image.open(tmp_path / f"a{suffix}") as image:
        gray = not image.mode.startswith("RGB")
        assert image.info["icc_profile"] == (icc_format.GRAY_ICC if gray else icc_format.SRGB_ICC)
        assert image.getexif()[0x010E] == "a barn"
        assert image.getexif().get_ifd(0x8769)[0x9003] == "1911:05:03 10:00:00"
        assert image.info["xmp"].rstrip(b"\0") == XMP
        if suffix in (".png", ".tif", ".jpg"):
            assert image.info["dpi"] == pytest.approx((300, 300), abs=0.05)


def test_jpeg_keeps_color_at_full_size(tmp_path):
    write_photo(PHOTOS["rgb"], tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as image:
        assert JpegImagePlugin.get_sampling(image) == 0
    sizes = [len(written(PHOTOS["rgb"], tmp_path / "b.jpg", quality=q)) for q in (60, 95)]
    assert sizes[0] < sizes[1]


def written(photo, path, **options):
    write_photo(photo, path, **options)
    return path.read_bytes()


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg", "webp", "bmp", "avif"])
def test_equal_photos_make_equal_files(tmp_path, suffix):
    files = [written(PHOTOS["rgb"], tmp_path / f"{n}.{suffix}") for n in range(2)]
    assert files[0] == files[1]


def test_metadata_that_does_not_fit_is_left_out_and_named(tmp_path):
    huge = Metadata("", b"Exif\0\0II*\0" + bytes(70_000), iptc=b"\x1c" + bytes(70_000), comment=bytes(70_000))
    written = write_photo(Photo(RGB, None, huge), tmp_path / "a.jpg")
    assert written.lost == ("EXIF", "IPTC", "comment")
    assert read_photo(tmp_path / "a.jpg").metadata == Metadata("JPEG")
    broken = Metadata("", b"Exif\0\0nonsense", None, None)
    write_photo(Photo(RGB, None, broken), tmp_path / "a.tif")
    np.testing.assert_array_equal(read_photo(tmp_path / "a.tif").pixels, RGB)


def test_encode_image_modes():
    modes = {kind: encode_image(photo).mode for kind, photo in PHOTOS.items()}
    assert list(modes.values()) == ["L", "LA", "RGB", "RGBA", "I;16", "LA", "RGB", "RGBA"]
    np.testing.assert_array_equal(encode_image(PHOTOS["rgb16"]), np.rint(RGB16 / 257))


def test_photo_checks_its_arrays():
    with pytest.raises(ValueError, match="pixels must be"):
        Photo(RGB.astype(float))
    with pytest.raises(ValueError, match="alpha must be"):
        Photo(RGB, ALPHA[1:])


def test_unknown_suffix_and_impossible_size(tmp_path):
    with pytest.raises(PhotoError, match="use one of") as refused:
        write_photo(PHOTOS["rgb"], tmp_path / "a.psd")
    assert refused.value.reason == "unwritable"
    wide = Photo(np.zeros((1, 70_000, 3), np.uint8))
    with pytest.raises(PhotoError, match="cannot be encoded as JPEG"):
        write_photo(wide, tmp_path / "a.jpg")
    assert os.listdir(tmp_path) == []


# --- whole or not at all ------------------------------------------------------------------------


def raising(number):
    def fail(*arguments, **options):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="JPEGs are encoded to Python's own memory here")
def test_a_jpeg_that_was_cut_short_is_not_written(tmp_path):
    import resource

    write_photo(Photo(RGB), tmp_path / "a.jpg")
    size = (tmp_path / "a.jpg").stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size - 1, hard))
    try:
        with pytest.raises(PhotoError, match="size of files is limited") as refused:
            write_photo(Photo(RGB), tmp_path / "b.jpg")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert refused.value.reason == "unwritable"
    assert os.listdir(tmp_path) == ["a.jpg"]


@pytest.mark.parametrize(
    ("call", "number"),
    [("fsync", errno.ENOSPC), ("replace", errno.EIO), ("open", errno.EROFS)],
)
@pytest.mark.parametrize("existing", [False, True])
def test_failed_write_leaves_nothing(tmp_path, monkeypatch, call, number, existing):
    target = tmp_path / "a.png"
    if existing:
        target.write_bytes(b"old")
    with monkeypatch.context() as patched:
        patched.setattr(os, call, raising(number))
        with pytest.raises(PhotoError, match=os.strerror(number)) as refused:
            write_photo(PHOTOS["rgb"], target)
    assert str(target) in str(refused.value)
    assert refused.value.reason == "unwritable"
    assert os.listdir(tmp_path) == (["a.png"] if existing else [])
    assert not existing or target.read_bytes() == b"old"


def test_full_disk_while_writing(tmp_path):
    def fill(file):
        file.write(b"half a")
        with open("/dev/full", "wb", buffering=0) as full:
            full.write(b"file")

    with pytest.raises(CycleColorError, match="No space left"):
        atomic_write(tmp_path / "a.json", fill)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_other_errors_pass_and_clean_up(tmp_path, error):
    def interrupt(file):
        file.write(b"half")
        raise error

    with pytest.raises(error):
        atomic_write(tmp_path / "a.json", interrupt)
    assert os.listdir(tmp_path) == []


def test_atomic_write_replaces_with_usual_permissions(tmp_path):
    target = tmp_path / ("x" * 250 + ".json")  # 255 bytes, the longest name there is
    target.write_bytes(b"old")
    os.link(target, tmp_path / "other")
    mask = os.umask(0o027)
    try:
        atomic_write(target, lambda file: file.write(b"new"))
    finally:
        os.umask(mask)
    assert target.read_bytes() == b"new"
    assert (tmp_path / "other").read_bytes() == b"old"  # replaced, not overwritten
    assert target.stat().st_mode & 0o777 == 0o640


def test_a_name_survives_a_cut_of_power(tmp_path, monkeypatch):
    """The file is synced before it gets its name, the folder after."""
    done, replace = [], os.replace

    def fsync(descriptor):
        place = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        done.append("folder" if place == tmp_path.resolve() else f"file of {place.stat().st_size} bytes")

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", lambda *paths: done.append("name") or replace(*paths))
    atomic_write(tmp_path / "a.json", lambda file: file.write(b"new"))
    assert done == ["file of 3 bytes", "name", "folder"]


@pytest.mark.parametrize("name", ["folder", "fifo", "missing/a.json", "nul\0", "y" * 256])
def test_impossible_targets(tmp_path, name):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(CycleColorError, match=r"cannot be written: (?!None|\[Errno)\w"):
        atomic_write(tmp_path / name, lambda file: file.write(b"x"))
    assert sorted(os.listdir(tmp_path)) == ["fifo", "folder"]


def test_link_is_replaced_not_followed(tmp_path):
    (tmp_path / "original").write_bytes(b"original")
    (tmp_path / "a").symlink_to("original")
    atomic_write(tmp_path / "a", lambda file: file.write(b"new"))
    assert (tmp_path / "original").read_bytes() == b"original"
    assert not (tmp_path / "a").is_symlink()


# --- folders ------------------------------------------------------------------------------------


def make_files(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def test_photos_are_found_in_order(tmp_path):
    root = tmp_path / "root"
    names = ["b.jpg", "a/z.PNG", "a/b/c.tiff", "B.webp", "a.gif"]
    make_files(root, *names, ".hidden.jpg", ".git/x.jpg", "notes.txt", "a/.cyclecolor-1.tmp")
    found = [path.relative_to(root).as_posix() for path in find_photos(root)]
    assert found == ["B.webp", "a.gif", "a/b/c.tiff", "a/z.PNG", "b.jpg"]


def test_links_to_folders_are_not_followed(tmp_path):
    root = tmp_path / "root"
    make_files(root, "a.jpg", "sub/b.jpg")
    make_files(tmp_path, "outside/c.jpg")
    (root / "loop").symlink_to(root, target_is_directory=True)
    (root / "out").symlink_to(tmp_path / "outside", target_is_directory=True)
    (root / "folder.jpg").symlink_to(root / "sub", target_is_directory=True)
    (root / "file.jpg").symlink_to(tmp_path / "outside" / "c.jpg")
    (root / "broken.jpg").symlink_to("nowhere")
    (root / "itself.jpg").symlink_to("itself.jpg")
    names = [path.name for path in find_photos(root)]
    assert names == ["a.jpg", "broken.jpg", "file.jpg", "itself.jpg", "b.jpg"]
    with pytest.raises(PhotoError, match="No such file") as refused:
        read_photo(root / "broken.jpg")
    assert refused.value.reason == "unreadable"


def test_one_file_is_listed_as_it_is(tmp_path):
    make_files(tmp_path, "scan.dat")
    assert find_photos(tmp_path / "scan.dat") == [tmp_path / "scan.dat"]


def test_nothing_to_find(tmp_path):
    make_files(tmp_path, "notes.txt")
    with pytest.raises(CycleColorError, match=r"no photographs.*looked for .*\.jpg") as refused:
        find_photos(tmp_path)
    assert refused.value.exit_code == 2
    with pytest.raises(CycleColorError, match="no such folder") as refused:
        find_photos(tmp_path / "missing")
    assert refused.value.exit_code == 2


def test_folder_that_cannot_be_listed(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "scandir", raising(errno.EACCES))
    with pytest.raises(CycleColorError, match="Permission denied") as refused:
        find_photos(tmp_path)
    assert refused.value.exit_code == 2
