"""What describes a photo goes along, in each format that can hold it; what is true no longer does not."""

import io
import struct
import zlib
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from PIL import Image, IptcImagePlugin, PngImagePlugin

from cyclecolor.photos import Metadata, Photo, decode_image, exif, iptc, png, read_photo, write_photo, xmp
from cyclecolor.photos.ours import provenance_in
from cyclecolor.photos.tiff.fields import Field, numbers, packed

H, W = 24, 32
RAMP = np.add.outer(3 * np.arange(H), 3 * np.arange(W)).astype(np.uint8)
GRAY = Image.fromarray(RAMP)


def dataset(number, text):
    value = text.encode()
    return b"\x1c\x02" + bytes([number]) + struct.pack(">H", len(value)) + value


RECORDS = (
    dataset(120, "A barn, Malmö") + dataset(80, "Anna Berg") + dataset(25, "barn") + dataset(25, "field")
)
RESOURCES = iptc.PHOTOSHOP + b"8BIM\x04\x0c\0\0" + struct.pack(">L", 3) + b"abc\0" + iptc.as_resource(RECORDS)


def segment(marker, content):
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def jpeg_with(path, *segments, **options):
    out = io.BytesIO()
    GRAY.save(out, "JPEG", quality=95, **options)
    content = out.getvalue()
    path.write_bytes(content[:2] + b"".join(segments) + content[2:])
    return path


def through(source, target):
    """Read, and written as another file: what of the metadata is lost on the way, in words."""
    photo = read_photo(source)
    return (*photo.metadata.lost, *write_photo(photo, target).lost)


# --- IPTC, comments, text -------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["jpg", "jfif", "jpe", "tif", "png"])
def test_iptc_goes_where_it_can_be_held(tmp_path, suffix):
    source = jpeg_with(tmp_path / "in.jpg", segment(0xED, RESOURCES), segment(0xFE, b"from box 12"))
    target = tmp_path / f"out.{suffix}"
    lost = through(source, target)
    back = read_photo(target).metadata
    assert back.iptc == RECORDS
    if suffix == "png":
        assert ("Comment", "from box 12") in back.text
        assert lost == ()
    elif suffix == "tif":
        assert lost == ("comment",)
    else:
        assert back.comment == b"from box 12"
        assert lost == ()
    with Image.open(target) as image:  # another reader
        if suffix in ("tif", "jpg"):
            said = IptcImagePlugin.getiptcinfo(image)
            assert said[(2, 120)] == "A barn, Malmö".encode()
            assert said[(2, 25)] == [b"barn", b"field"]
        if suffix == "jpg":
            assert image.info["comment"] == b"from box 12"


@pytest.mark.parametrize("suffix", ["webp", "avif", "bmp"])
def test_what_a_format_cannot_hold_is_named(tmp_path, suffix):
    source = jpeg_with(tmp_path / "in.jpg", segment(0xED, RESOURCES), segment(0xFE, b"box"), dpi=(300, 300))
    lost = through(source, tmp_path / f"out.{suffix}")
    assert {"IPTC", "comment"} <= set(lost)
    assert ("resolution" in lost) == (suffix != "bmp")


@pytest.mark.parametrize("form", ["type 7", "swapped numbers", "resources"])
def test_iptc_in_the_forms_that_tiffs_have(tmp_path, form):
    data = RECORDS + bytes(-len(RECORDS) % 4)
    swapped = b"".join(data[at : at + 4][::-1] for at in range(0, len(data), 4))
    field = {
        "type 7": Field(33723, 7, RECORDS),
        "swapped numbers": Field(33723, 4, swapped),
        "resources": Field(34377, 1, RESOURCES.removeprefix(iptc.PHOTOSHOP)),
    }[form]
    kinds = [(256, 2), (257, 2), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (279, 4)]
    fields = [field, *(numbers(tag, 4, value) for tag, value in kinds)]
    (tmp_path / "a.tif").write_bytes(b"II*\0\x08\0\0\0" + packed(fields, 8))
    assert read_photo(tmp_path / "a.tif").metadata.iptc == RECORDS


