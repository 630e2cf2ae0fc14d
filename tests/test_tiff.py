"""TIFF: what a file declares is what is read, to 1/65535, or it is refused; nothing is silently wrong."""

import io
import itertools
import struct
import tracemalloc

import numpy as np
import pytest
import tifffile
from PIL import Image

from cyclecolor.photos import Photo, PhotoError, decode_image, metadata, read_pages, read_photo, write_pages
from cyclecolor.photos.tiff import MAX_PAGES, Directory, codecs
from cyclecolor.photos.tiff.directory import directories
from cyclecolor.photos.tiff.fields import Field, descriptive, numbers, packed

H, W = 37, 50
GRAIN = np.random.default_rng(0).integers(0, 9, (H, W, 4))
COLORS = (
    np.add.outer(np.arange(H) * 300, np.arange(W) * 200)[..., None] * [1, 1.2, 0.7, 0.5] + GRAIN
).astype(np.uint16)
KINDS = {
    "u1": lambda colors: (colors >> 8).astype(np.uint8),
    "u2": lambda colors: colors,
    "u4": lambda colors: colors.astype(np.uint32),
    "f2": lambda colors: (colors / 65535).astype(np.float16),
    "f4": lambda colors: (colors / 65535).astype(np.float32),
    "f8": lambda colors: colors / 65535,
}


def whole(samples):
    """As `read_photo` gives it back."""
    return (
        np.rint(samples.astype(float) * 65535).astype(int)
        if samples.dtype.kind == "f"
        else samples.astype(int)
    )


def written(path, samples, **options):
    """(H, W, S) in any arrangement."""
    plain = samples if samples.shape[2] > 1 else samples[..., 0]
    if options.get("planarconfig") == "separate":
        plain = np.ascontiguousarray(np.moveaxis(samples, 2, 0))
    kind = "minisblack" if samples.shape[2] < 3 else "rgb"
    tifffile.imwrite(path, plain, **{"photometric": kind, "metadata": None, "rowsperstrip": 7, **options})
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", "<>")
def test_every_arrangement_is_read_as_declared(tmp_path, kind, order):
    count = 0
    for samples, planar, tile, compression, predictor in itertools.product(
        (1, 3, 4), ("contig", "separate"), (None, (16, 32)), (None, "zlib", "lzw", "packbits"), (False, True)
    ):
        if (planar == "separate" and samples == 1) or (predictor and compression in (None, "packbits")):
            continue
        colors = KINDS[kind](COLORS[..., :samples])
        options = {"planarconfig": planar} if samples > 1 else {}
        options |= {"tile": tile, "compression": compression, "predictor": predictor}
        options |= {"byteorder": order, "bigtiff": count % 2 == 1}
        if samples == 4:
            options["extrasamples"] = ["unassalpha"]
        photo = read_photo(written(tmp_path / "a.tif", colors, **options))
        read = photo.pixels if photo.alpha is None else np.dstack([photo.pixels, photo.alpha])
        np.testing.assert_array_equal(read, whole(colors), err_msg=str((samples, options)))
        count += 1
    assert count == 60


@pytest.mark.parametrize("kind", ["i1", "i2", "u8", "i8", "c8"])
def test_what_has_no_known_range_is_refused(tmp_path, kind):
    with pytest.raises(PhotoError) as refused:
        read_photo(written(tmp_path / "a.tif", COLORS[..., :1].astype(kind)))
    assert refused.value.reason == "unsupported"


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 7, 9, 10, 12, 14, 15])
@pytest.mark.parametrize("order", "<>")
def test_packed_bits_reach_white(tmp_path, bits, order):
    levels = np.arange(3 * 2**bits).reshape(1, -1, 3) % 2**bits
    data = np.packbits((levels.reshape(-1, 1) >> np.arange(bits)[::-1] & 1).astype(np.uint8)).tobytes()
    path = raw_tiff(tmp_path / "a.tif", levels.shape[1], 1, [bits] * 3, data, order)
    top = 255 if bits < 8 else 65535
    np.testing.assert_array_equal(read_photo(path).pixels, np.rint(levels * (top / (2**bits - 1))))


