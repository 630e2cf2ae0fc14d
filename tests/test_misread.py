"""Pictures that decoders read wrong without a word: read right, or refused."""

import io
import re
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image
from test_formats import CODED, COLORS, RAMP, H, W, jpeg_of
from test_metadata import box, encoded, write_rgb_png
from test_tiff import raw_tiff

from cyclecolor.photos import PhotoError, decode_image, read_photo, read_rgb8

DEEP = COLORS.astype(np.uint16) * 257 - 3 * (COLORS > 9).astype(np.uint16)


def refusal(path):
    with pytest.raises(PhotoError) as refused:
        read_photo(path)
    return refused.value


# --- JPEGs of which a part is missing, and the decoder says nothing -------------------------------

NOISE = np.random.default_rng(0).integers(0, 255, (96, 120, 3)).astype(np.uint8)
NOISY = {
    "gray": (Image.fromarray(NOISE[..., 0]), {}),
    "color": (Image.fromarray(NOISE), {"subsampling": 0}),
    "subsampled": (Image.fromarray(NOISE), {"quality": 60}),
    "progressive": (Image.fromarray(NOISE), {"progressive": True}),
    "restarts": (Image.fromarray(NOISE), {"restart_marker_blocks": 5}),
}


@pytest.mark.parametrize("filling", [b"\xff\xd9", bytes(9000), bytes(9000) + b"\xff\xd9"])
@pytest.mark.parametrize("coded", NOISY)
def test_a_part_of_a_jpeg_filled_up_is_refused(tmp_path, coded, filling):
    image, options = NOISY[coded]
    content = jpeg_of(image, **options)
    for kept in (0.4, 0.7, 0.9):
        (tmp_path / "a.jpg").write_bytes(content[: int(kept * len(content))] + filling)
        assert refusal(tmp_path / "a.jpg").reason in ("truncated", "broken")
        if coded != "progressive":  # what its last scans bring does not show in a small copy
            with pytest.raises(PhotoError):
                read_rgb8(tmp_path / "a.jpg", short_side=12)


@pytest.mark.parametrize("end", [b"", b"\xff\xd9"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=["rows", "scans"])
def test_a_jpeg_that_ends_between_two_restarts_is_refused(tmp_path, options, end):
    content = jpeg_of(Image.fromarray(NOISE), restart_marker_blocks=4, **options)
    restarts = [
        at for at in range(len(content)) if content[at] == 0xFF and content[at + 1] in range(0xD0, 0xD8)
    ]
    for at in restarts[-1:-20:-6]:
        for cut in (content[:at], content[: at + 2]):
            (tmp_path / "a.jpg").write_bytes(cut + end)
            assert refusal(tmp_path / "a.jpg").reason == "truncated"


def test_a_jpeg_that_ends_within_an_escaped_byte_is_refused(tmp_path):
    content = jpeg_of(Image.fromarray(NOISE))
    for found in list(re.finditer(b"\xff\0", content))[-40::13]:
        (tmp_path / "a.jpg").write_bytes(content[: found.start() + 1] + b"\xff\xd9")
        assert refusal(tmp_path / "a.jpg").reason == "truncated"


def test_a_jpeg_without_its_last_scans_is_refused(tmp_path):
    content = jpeg_of(Image.fromarray(NOISE), progressive=True)
    last = content.rindex(b"\xff\xda")
    for end in (last, content.rindex(b"\xff\xc4", 0, last)):
        (tmp_path / "a.jpg").write_bytes(content[:end] + b"\xff\xd9")
        assert refusal(tmp_path / "a.jpg").reason == "truncated"


@pytest.mark.parametrize("behind", [b"", bytes(900), b"notes of a camera" * 9, b"\xff\xd8\xff" * 40])
@pytest.mark.parametrize("coded", [*CODED, *NOISY, "white"])
def test_whole_jpegs_that_end_flat_or_with_more_behind_are_read(tmp_path, coded, behind):
    white = Image.new("L", (300, 200), 255), {"optimize": True}  # its data are zeros
    image, options = white if coded == "white" else (CODED | NOISY)[coded]
    content = jpeg_of(image, **options)
    (tmp_path / "a.jpg").write_bytes(content + behind)
    expected = np.asarray(Image.open(io.BytesIO(content)))
    np.testing.assert_array_equal(read_photo(tmp_path / "a.jpg").pixels.squeeze(), expected)


# --- PNG ------------------------------------------------------------------------------------------

ADAM7 = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2),
)  # fmt: skip