@pytest.mark.parametrize("deep", [False, True])
def test_text_of_a_png(tmp_path, deep):
    said = PngImagePlugin.PngInfo()
    said.add_text("Title", "A barn")
    said.add_text("Author", "Anna Berg", zip=True)
    said.add_itxt("Description", "Žluťoučký kůň", "cs")
    said.add_text("Comment", "box 12")
    resource = iptc.as_resource(RECORDS)
    said.add_text("Raw profile type iptc", f"\niptc\n{len(resource):8}\n{resource.hex()}\n", zip=True)
    image = Image.fromarray(RAMP.astype(np.uint16) * 257) if deep else GRAY
    image.save(tmp_path / "in.png", pnginfo=said)
    assert through(tmp_path / "in.png", tmp_path / "out.png") == ()
    with Image.open(tmp_path / "out.png") as image:
        assert image.text["Title"] == "A barn"
        assert image.text["Author"] == "Anna Berg"
        assert image.text["Description"] == "Žluťoučký kůň"
    assert read_photo(tmp_path / "out.png").metadata.iptc == RECORDS
    lost = through(tmp_path / "in.png", tmp_path / "out.jpg")
    assert lost == ("text: Title", "text: Author", "text: Description")
    back = read_photo(tmp_path / "out.jpg").metadata
    assert (back.comment, back.iptc) == (b"box 12", RECORDS)


def test_segments_that_nobody_knows_are_named(tmp_path):
    unknown = [segment(0xEB, b"JP\0\0c2pa"), segment(0xE4, b"maker"), segment(0xE2, b"maker")]
    source = jpeg_with(tmp_path / "a.jpg", *unknown, segment(0xE2, b"MPF\0of two pictures"))
    assert read_photo(source).metadata.lost == ("content credentials", "segment APP4", "segment APP2")


# --- XMP ------------------------------------------------------------------------------------------

BARN = '<dc:description xmlns:dc="http://purl.org/dc/elements/1.1/">A barn</dc:description>'