def raw_tiff(path, width, height, bits, data, order="<", **tags):
    """RGB or gray in one strip; bytes as they are."""
    entries = {256: width, 257: height, 259: 1, 262: 2 if len(bits) > 2 else 1, 277: len(bits), 278: height}
    entries |= {279: len(data), 258: bits, 273: 0} | {int(tag[1:]): value for tag, value in tags.items()}
    size = 2 + 12 * len(entries) + 4
    extra, table = bytearray(), bytearray(struct.pack(order + "H", len(entries)))
    for tag, value in sorted(entries.items()):
        values = value if isinstance(value, list) else [value]
        packed_values = struct.pack(order + f"{len(values)}L", *values)
        if tag == 273:
            table += struct.pack(order + "HHLL", tag, 4, 1, 8 + size + 4 * sum(map(len, lists(entries))))
        elif len(values) > 1:
            table += struct.pack(order + "HHLL", tag, 4, len(values), 8 + size + len(extra))
            extra += packed_values
        else:
            table += struct.pack(order + "HHL", tag, 4, 1) + packed_values
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "L", 8)
    path.write_bytes(head + table + bytes(4) + extra + data)
    return path


def lists(entries):
    return [value for value in entries.values() if isinstance(value, list) and len(value) > 1]


def test_gray_with_alpha_and_white_that_is_zero(tmp_path):
    gray = COLORS[..., :2]
    path = written(tmp_path / "a.tif", gray, extrasamples=["unassalpha"])
    photo = read_photo(path)
    np.testing.assert_array_equal(photo.pixels[..., 0], gray[..., 0])
    np.testing.assert_array_equal(photo.alpha, gray[..., 1])
    path = written(tmp_path / "b.tif", gray[..., :1], photometric="miniswhite")
    np.testing.assert_array_equal(read_photo(path).pixels, 65535 - gray[..., :1].astype(int))


def test_a_strip_whose_size_is_not_said_goes_to_the_end(tmp_path):
    """As early writers have it."""
    storage = {256: 3, 257: 2, 258: 8, 259: 1, 262: 1, 273: 200, 277: 1, 278: 2}
    head = b"II*\0\x08\0\0\0" + packed([numbers(tag, 4, value) for tag, value in storage.items()], 8)
    (tmp_path / "a.tif").write_bytes(head.ljust(200, b"\0") + bytes(range(10, 16)))
    np.testing.assert_array_equal(read_photo(tmp_path / "a.tif").pixels[..., 0], [[10, 11, 12], [13, 14, 15]])
    (tmp_path / "a.tif").write_bytes(head.ljust(200, b"\0") + bytes(range(10, 15)))
    with pytest.raises(PhotoError, match="strip or tile is too short"):
        read_photo(tmp_path / "a.tif")


def test_an_infrared_channel_is_named_as_lost(tmp_path):
    photo = read_photo(written(tmp_path / "a.tif", COLORS, extrasamples=["unspecified"]))
    np.testing.assert_array_equal(photo.pixels, COLORS[..., :3])
    assert photo.alpha is None
    assert photo.metadata.lost == ("extra channels (infrared, masks)",)