def chunk(name, data):
    return struct.pack(">L", len(data)) + name + data + struct.pack(">L", zlib.crc32(name + data))


def png(path, rows, depth, color_type, *, interlaced=0, height=H):
    head = struct.pack(">2L5B", W, height, depth, color_type, 0, 0, interlaced)
    parts = chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize(("color_type", "channels"), [(0, 1), (2, 3), (6, 4)])
@pytest.mark.parametrize("missing", [1, 20])
def test_a_png_without_its_last_rows_is_refused(tmp_path, capfd, depth, color_type, channels, missing):
    row = b"\0" + b"\x70" * (W * channels * depth // 8)
    assert refusal(png(tmp_path / "a.png", row * (H - missing), depth, color_type)).reason == "truncated"
    black = b"\0" * len(row)
    whole = read_photo(png(tmp_path / "b.png", row * (H - missing) + black * missing, depth, color_type))
    assert whole.pixels[-1].max() == 0
    assert whole.pixels[0].min() > 0
    assert capfd.readouterr() == ("", "")


def test_an_interlaced_png_without_its_last_pass_is_refused(tmp_path):
    data, ramp = b"", RAMP[:-1]  # so that the last row comes in other passes
    for x, y, dx, dy in ADAM7[:-1]:
        data += np.insert(ramp[y::dy, x::dx], 0, 0, axis=1).tobytes()
    path = png(tmp_path / "a.png", data, 8, 0, interlaced=1, height=H - 1)
    assert refusal(path).reason == "truncated"
    data += np.insert(ramp[1::2], 0, 0, axis=1).tobytes()
    path = png(tmp_path / "a.png", data, 8, 0, interlaced=1, height=H - 1)
    np.testing.assert_array_equal(read_photo(path).pixels[..., 0], ramp)


@pytest.mark.parametrize(
    "odd",
    [
        [(b"iCCP", b"x\0\0no profile")],
        [(b"PLTE", bytes(6)), (b"PLTE", bytes(6))],
        [(b"sBIT", bytes(9)), (b"hIST", bytes(3))],
    ],
    ids=lambda odd: odd[0][0].decode(),
)
def test_odd_chunks_around_16_bits_are_no_news(tmp_path, capfd, odd):
    """Another reader, which is asked for the low bytes, has its own say about them."""
    write_rgb_png(tmp_path / "a.png", DEEP, *odd)
    np.testing.assert_array_equal(read_photo(tmp_path / "a.png").pixels, DEEP)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("color_type", "channels"), [(4, 2), (2, 3), (6, 4)])
def test_both_bytes_of_16_bits_and_no_word_of_what_is_behind(
    tmp_path, capfd, rng, color_type, channels, interlaced
):
    """Data behind the picture, packed with it or not, are nothing to speak of, as with 8 bits."""
    samples = rng.integers(0, 65536, (H, W, channels), dtype=np.uint16)
    rows = b""
    for x, y, dx, dy in ADAM7 if interlaced else ((0, 0, 1, 1),):
        part = samples[y::dy, x::dx].astype(">u2")
        rows += np.insert(part.view(np.uint8).reshape(len(part), -1), 0, 0, axis=1).tobytes()
    path = png(tmp_path / "a.png", rows + bytes(99), 16, color_type, interlaced=interlaced)
    photo = read_photo(path)
    colors = channels - (channels in (2, 4))
    np.testing.assert_array_equal(photo.pixels, samples[..., :colors])
    if colors < channels:
        np.testing.assert_array_equal(photo.alpha, samples[..., -1])
    assert capfd.readouterr() == ("", "")