def packet(properties="", attributes=""):
    return (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        f'{attributes}>{BARN}{properties}</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


ADOBE = "http://ns.adobe.com"
GOOGLE = "http://ns.google.com/photos/1.0"
FALSE = {
    "gain map": (f'xmlns:hdrgm="{ADOBE}/hdr-gain-map/1.0/" hdrgm:Version="1.0" hdrgm:GainMapMax="3"', ""),
    "motion video": (f'xmlns:GCamera="{GOOGLE}/camera/" GCamera:MotionPhoto="1" GCamera:MicroVideo="1"', ""),
    "further pictures in the file": (
        "",
        f'<C:Directory xmlns:C="{GOOGLE}/container/" xmlns:Item="{GOOGLE}/container/item/"><rdf:Seq><rdf:li '
        'rdf:parseType="Resource"><C:Item Item:Mime="video/mp4" Item:Length="9"/></rdf:li></rdf:Seq>'
        "</C:Directory>",
    ),
    "depth map": (f'xmlns:GDepth="{GOOGLE}/depthmap/" GDepth:Format="RangeInverse"', ""),
    "": (
        f'xmlns:ps="{ADOBE}/photoshop/1.0/" ps:ColorMode="1" ps:ICCProfile="Dot Gain 20%" ',
        f'<xmp:Thumbnails xmlns:xmp="{ADOBE}/xap/1.0/"><rdf:Alt><rdf:li>AAAA</rdf:li></rdf:Alt>'
        "</xmp:Thumbnails>"
        f'<tiff:BitsPerSample xmlns:tiff="{ADOBE}/tiff/1.0/">8</tiff:BitsPerSample>',
    ),
}


@pytest.mark.parametrize("gone", FALSE, ids=lambda name: name or "storage")
def test_properties_that_hold_no_longer_go_and_the_rest_stays(gone):
    attributes, properties = FALSE[gone]
    attributes += f' xmlns:xmp="{ADOBE}/xap/1.0/" xmp:Rating="4"'
    cleaned, lost = xmp.cleaned(packet(properties, attributes), None, 1)
    assert lost == ([gone] if gone else [])
    for word in (
        "Gain",
        "Motion",
        "MicroVideo",
        "video/mp4",
        "Depth:",
        "ColorMode",
        "Dot",
        "AAAA",
        "BitsPer",
    ):
        assert f"{word}".encode() not in cleaned
    ElementTree.fromstring(cleaned)
    assert b"A barn" in cleaned
    assert b'xmp:Rating="4"' in cleaned


def test_a_packet_that_is_true_stays_byte_for_byte():
    assert xmp.cleaned(packet(), None, 1) == (packet(), [])
    assert xmp.cleaned(packet() + b"\0\0", None, 6) == (packet(), [])


def test_regions_of_a_picture_that_was_turned_go():
    schema = 'xmlns:mwg="http://www.metadataworkinggroup.com/schemas/regions/"'
    said = packet(f'<mwg:Regions {schema} rdf:parseType="Resource"/>')
    assert xmp.cleaned(said, None, 1)[0] == said
    cleaned, lost = xmp.cleaned(said, None, 6)
    assert (b"Regions" in cleaned, lost) == (False, ["regions"])


@pytest.mark.parametrize(
    "hostile",
    [
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + packet(),
        b"<a>" * 100_000,
        b"<a>" * 5000 + b"</a>" * 5000,
        b"rubbish",
        packet()[:-40],
        ("<!DOCTYPE x>" + packet().decode()).encode("utf-16"),
    ],
)
def test_packets_that_are_none_are_left_out_and_named(hostile):
    cleaned, lost = xmp.cleaned(hostile, None, 1)
    assert cleaned in (None, hostile)
    assert cleaned is not None or lost == ["XMP (damaged)"]


def test_an_extension_joins_its_packet(tmp_path):
    extension = packet(f'<p:Note xmlns:p="{ADOBE}/x/1.0/">{"n" * 150_000}</p:Note>')
    name = xmp.extension_name(extension)
    main = packet("", f'xmlns:xmpNote="{ADOBE}/xmp/note/" xmpNote:HasExtendedXMP="{name}"')
    segments = [segment(0xE1, xmp.SEGMENT + main)]
    segments += [segment(0xE1, part) for part in xmp.extension_segments(extension)]
    source = jpeg_with(tmp_path / "a.jpg", *segments)
    photo = read_photo(source)
    assert photo.metadata.lost == ()
    assert photo.metadata.xmp.count(b"n" * 150_000) == 1
    assert b"HasExtendedXMP" not in photo.metadata.xmp
    ElementTree.fromstring(photo.metadata.xmp)
    assert through(source, tmp_path / "b.jpg") == ()
    assert read_photo(tmp_path / "b.jpg").metadata.xmp.count(b"n" * 150_000) == 1
    cut = jpeg_with(tmp_path / "c.jpg", *segments[:-1])
    assert read_photo(cut).metadata.lost == ("XMP's extension (damaged)",)


def test_chunks_of_the_picture_itself_are_passed_over(tmp_path):
    GRAY.save(tmp_path / "a.png")
    with open(tmp_path / "a.png", "rb") as file:
        found = dict(png.chunks(file))
    assert (len(found[b"IHDR"]), found[b"IDAT"], found[b"IEND"]) == (13, b"", b"")


def test_ours_are_known_by_their_provenance(tmp_path):
    for suffix in ("jpg", "png", "tif", "webp", "avif"):
        said = Metadata(xmp=packet(), provenance="Colors are inferred, not recorded: cyclecolor 0.1.0 & x")
        noise = np.random.default_rng(0).integers(0, 255, (600, 800, 3), np.uint8)
        write_photo(Photo(noise, None, said), tmp_path / f"a.{suffix}")
        assert provenance_in(tmp_path / f"a.{suffix}") == said.provenance, suffix
        write_photo(Photo(noise, None, Metadata(xmp=packet())), tmp_path / f"b.{suffix}")
        assert provenance_in(tmp_path / f"b.{suffix}") is None
    assert provenance_in(tmp_path) is None


# --- EXIF -----------------------------------------------------------------------------------------


def block(order, *, thumbnail=b"\xff\xd8 small \xff\xd9"):
    """EXIF by hand: orientation, size and Adobe RGB; a maker note behind; a thumbnail at the end."""
    code = {"<": b"II*\0", ">": b"MM\0*"}[order]

    def directory(entries, following=0):
        body = struct.pack(order + "H", len(entries))
        for tag, kind, count, value in entries:
            packed_value = (
                struct.pack(order + "HH", value, 0) if kind == 3 else struct.pack(order + "L", value)
            )
            body += struct.pack(order + "HHL", tag, kind, count) + packed_value
        return body + struct.pack(order + "L", following)

    first = 8 + 2 + 12 * 3 + 4
    inner = first + 2 + 12 * 4 + 4
    small = inner + 2 + 12 * 2 + 4
    data = code + struct.pack(order + "L", 8)
    data += directory([(0x0112, 3, 1, 6), (0x0103, 3, 1, 6), (0x8769, 4, 1, first)], inner)
    data += directory([(0xA001, 3, 1, 65535), (0xA002, 4, 1, W), (0xA003, 4, 1, H), (0x927C, 7, 5, small)])
    data += directory([(0x0201, 4, 1, small + 6), (0x0202, 4, 1, len(thumbnail))])
    return exif.HEADER + data + b"maker\0" + thumbnail


@pytest.mark.parametrize("order", "<>")
def test_exif_of_an_upright_picture_in_srgb(order):
    cleaned = exif.cleaned(block(order), 6)
    said = Image.Exif()
    said.load(cleaned)
    assert dict(said) == {0x0112: 1, 0x8769: said[0x8769]}
    inner = said.get_ifd(0x8769)
    assert (inner[0xA001], inner[0xA002], inner[0xA003], inner[0x927C]) == (1, H, W, b"maker")
    assert b"small" not in cleaned
    assert not said.get_ifd(1)
    assert len(cleaned) == len(block(order, thumbnail=b""))


def test_previews_in_the_notes_of_a_maker_go_and_all_else_stays_in_place():
    notes = b"Nikon\0\2\x10" + b"\xff\xd8\xff\xdb old and gray \xff\xd9" + b"serial \xff\xd8\xff 7"
    said = exif.block_of([Field(0x8769, 4, [Field(0x927C, 7, notes)])])
    cleaned = exif.cleaned(said, 1)
    assert cleaned.index(b"serial \xff\xd8\xff 7") == said.index(b"serial")
    assert b"Nikon\0\2\x10" + bytes(20) + b"serial" in cleaned


def test_exif_with_xmp_and_iptc_inside(tmp_path):
    said = exif.block_of([Field(270, 2, b"A barn\0"), Field(700, 1, packet()), Field(33723, 7, RECORDS)])
    GRAY.save(tmp_path / "a.webp", exif=said, lossless=True)
    back = read_photo(tmp_path / "a.webp").metadata
    assert (back.xmp, back.iptc) == (packet(), RECORDS)
    assert b"xmpmeta" not in exif.cleaned(said, 1)[:100]


# --- light and colors of PNG and JPEG 2000 --------------------------------------------------------


def encoded(light):
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)