def test_colors_multiplied_by_alpha_are_divided(tmp_path):
    alpha = np.full((H, W, 1), 32768, np.uint16)
    multiplied = np.dstack([COLORS[..., :3] // 2, alpha])
    photo = read_photo(written(tmp_path / "a.tif", multiplied, extrasamples=["assocalpha"]))
    assert np.abs(photo.pixels.astype(int) - COLORS[..., :3]).max() <= 3


@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_ink_with_alpha(tmp_path, dtype):
    top = np.iinfo(dtype).max
    ink = np.zeros((4, 4, 5), dtype)
    ink[..., 1:3], ink[..., 4] = top, top // 2
    options = {"photometric": "separated", "planarconfig": "contig", "extrasamples": ["unassalpha"]}
    tifffile.imwrite(tmp_path / "a.tif", ink, metadata=None, **options)
    photo = read_photo(tmp_path / "a.tif")
    np.testing.assert_array_equal(photo.pixels[0, 0], [255, 0, 0])
    assert photo.alpha[0, 0] == pytest.approx(127, abs=1)
    assert bool(photo.warnings) == (dtype == "u2")


@pytest.mark.parametrize("compression", ["jpeg", "jpeg2000", "webp", "zstd", "lzma"])
@pytest.mark.parametrize("tile", [None, (16, 32)])
def test_pictures_as_strips_and_tiles(tmp_path, compression, tile):
    smooth = (COLORS[..., :3] >> 8).astype(np.uint8)
    path = written(tmp_path / "a.tif", smooth, compression=compression, tile=tile, rowsperstrip=16)
    tolerance = 0 if compression in ("zstd", "lzma") else 20
    assert np.abs(read_photo(path).pixels.astype(int) - smooth).max() <= tolerance


def test_fax_codes(tmp_path):
    bits = np.add.outer(np.arange(40), np.arange(64)) % 7 > 3
    for compression in ("group3", "group4"):
        Image.fromarray(bits).save(tmp_path / "a.tif", compression=compression)
        np.testing.assert_array_equal(read_photo(tmp_path / "a.tif").pixels[..., 0], 255 * bits)


@pytest.mark.parametrize("compression", ["jpegxr", "lerc", "jpegxl"])
def test_other_compressions_are_named_with_a_way_out(tmp_path, compression):
    path = written(tmp_path / "a.tif", (COLORS[..., :3] >> 8).astype(np.uint8), compression=compression)
    with pytest.raises(PhotoError, match=r"compression .* is not supported in TIFF; convert it") as refused:
        read_photo(path)
    assert refused.value.reason == "unsupported"


def test_damage_says_nothing_on_the_standard_error(tmp_path, capfd):
    for compression in ("lzw", "zlib"):
        path = written(tmp_path / "a.tif", COLORS[..., :3], compression=compression)
        content = bytearray(path.read_bytes())
        content[len(content) // 2 :: 3] = b"\xff" * len(content[len(content) // 2 :: 3])
        path.write_bytes(content)
        with pytest.raises(PhotoError):
            read_photo(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("seed", range(3))
def test_lzw_against_another_encoder(seed):
    imagecodecs = pytest.importorskip("imagecodecs")
    rng = np.random.default_rng(seed)
    for size in (1, 2, 511, 5000, 200_000):
        data = rng.integers(0, (2, 17, 256)[seed], size, np.uint8).tobytes()
        assert codecs.unlzw(imagecodecs.lzw_encode(data), size) == data
        assert codecs.unlzw(imagecodecs.lzw_encode(data), size // 2) == data[: size // 2]


def test_a_pillow_image_is_read_as_its_file_declares(tmp_path):
    path = written(tmp_path / "a.tif", COLORS[..., :3], planarconfig="separate")
    with Image.open(path) as image:
        np.testing.assert_array_equal(decode_image(image).pixels, COLORS[..., :3])
    with Image.open(path) as image:
        image.load()
        with pytest.raises(PhotoError, match="which Pillow misreads"):
            decode_image(image)


# --- camera raw -----------------------------------------------------------------------------------


def raw_file(path, *, order=">", version=True, photometric=32803, compression=1):
    """A small preview, and a sensor's picture below it."""
    kinds = [(254, 4, [1]), (256, 4, [4]), (257, 4, [4]), (258, 3, [8]), (259, 3, [1]), (262, 3, [1])]
    kinds += [(273, 4, [0]), (277, 3, [1]), (278, 4, [4]), (279, 4, [16])]
    fields = [numbers(tag, kind, *values) for tag, kind, values in kinds]
    sensor = [(256, 4, [64]), (257, 4, [64]), (259, 3, [compression]), (262, 3, [photometric])]
    fields.append(Field(330, 4, [numbers(tag, kind, *values) for tag, kind, values in sensor]))
    if version:
        fields.append(Field(50706, 1, b"\1\4\0\0"))
    path.write_bytes(b"II*\0\x08\0\0\0" + packed(fields, 8) + bytes(64))
    return path


@pytest.mark.parametrize("name", ["a.dng", "a.tif", "a.nef"])
@pytest.mark.parametrize(
    "kind",
    [
        {},
        {"version": False},
        {"version": False, "photometric": 34892},
        {"version": False, "photometric": 1, "compression": 34713},
    ],
)
def test_camera_raw_is_refused(tmp_path, name, kind):
    with pytest.raises(PhotoError, match="camera raw file; develop it first") as refused:
        read_photo(raw_file(tmp_path / name, **kind))
    assert refused.value.reason == "camera-raw"


@pytest.mark.parametrize(
    "head",
    [
        b"II*\0\x10\0\0\0CR\2\0",
        b"FUJIFILMCCD-RAW 0201",
        b"IIRO\x08\0\0\0",
        b"IIU\0\x08\0\0\0",
        b"FOVb\0\0\2\0",
        b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",
        b"\0MRM\0\0\0\0",
    ],
)
def test_camera_raw_is_known_by_its_first_bytes(tmp_path, head):
    (tmp_path / "a.jpg").write_bytes(head.ljust(200, b"\0"))
    with pytest.raises(PhotoError, match="camera raw"):
        read_photo(tmp_path / "a.jpg")


# --- pages ----------------------------------------------------------------------------------------


def many_pages(path, count):
    """Of one pixel each."""
    content = bytearray(b"II*\0")
    link = 4
    content += bytes(4)
    for number in range(count):
        start = len(content)
        struct.pack_into("<L", content, link, start)
        kinds = [
            (256, 1),
            (257, 1),
            (258, 8),
            (259, 1),
            (262, 1),
            (273, start + 200),
            (277, 1),
            (278, 1),
            (279, 1),
        ]
        fields = packed([numbers(tag, 4, value) for tag, value in kinds], start)
        link = start + len(fields) - 4
        content += fields.ljust(200, b"\0") + bytes([number % 256, 0])
    path.write_bytes(content)
    return path


@pytest.fixture
def tables(monkeypatch):
    """Positions of what is read of a file's tables of tags."""
    positions = []
    whole = Directory._bytes
    monkeypatch.setattr(
        Directory,
        "_bytes",
        lambda self, position, size: positions.append(position) or whole(self, position, size),
    )
    return positions


def test_many_pages_cost_what_they_hold(tmp_path, tables):
    spent = []
    for count in (250, 1000):
        path = many_pages(tmp_path / "a.tif", count)
        tables.clear()
        levels = [int(page.pixels[0, 0, 0]) for page in read_pages(path)]
        spent.append(len(tables))
        assert levels == [number % 256 for number in range(count)]
    assert spent[1] == 4 * spent[0]


def test_too_many_pages_are_refused_in_one_pass(tmp_path, tables):
    path = many_pages(tmp_path / "a.tif", MAX_PAGES + 1)
    with pytest.raises(PhotoError, match="more than 5,000 pages; split the file") as refused:
        next(read_pages(path))
    assert len(tables) == len(set(tables))  # nothing is read twice
    assert refused.value.reason == "too-many-pages"


def test_a_preview_in_front_is_no_page(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(COLORS[::4, ::4, 0], subfiletype=1)
        file.write(COLORS[..., 0])
    (page,) = read_pages(tmp_path / "a.tif")
    assert page.pixels.shape == (H, W, 1)


# --- hostile --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tags",
    [
        {"t256": 14_000, "t257": 14_000},
        {"t256": 14_000, "t257": 14_000, "t259": 8},
        {"t322": 1, "t323": 1, "t324": [8] * 9, "t325": [1] * 9},
        {"t322": 2**31, "t323": 2**31, "t324": 8, "t325": 8},
        {"t279": 2**32 - 1},
        {"t277": 4000},
        {"t278": 0},
        {"t259": 5},
        {"t317": 3},
        {"t262": 3},
        {"t262": 8, "t258": [8, 8]},
    ],
    ids=str,
)
def test_claims_that_cannot_be_true_are_refused_before_room_is_made(tmp_path, tags):
    path = raw_tiff(tmp_path / "a.tif", 100, 100, [8], bytes(9000), **tags)
    tracemalloc.start()
    try:
        with pytest.raises(PhotoError):
            read_photo(path)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_strips_that_overlap_do_not_multiply_the_work(tmp_path):
    rows = 2000
    path = raw_tiff(
        tmp_path / "a.tif", 100, rows, [8], bytes(60_000), t259=32773, t278=1, t279=[50_000] * rows
    )
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        start = file.pages[0].tags[273].valueoffset
    at = content.index(struct.pack("<HHL", 273, 4, 1))
    struct.pack_into("<HHLL", content, at, 273, 4, rows, len(content))
    content += struct.pack("<L", start) * rows
    path.write_bytes(content)
    with pytest.raises(PhotoError, match="cut short"):
        read_photo(path)


@pytest.mark.parametrize(
    "head", [b"", b"II*\0\x08", b"XX\0*\0\0\0\x08", b"II-\0\x08\0\0\0", b"MM\0+\0\x08\0\0\0\0"]
)
def test_what_does_not_begin_as_a_tiff_is_none(head):
    whole = io.BytesIO(head + bytes(100) if len(head) == 8 else head)
    with pytest.raises(ValueError, match="no header of a TIFF"):
        next(directories(whole))


def test_directories_in_circles(tmp_path):
    path = many_pages(tmp_path / "a.tif", 3)
    content = bytearray(path.read_bytes())
    last = len(content) - 202 + 2 + 12 * 9
    struct.pack_into("<L", content, last, 8)
    path.write_bytes(content)
    with pytest.raises(PhotoError, match="circles"):
        list(read_pages(path))


def test_deflate_gives_no_more_than_it_is_asked_for():
    bomb = codecs.zlib.compress(bytes(50_000_000))
    assert len(codecs.inflated(bomb, 1000)) == 1000
    assert len(codecs.unpacked(b"\x81\0" * 10_000, 500)) == 500


def test_runs_of_packbits_by_its_definition():
    """Three bytes as they are, nothing, a run of three, the longest run, one byte as it is."""
    coded = bytes([2, 1, 2, 3, 128, 254, 9, 129, 7, 0, 5])
    assert codecs.unpacked(coded, 1000) == bytes([1, 2, 3, 9, 9, 9]) + 128 * b"\7" + b"\5"


def test_lzw_of_another_kind_or_without_sense_is_refused():
    with pytest.raises(ValueError, match=r"before TIFF 6\.0"):
        codecs.unlzw(b"\0\1" + bytes(9), 9)
    with pytest.raises(ValueError, match="stands for nothing"):
        codecs.unlzw(b"\x80\x7f\xff\xff", 9)
    assert codecs.unlzw(b"\x80\x40\x40", 9) == b""  # begins, and ends


def page_of(fields):
    """The directory that they make."""
    return next(directories(io.BytesIO(b"II*\0\x08\0\0\0" + packed(fields, 8))))


def test_fields_of_any_size_are_read_as_they_were_written():
    fields = [Field(34665, 4, [Field(37510, 7, b"a comment"), numbers(40961, 3, 1)])]
    fields += [Field(50000 + size, 1, bytes(range(size))) for size in range(1, 10)]
    fields += [numbers(50100, 3, 1, 2), numbers(50101, 3, 1, 2, 3), numbers(50102, 5, 1, 3, 2, 7)]
    fields += [numbers(50103, 12, 0.5), numbers(50104, 10, -1, 3)]
    found, lost = descriptive(page_of(fields))
    by_tag = {field.tag: field for field in found}
    assert by_tag == {field.tag: field for field in fields}
    assert lost == []
    assert page_of(fields).quotients(50102) == [1 / 3, 2 / 7]


def test_of_many_or_large_fields_some_are_carried_and_the_others_named():
    """65,000 bytes are the most of one, 4 MiB of all together."""
    found, lost = descriptive(page_of([Field(50000 + i, 1, bytes(65_000)) for i in range(66)]))
    assert [field.tag for field in found] == [*range(50000, 50064)]
    assert lost == [50064, 50065]
    assert descriptive(page_of([Field(50000, 1, bytes(65_001))])) == ([], [50000])
    said = metadata.of_page(page_of([numbers(50000 + i, 4, 8) for i in range(25)])).lost
    assert said == (*(f"tag {50000 + i}" for i in range(20)), "5 more tags")
    said = metadata.of_page(page_of([numbers(50000 + i, 4, 8) for i in range(20)])).lost
    assert said == tuple(f"tag {50000 + i}" for i in range(20))


def test_metadata_of_pages_go_out_and_come_back(tmp_path):
    fields = [
        Field(269, 2, b"Box 12\0"),
        Field(285, 2, b"Page 7\0"),
        Field(40091, 1, "Tür\0".encode("utf-16-le")),
    ]
    fields += [Field(34665, 4, [Field(36867, 2, b"1911:05:03 10:00:00\0")]), Field(50000, 4, b"\1\0\0\0")]
    path = raw_tiff(tmp_path / "a.tif", 2, 2, [8], bytes(4))
    source = io.BytesIO(path.read_bytes())
    table = tifffile.TiffFile(source).pages[0]
    storage = [numbers(tag, 4, int(table.tags[tag].value)) for tag in (256, 257, 258, 259, 262, 277, 278)]
    storage += [numbers(273, 4, 8), numbers(279, 4, 4)]
    path.write_bytes(b"II*\0\x08\0\0\0" + packed([*storage, *fields], 8))
    photo = read_photo(path)
    assert photo.metadata.lost == ("tag 50000",)  # may be a position in the file
    write_pages([Photo(photo.pixels, None, photo.metadata)], tmp_path / "b.tif")
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        tags = file.pages[0].tags
        assert (tags[269].value, tags[285].value) == ("Box 12", "Page 7")
        assert bytes(tags[40091].value) == "Tür\0".encode("utf-16-le")
        assert tags[34665].value["DateTimeOriginal"] == "1911:05:03 10:00:00"
