"""Photos of several pages, and the sentence of provenance."""

from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile
from PIL import Image

from cyclecolor.photos import Metadata, Photo, PhotoError, is_photo, read_pages, read_photo, write_pages
from cyclecolor.photos.provenance import packet, with_provenance

RAMP = np.arange(65536, dtype=np.uint16).reshape(256, 256)
GRAY8 = (RAMP >> 8).astype(np.uint8)[..., None]
RGB16 = np.dstack([RAMP, RAMP[::-1], RAMP.T])


def test_pages_of_every_kind_go_out_and_come_back(tmp_path):
    meta = Metadata("TIFF", None, None, (300.0, 300.0), "made by a test")
    pages = [Photo(GRAY8, None, meta), Photo(RGB16, None, meta), Photo(RAMP[..., None]), Photo(RGB16, RAMP)]
    written = write_pages(pages, tmp_path / "a.tif")
    assert written.content == (tmp_path / "a.tif").read_bytes()
    back = list(read_pages(tmp_path / "a.tif"))
    assert len(back) == 4
    for page, photo in zip(back, pages, strict=True):
        np.testing.assert_array_equal(page.pixels, photo.pixels)
        assert (page.alpha is None) == (photo.alpha is None)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:  # another reader agrees
        for page, photo in zip(file.pages, pages, strict=True):
            samples = photo.pixels if photo.alpha is None else np.dstack([photo.pixels, photo.alpha])
            np.testing.assert_array_equal(page.asarray().reshape(samples.shape), samples)


def test_foreign_pages_keep_16_bits(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(RGB16, photometric="rgb")
        file.write(RGB16[::-1], photometric="rgb")
        file.write(RAMP, photometric="minisblack")
    pages = list(read_pages(tmp_path / "a.tif"))
    for page, samples in zip(pages, (RGB16, RGB16[::-1], RAMP[..., None]), strict=True):
        np.testing.assert_array_equal(page.pixels, samples)


def test_reduced_copies_are_no_pages(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(GRAY8[..., 0])
        file.write(GRAY8[::4, ::4, 0], subfiletype=1)
        file.write(GRAY8[::-1, :, 0], subfiletype=2)
    pages = list(read_pages(tmp_path / "a.tif"))
    assert [page.pixels[0, 0, 0] for page in pages] == [0, 255]


def test_reduced_copies_as_old_programs_say_it(tmp_path):
    """By a tag that TIFF 6.0 (section 8) replaced: 2 is a reduced copy, 1 and 3 are pages."""
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for kind, samples in ((2, GRAY8[::4, ::4]), (1, GRAY8), (3, GRAY8[::-1])):
            file.write(samples[..., 0], metadata=None, extratags=[(255, 3, 1, kind, True)])
    pages = list(read_pages(tmp_path / "a.tif"))
    assert [page.pixels[0, 0, 0] for page in pages] == [0, 255]
    np.testing.assert_array_equal(read_photo(tmp_path / "a.tif").pixels, GRAY8)


def test_pages_count_together(tmp_path):
    write_pages([Photo(GRAY8)] * 3, tmp_path / "a.tif")
    assert len(list(read_pages(tmp_path / "a.tif", max_pixels=3 * 65536))) == 3
    with pytest.raises(PhotoError, match="together") as refused:
        next(read_pages(tmp_path / "a.tif", max_pixels=3 * 65536 - 1))
    assert refused.value.reason == "too-many-pixels"
    first = read_photo(tmp_path / "a.tif", max_pixels=65536)  # of which the others are no part
    np.testing.assert_array_equal(first.pixels, GRAY8)


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_animations_are_refused(tmp_path, suffix):
    frames = [Image.new("RGB", (8, 6), (90 * i, 0, 0)) for i in range(3)]
    frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:])
    with pytest.raises(PhotoError, match="3 frames") as refused:
        next(read_pages(tmp_path / f"a.{suffix}"))
    assert refused.value.reason == "several-frames"


def test_a_jpeg_with_a_preview_is_one_photo(tmp_path):
    frames = [Image.new("RGB", (8, 6), (200, 0, 0)), Image.new("RGB", (8, 6))]
    frames[0].save(tmp_path / "a.mpo", save_all=True, append_images=frames[1:])
    (page,) = read_pages(tmp_path / "a.mpo")
    assert "further pictures in the file" in page.metadata.lost
    assert abs(page.pixels.mean((0, 1)) - (200, 0, 0)).max() < 3