def with_chunks(path, image, *chunks, **options):
    said = PngImagePlugin.PngInfo()
    for name, data in chunks:
        said.add(name, data)
    image.save(path, pnginfo=said, **options)
    return path


GAMMA_1 = (b"gAMA", struct.pack(">L", 100_000))
XY = [31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000]
P3_XY = [31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000]


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("gray", [True, False])
def test_linear_light(tmp_path, deep, gray):
    levels = np.arange(H * W).reshape(H, W) * 65535 // (H * W)
    samples = levels.astype(np.uint16) if deep else (levels >> 8).astype(np.uint8)
    top = np.iinfo(samples.dtype).max
    expected = top * encoded(samples / top)
    if gray:
        with_chunks(tmp_path / "a.png", Image.fromarray(samples), GAMMA_1)
    else:
        write_rgb_png(tmp_path / "a.png", np.dstack([samples] * 3), GAMMA_1)
    photo = read_photo(tmp_path / "a.png")
    assert photo.pixels.dtype == samples.dtype
    assert np.abs(photo.pixels - expected[..., None]).max() <= (12 if deep else 1)
    with Image.open(tmp_path / "a.png") as image:
        np.testing.assert_array_equal(decode_image(image).pixels, photo.pixels)


def write_rgb_png(path, samples, *chunks):
    """By OpenCV, the chunks put behind the first one."""
    done, content = cv2.imencode(".png", samples[..., ::-1])
    assert done
    content = content.tobytes()
    extra = b"".join(
        struct.pack(">L", len(d)) + n + d + struct.pack(">L", zlib.crc32(n + d)) for n, d in chunks
    )
    path.write_bytes(content[:33] + extra + content[33:])


@pytest.mark.parametrize(
    "chunks",
    [
        [(b"gAMA", struct.pack(">L", 45455))],
        [(b"gAMA", struct.pack(">L", 45455)), (b"cHRM", struct.pack(">8L", *XY))],
        [GAMMA_1, (b"sRGB", b"\0")],
        [(b"gAMA", struct.pack(">L", 0))],
        [(b"cICP", bytes([1, 13, 0, 1])), GAMMA_1],
        [GAMMA_1, (b"cHRM", struct.pack(">8L", *[0] * 8))],
    ],
)
def test_light_that_is_srgbs_already(tmp_path, chunks):
    write_rgb_png(tmp_path / "a.png", np.dstack([RAMP, RAMP[::-1], RAMP]), *chunks)
    photo = read_photo(tmp_path / "a.png")
    if len(chunks) == 2 and chunks[1][1] == bytes(32):
        assert photo.warnings
    else:
        np.testing.assert_array_equal(photo.pixels, np.dstack([RAMP, RAMP[::-1], RAMP]))


def test_a_profile_overrules_gamma(tmp_path):
    from cyclecolor.photos.icc import GRAY_ICC

    with_chunks(tmp_path / "a.png", GRAY, GAMMA_1, icc_profile=GRAY_ICC)
    np.testing.assert_array_equal(read_photo(tmp_path / "a.png").pixels[..., 0], RAMP)