def test_a_later_frame_of_16_bits_is_refused(tmp_path):
    """The second reading would be of the first one."""
    content = png(tmp_path / "a.png", bytes(H * (1 + 6 * W)), 16, 2).read_bytes()
    frames = [struct.pack(">5L2H2B", number, W, H, 0, 0, 1, 1, 0, 0) for number in (0, 1)]
    more = struct.pack(">L", 2) + zlib.compress((b"\0" + b"\x70" * 6 * W) * H)
    start, end = content[:33], chunk(b"IEND", b"")
    behind = chunk(b"fcTL", frames[1]) + chunk(b"fdAT", more) + end
    ahead = chunk(b"acTL", struct.pack(">2L", 2, 0)) + chunk(b"fcTL", frames[0])
    (tmp_path / "a.png").write_bytes(start + ahead + content[33:].removesuffix(end) + behind)
    assert read_photo(tmp_path / "a.png").pixels.max() == 0
    with Image.open(tmp_path / "a.png") as image:
        image.seek(1)
        with pytest.raises(PhotoError, match="cannot all be read here"):
            decode_image(image)


def test_cicp_overrules_all_else(tmp_path):
    from test_photos import gamma_curve, gray_profile

    wrong = b"x\0\0" + zlib.compress(gray_profile(gamma_curve(1.0)))
    for chunks in ([(b"iCCP", wrong)], [(b"gAMA", struct.pack(">L", 100_000))]):
        write_rgb_png(tmp_path / "a.png", COLORS, (b"cICP", bytes([1, 13, 0, 1])), *chunks)
        np.testing.assert_array_equal(read_photo(tmp_path / "a.png").pixels, COLORS)
    write_rgb_png(tmp_path / "a.png", COLORS, (b"cICP", bytes([1, 8, 0, 1])))
    linear = 255 * encoded(COLORS / 255)
    assert np.abs(read_photo(tmp_path / "a.png").pixels - linear).max() <= 1
    write_rgb_png(tmp_path / "a.png", COLORS, (b"cICP", bytes([1, 13, 0, 0])))
    assert "levels of video" in read_photo(tmp_path / "a.png").warnings[0]