def test_pages_need_a_format_for_them(tmp_path):
    with pytest.raises(PhotoError, match="several pages, and JPEG holds one") as refused:
        write_pages([Photo(GRAY8), Photo(GRAY8)], tmp_path / "a.jpg")
    assert refused.value.reason == "unwritable"
    assert list(tmp_path.iterdir()) == []


def test_other_formats_are_not_written(tmp_path):
    with pytest.raises(PhotoError) as refused:
        write_pages([Photo(GRAY8)], tmp_path / "a.gif")
    start = f"{tmp_path / 'a.gif'}: photos are not written as .gif; use one of "
    assert str(refused.value).startswith(start)


@pytest.mark.parametrize("alpha", [None, np.full((8, 8), 200, np.uint8)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_tiff_says_that_its_last_channel_is_alpha(tmp_path, channels, alpha):
    write_pages([Photo(np.full((8, 8, channels), 9, np.uint8), alpha)], tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        said = file.pages[0].extrasamples
    assert said == (() if alpha is None else (tifffile.EXTRASAMPLE.UNASSALPHA,))


def test_photos_are_known_by_their_first_bytes(tmp_path):
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"text")
    (tmp_path / "c").write_bytes(b"")
    assert [is_photo(tmp_path / name) for name in ("a.png", "b.png", "c", "missing")] == [
        True,
        False,
        False,
        False,
    ]


# --- provenance ---------------------------------------------------------------------------------

SENTENCE = "Colors are inferred: <a> & b"
FOREIGN = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    b'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"><dc:source>box 12</dc:source></rdf:Description>'
    b"</rdf:RDF></x:xmpmeta>"
)


def test_provenance_joins_what_is_there(tmp_path):
    photo = Photo(GRAY8, metadata=Metadata(xmp=FOREIGN, provenance=SENTENCE))
    write_pages([photo], tmp_path / "a.png")
    xmp = ElementTree.fromstring(read_photo(tmp_path / "a.png").metadata.xmp)
    assert xmp.find(".//{http://purl.org/dc/elements/1.1/}source").text == "box 12"
    assert xmp.find(".//{http://ns.adobe.com/photoshop/1.0/}History").text == SENTENCE
    assert FOREIGN[:-23] in with_provenance(FOREIGN, SENTENCE)  # nothing else was touched


def test_provenance_replaces_an_older_one():
    once = with_provenance(FOREIGN, "first")
    twice = with_provenance(once, "second")
    assert twice.count(b"DigitalSourceType>") == 2
    assert b"first" not in twice
    assert twice.replace(b"second", b"first").count(b"first") == 1
    attribute = FOREIGN.replace(b"<dc:source>", b'<dc:source photoshop:History="old">')
    assert b"old" not in with_provenance(attribute, "new")


def test_a_packet_longer_than_a_segment_goes_into_extensions(tmp_path):
    long = FOREIGN.replace(b"box 12", b"box 12 " + b"x" * 200_000)
    photo = Photo(GRAY8, metadata=Metadata(xmp=long, provenance=SENTENCE))
    write_pages([photo], tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as image:
        assert b"inferred" in image.info["xmp"]  # where every reader looks
    xmp = ElementTree.fromstring(read_photo(tmp_path / "a.jpg").metadata.xmp)
    assert xmp.find(".//{http://purl.org/dc/elements/1.1/}source").text == "box 12 " + "x" * 200_000
    assert xmp.find(".//{http://ns.adobe.com/photoshop/1.0/}History").text == SENTENCE
    assert xmp.find(".//*[@{http://ns.adobe.com/xmp/note/}HasExtendedXMP]") is None


def test_no_packet_without_something_to_say():
    assert packet(Metadata(xmp=FOREIGN)) == FOREIGN
    assert packet(Metadata()) is None


def test_unreadable_packet_is_replaced(tmp_path):
    write_pages([Photo(GRAY8, metadata=Metadata(xmp=b"rubbish", provenance=SENTENCE))], tmp_path / "a.png")
    assert b"inferred" in read_photo(tmp_path / "a.png").metadata.xmp