@pytest.mark.parametrize(
    "chunks",
    [
        [(b"gAMA", struct.pack(">L", 45455)), (b"cHRM", struct.pack(">8L", *P3_XY))],
        [(b"cICP", bytes([12, 13, 0, 1]))],
    ],
)
def test_other_primaries(tmp_path, chunks):
    colors = np.full((4, 4, 3), (200, 90, 60), np.uint8)
    write_rgb_png(tmp_path / "a.png", colors, *chunks)
    # Display P3 to XYZ to sRGB, both under D65 (SMPTE EG 432-1, IEC 61966-2-1).
    p3 = np.array([[0.48657, 0.26567, 0.19822], [0.22897, 0.69174, 0.07929], [0.0, 0.04511, 1.04394]])
    srgb = np.array([[0.41246, 0.35758, 0.18044], [0.21267, 0.71515, 0.07217], [0.01933, 0.11919, 0.95030]])
    light = ((np.array([200, 90, 60]) / 255 + 0.055) / 1.055) ** 2.4
    expected = 255 * encoded(np.linalg.inv(srgb) @ p3 @ light)
    assert np.abs(read_photo(tmp_path / "a.png").pixels[0, 0] - expected).max() <= 1.5


def box(name, content):
    return struct.pack(">L4s", len(content) + 8, name) + content


def jp2_with(path, samples, *boxes, icc=None, bits=None):
    """A JPEG 2000 with boxes in front of its code."""
    imagecodecs = pytest.importorskip("imagecodecs")
    content = imagecodecs.jpeg2k_encode(samples, reversible=True, codecformat="jp2", bitspersample=bits)
    if icc:
        at = content.index(b"colr") - 4
        old = struct.unpack_from(">L", content, at)[0]
        color = box(b"colr", b"\2\0\0" + icc)
        grown = len(color) - old
        content = content[:at] + color + content[at + old :]
        head = content.index(b"jp2h") - 4
        content = (
            content[:head]
            + struct.pack(">L", struct.unpack_from(">L", content, head)[0] + grown)
            + content[head + 4 :]
        )
    at = content.index(b"jp2c") - 4
    path.write_bytes(content[:at] + b"".join(boxes) + content[at:])
    return path


def test_jpeg_2000_says_as_much_as_other_formats(tmp_path):
    from test_photos import gamma_curve, gray_profile, srgb_encoded

    uuids = {
        bytes.fromhex("be7acfcb97a942e89c71999491e3afac"): packet(),
        bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38"): RECORDS,
        b"JpgTiffExif->JP2": exif.block_of([Field(270, 2, b"A barn\0")]).removeprefix(exif.HEADER),
    }
    boxes = [box(b"uuid", uuid + data) for uuid, data in uuids.items()]
    path = jp2_with(tmp_path / "a.jp2", RAMP, *boxes, icc=gray_profile(gamma_curve(1.8)))
    photo = read_photo(path)
    expected = 255 * srgb_encoded((RAMP / 255) ** (round(1.8 * 256) / 256))
    assert np.abs(photo.pixels[..., 0] - expected).max() <= 1
    said = photo.metadata
    assert (said.xmp, said.iptc) == (packet(), RECORDS)
    assert exif.opened(said.exif).raw(270) == b"A barn\0"


@pytest.mark.parametrize("name", [b"resc", b"resd"])
def test_resolution_of_jpeg_2000(tmp_path, name):
    """As scanned, or as to be shown: 30,000 pixels in 254 cm across, a tenth of that down."""
    said = struct.pack(">4H2b", 30_000, 254, 30_000, 254, 2, 1)
    path = jp2_with(tmp_path / "a.jp2", RAMP, box(b"res ", box(name, said)))
    assert read_photo(path).metadata.dpi == pytest.approx((30, 300))


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_jpeg_2000_keeps_its_bits(tmp_path, bits, channels):
    levels = np.arange(H * W * 4).reshape(H, W, 4) * (2**bits - 1) // (H * W * 4 - 1)
    samples = levels[..., :channels].astype(np.uint8 if bits == 8 else np.uint16)
    samples = samples[..., 0] if channels == 1 else np.ascontiguousarray(samples)
    photo = read_photo(jp2_with(tmp_path / "a.jp2", samples, bits=bits))
    top = 255 if bits == 8 else 65535
    expected = np.rint(samples * (top / (2**bits - 1)))
    expected = expected[..., None] if channels == 1 else expected
    np.testing.assert_array_equal(photo.pixels, expected[..., :3])
    if channels == 4:
        np.testing.assert_array_equal(photo.alpha, expected[..., 3])