# --- TIFF -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("writer", ["libtiff", "tifffile"])
def test_ink_in_jpeg_in_tiff(tmp_path, writer):
    ink = np.dstack([COLORS, RAMP // 3])
    image, path = Image.frombytes("CMYK", (W, H), ink.tobytes()), tmp_path / "a.tif"
    if writer == "libtiff":
        image.save(path, compression="jpeg", quality=98)
    else:
        options = {"compression": "jpeg", "compressionargs": {"level": 98}}
        tifffile.imwrite(path, ink, photometric="separated", **options)
    expected = np.asarray(image.convert("RGB")).astype(int)
    assert np.abs(read_photo(path).pixels - expected).mean() < 2


def test_the_page_says_what_the_colors_of_a_jpeg_are(tmp_path):
    content = imagecodecs.jpeg8_encode(COLORS, level=98, colorspace="rgb", outcolorspace="rgb")
    jfif = b"\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"  # says YCbCr
    data = content[:2] + jfif + content[2:]
    path = raw_tiff(tmp_path / "a.tif", W, H, [8] * 3, data, t259=7)
    assert np.abs(read_photo(path).pixels.astype(int) - COLORS).mean() < 2
    path = raw_tiff(tmp_path / "a.tif", W, H, [8] * 3, jpeg_of(Image.fromarray(COLORS)), t259=7, t262=6)
    assert np.abs(read_photo(path).pixels.astype(int) - COLORS).mean() < 3


def test_what_the_page_says_of_a_jpeg_needs_no_help_of_its_numbers(tmp_path):
    """RGB in components 1, 2 and 3, which mean YCbCr where nothing else is said."""
    as_they_are = Image.frombytes("YCbCr", (W, H), COLORS.tobytes())  # so no colors are converted
    path = raw_tiff(tmp_path / "a.tif", W, H, [8] * 3, jpeg_of(as_they_are, subsampling=0), t259=7)
    assert np.abs(read_photo(path).pixels.astype(int) - COLORS).mean() < 2


def test_ycbcr_in_jpeg_2000_as_slide_scanners_write_it(tmp_path):
    samples = np.ascontiguousarray(np.asarray(Image.fromarray(COLORS).convert("YCbCr")))
    content = imagecodecs.jpeg2k_encode(samples, reversible=True, codecformat="j2k")
    for compression, wanted in ((33003, COLORS), (33005, samples)):  # YCbCr, and RGB, by Aperio's numbers
        path = raw_tiff(tmp_path / "a.tif", W, H, [8] * 3, content, t259=compression)
        assert np.abs(read_photo(path).pixels.astype(int) - wanted).max() <= 3


def test_a_picture_of_other_samples_than_its_page_says_is_refused(tmp_path):
    path = raw_tiff(tmp_path / "a.tif", W, H, [8] * 3, jpeg_of(Image.fromarray(RAMP)), t259=7, t262=6)
    refused = refusal(path)
    assert "1 samples in a TIFF that says 8 bits and 3" in str(refused)
    assert refused.reason == "unsupported"


def test_planes_of_ycbcr_in_jpeg(tmp_path):
    planes = np.moveaxis(np.asarray(Image.fromarray(COLORS).convert("YCbCr")), 2, 0)
    options = {"photometric": "ycbcr", "planarconfig": "separate", "compression": "jpeg"}
    tifffile.imwrite(
        tmp_path / "a.tif", np.ascontiguousarray(planes), subsampling=(1, 1), metadata=None, **options
    )
    assert np.abs(read_photo(tmp_path / "a.tif").pixels.astype(int) - COLORS).mean() < 3


def test_bits_of_a_picture_are_not_turned_around(tmp_path):
    data = jpeg_of(Image.fromarray(RAMP))
    path = raw_tiff(tmp_path / "a.tif", W, H, [8], data, t259=7, t266=2)
    assert np.abs(read_photo(path).pixels[..., 0].astype(int) - RAMP).mean() < 2


def test_ycbcr_of_video_is_refused(tmp_path):
    data = np.asarray(Image.fromarray(COLORS).convert("YCbCr")).tobytes()
    usual = {"t262": 6, "t530": [1, 1]}
    path = raw_tiff(tmp_path / "a.tif", W, H, [8] * 3, data, **usual, t532=[0, 255, 128, 255, 128, 255])
    assert np.abs(read_photo(path).pixels.astype(int) - COLORS).max() <= 3
    path = raw_tiff(tmp_path / "a.tif", W, H, [8] * 3, data, **usual, t532=[15, 235, 128, 240, 128, 240])
    assert "another range" in str(refusal(path))


def test_a_small_copy_of_what_lies_in_a_subdirectory_is_refused(tmp_path):
    for kind in (0, 1):  # both ways to say what the small one is
        with tifffile.TiffWriter(tmp_path / "a.tif") as file:
            file.write(RAMP[::4, ::4], subifds=1, subfiletype=kind, metadata=None)
            file.write(RAMP, subfiletype=0, metadata=None)
        assert "subdirectories" in str(refusal(tmp_path / "a.tif"))
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(RAMP, subifds=1, metadata=None)
        file.write(RAMP[::2, ::2], subfiletype=1, metadata=None)
    np.testing.assert_array_equal(read_photo(tmp_path / "a.tif").pixels[..., 0], RAMP)


@pytest.mark.parametrize("alpha", [0, 200, 65535])
def test_32_bit_integers_mean_the_same_in_colors_and_alpha(tmp_path, alpha):
    for colors in (COLORS, DEEP):
        samples = np.dstack([colors, np.full((H, W), alpha, np.uint16)]).astype(np.uint32)
        tifffile.imwrite(tmp_path / "a.tif", samples, photometric="rgb", extrasamples=["unassalpha"])
        photo = read_photo(tmp_path / "a.tif")
        deep = samples.max() > 255
        assert photo.pixels.dtype == photo.alpha.dtype == (np.uint16 if deep else np.uint8)
        np.testing.assert_array_equal(photo.pixels, colors)
        assert set(photo.alpha.ravel()) == {alpha}


@pytest.mark.parametrize(
    "head", [b"II\x1a\0\0\0HEAPCCDR", b"II*\0\x08\0\0\0IIIITwaR", b"MM\0*\0\0\0\x08MMMMRaw"]
)
def test_raw_files_that_hold_a_preview_in_a_tiff(tmp_path, head):
    (tmp_path / "a.tif").write_bytes(head + bytes(90))
    assert refusal(tmp_path / "a.tif").reason == "camera-raw"


def test_a_sensor_on_a_later_page(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(COLORS, photometric="rgb", metadata=None)
        file.write(DEEP[..., 0], photometric="cfa", metadata=None, extratags=[(33421, "H", 2, (2, 2), True)])
    assert refusal(tmp_path / "a.tif").reason == "camera-raw"


# --- JPEG 2000 ------------------------------------------------------------------------------------


def jp2(path, samples, space, *boxes, bits=None):
    code = imagecodecs.jpeg2k_encode(
        np.ascontiguousarray(samples), reversible=True, codecformat="j2k", bitspersample=bits
    )
    bits, channels = bits or 8 * samples.itemsize, samples.shape[2] if samples.ndim == 3 else 1
    head = box(b"ihdr", struct.pack(">2LH4B", H, W, channels, bits - 1, 7, 0, 0))
    color = box(b"colr", b"\1\0\0" + struct.pack(">L", space))
    content = box(b"jp2h", head + color + b"".join(boxes)) + box(b"jp2c", code)
    path.write_bytes(box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", b"jp2 \0\0\0\0jp2 ") + content)
    return path


def channels(*defined):
    rows = b"".join(struct.pack(">3H", *row) for row in defined)
    return box(b"cdef", struct.pack(">H", len(defined)) + rows)


IN_ORDER = (0, 0, 1), (1, 0, 2), (2, 0, 3)


@pytest.mark.parametrize("samples", [COLORS, DEEP], ids=["8", "16"])
def test_channels_out_of_order_are_refused(tmp_path, samples):
    path = jp2(tmp_path / "a.jp2", samples[..., ::-1], 16, channels((0, 0, 3), (1, 0, 2), (2, 0, 1)))
    assert refusal(path).reason == "unsupported"
    first = np.dstack([samples[..., 0], samples])
    path = jp2(tmp_path / "a.jp2", first, 16, channels((0, 1, 0), (1, 0, 1), (2, 0, 2), (3, 0, 3)))
    assert refusal(path).reason == "unsupported"
    path = jp2(tmp_path / "a.jp2", samples[..., :2], 17, channels((0, 1, 0), (1, 0, 0)))
    assert refusal(path).reason == "unsupported"
    path = jp2(tmp_path / "a.jp2", samples, 16, channels(*IN_ORDER))
    np.testing.assert_array_equal(read_photo(path).pixels, samples)


@pytest.mark.parametrize("samples", [COLORS, DEEP], ids=["8", "16"])
def test_what_is_behind_the_colors(tmp_path, samples):
    top = np.iinfo(samples.dtype).max
    four = np.dstack([samples // 2, np.full((H, W), top // 2 + 1, samples.dtype)])
    path = jp2(tmp_path / "a.jp2", four, 16, channels(*IN_ORDER, (3, 1, 0)))
    np.testing.assert_array_equal(read_photo(path).alpha, four[..., 3])
    path = jp2(tmp_path / "a.jp2", four, 16, channels(*IN_ORDER, (3, 2, 0)))
    assert np.abs(read_photo(path).pixels.astype(int) - samples).max() <= 2  # divided again
    photo = read_photo(jp2(tmp_path / "a.jp2", four, 16, channels(*IN_ORDER, (3, 65535, 65535))))
    assert photo.alpha is None
    assert photo.metadata.lost == ("extra channels (infrared, masks)",)
    np.testing.assert_array_equal(photo.pixels, four[..., :3])


def test_palettes_of_jpeg_2000(tmp_path):
    indices = RAMP // 16
    table = np.array([[16 * i, 255 - 16 * i, 37 * i % 256] for i in range(16)], np.uint8)
    said = box(b"cmap", b"".join(struct.pack(">H2B", 0, 1, i) for i in range(3)))
    plain = box(b"pclr", struct.pack(">H4B", 16, 3, 7, 7, 7) + table.tobytes())
    np.testing.assert_array_equal(
        read_photo(jp2(tmp_path / "a.jp2", indices, 16, plain, said)).pixels, table[indices]
    )
    assert refusal(jp2(tmp_path / "a.jp2", indices, 16, plain, said, bits=4)).reason == "unsupported"
    deep = box(b"pclr", struct.pack(">H4B", 16, 3, 15, 15, 15) + (table.astype(">u2") * 257).tobytes())
    assert refusal(jp2(tmp_path / "a.jp2", indices, 16, deep, said)).reason == "unsupported"


def test_colors_that_call_themselves_gray_and_half_a_code(tmp_path):
    path = jp2(tmp_path / "a.jp2", COLORS, 17)
    assert refusal(path).reason == "unsupported"
    path = jp2(tmp_path / "a.jp2", COLORS, 16)
    path.write_bytes(path.read_bytes()[:-300])
    assert refusal(path).reason == "truncated"


# --- others ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("top", [1000, 65535])
def test_plain_netpbm_keeps_its_bits(tmp_path, top):
    levels = np.rint(DEEP * (top / 65535)).astype(int)
    text = f"P3 # colors\n{W} {H}\n{top}\n" + " ".join(map(str, levels.ravel().tolist()))
    (tmp_path / "a.ppm").write_text(text + " # the end\n")
    assert np.abs(read_photo(tmp_path / "a.ppm").pixels - levels * (65535 / top)).max() <= 1
    (tmp_path / "a.ppm").write_text(text[: len(text) // 2])
    assert refusal(tmp_path / "a.ppm").reason == "truncated"


def test_depth_and_colors_of_avif_are_said(tmp_path):
    for bits, kind in ((8, np.uint8), (10, np.uint16), (12, np.uint16)):
        content = imagecodecs.avif_encode((DEEP >> 16 - bits).astype(kind), level=95, bitspersample=bits)
        (tmp_path / "a.avif").write_bytes(content)
        photo = read_photo(tmp_path / "a.avif")
        assert photo.warnings == (() if bits == 8 else (f"{bits} bits were read as 8",))
        assert np.abs(photo.pixels.astype(int) - COLORS).mean() < 3
    at = content.index(b"nclx") + 4
    linear = content[:at] + struct.pack(">2H", 1, 8) + content[at + 4 :]
    (tmp_path / "a.avif").write_bytes(linear)
    expected = 255 * encoded(photo.pixels / 255)
    assert np.abs(read_photo(tmp_path / "a.avif").pixels - expected).max() <= 1


@pytest.mark.parametrize("suffix", ["tif", "jp2"])
def test_jpeg_2000_of_five_channels_is_not_called_damaged(tmp_path, suffix):
    five, path = np.dstack([COLORS, RAMP, RAMP]), tmp_path / f"a.{suffix}"
    if suffix == "jp2":
        path.write_bytes(imagecodecs.jpeg2k_encode(five, reversible=True))
    else:
        extra = ["unassalpha", "unspecified"]
        tifffile.imwrite(
            path, five, photometric="rgb", extrasamples=extra, planarconfig="contig", compression="jpeg2000"
        )
    assert refusal(path).reason == "unsupported"
