"""What makers of cameras and programs put beside a picture, and what of it is true of ours."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from test_metadata import block, dataset, jpeg_with, packet, segment, with_chunks

from cyclecolor.photos import exif, iptc, read_photo, write_photo, xmp
from cyclecolor.photos.ours import provenance_in
from cyclecolor.photos.photo import Metadata, Photo
from cyclecolor.photos.tiff.fields import Field, numbers

RAMP = np.add.outer(np.arange(40), np.arange(56)).astype(np.uint8)
BYLINE = dataset(80, "somebody")
VIDEO = b"\0\0\0\x18ftypmp42" + bytes(range(1, 251)) * 9


def long_dataset(number, size):
    """One of more than 32,767 bytes, whose size has a size of its own."""
    return b"\x1c\x02" + bytes([number]) + struct.pack(">HL", 0x8004, size) + b"x" * size


@pytest.mark.parametrize(
    "gone", [dataset(202, "gray preview"), dataset(130, "1M"), long_dataset(202, 40_000)]
)
def test_previews_in_iptc_go(tmp_path, gone):
    caption = long_dataset(120, 33_000)
    for records in (BYLINE + gone + caption, gone + BYLINE + caption, BYLINE + caption + gone):
        assert iptc.cleaned(records, 1) == BYLINE + caption
    assert iptc.cleaned(gone, 1) is None
    kept = BYLINE + gone[:3]  # cut off: nobody knows what it was
    assert iptc.cleaned(kept, 1) == kept
    jpeg_with(
        tmp_path / "a.jpg", segment(0xED, iptc.PHOTOSHOP + iptc.as_resource(BYLINE + dataset(202, "x")))
    )
    assert read_photo(tmp_path / "a.jpg").metadata.iptc == BYLINE


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_how_a_picture_lay_goes_where_it_was_turned(orientation):
    kept = iptc.cleaned(BYLINE + dataset(131, "L"), orientation)
    assert kept == (BYLINE if orientation == 6 else BYLINE + dataset(131, "L"))


@pytest.mark.parametrize(
    ("schema", "name"),
    [
        ("http://ns.oplus.com/photos/1.0/camera/", "MotionPhotoOwner"),
        ("http://ns.oplus.com/photos/1.0/camera/", "OLivePhotoVersion"),
        ("http://ns.google.com/photos/1.0/camera/", "MicroVideoOffset"),
    ],
)
def test_motion_of_every_maker_goes(schema, name):
    said = packet(attributes=f'xmlns:Some="{schema}" Some:{name}="1" Some:Other="2"')
    cleaned, lost = xmp.cleaned(said, None, 1)
    assert name.encode() not in cleaned
    assert b'Some:Other="2"' in cleaned
    assert lost == ["motion video"]


def test_what_is_behind_a_picture_is_named(tmp_path):
    jpeg_with(tmp_path / "a.jpg")
    whole = (tmp_path / "a.jpg").read_bytes()
    for behind, named in ((b"", False), (bytes(999), False), (VIDEO, True), (VIDEO + bytes(9), True)):
        (tmp_path / "a.jpg").write_bytes(whole + behind)
        lost = read_photo(tmp_path / "a.jpg").metadata.lost
        assert lost == (("what is behind the picture (a video, notes)",) if named else ())


@pytest.mark.parametrize("name", ["exif", "generic profile"])
def test_exif_as_imagemagick_keeps_it_in_png(tmp_path, name):
    said = block("<")
    text = f"\n{name}\n{len(said):8}\n{said.hex()}\n".encode()
    kind = b"Raw profile type " + (b"exif" if name == "exif" else b"APP1")
    with_chunks(tmp_path / "a.png", Image.fromarray(RAMP), (b"zTXt", kind + b"\0\0" + zlib.compress(text)))
    photo = read_photo(tmp_path / "a.png")
    orientation = exif.stored_orientation(said)
    assert photo.metadata.exif == exif.cleaned(said, orientation)
    np.testing.assert_array_equal(photo.pixels[..., 0], exif.upright(RAMP, orientation))
    assert orientation > 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_resolution_stays_in_exif_where_width_stays_width(orientation):
    """Of a picture that lay on its side, it is kept apart: both its numbers change places."""
    said = exif.block_of([numbers(282, 5, 300, 1), numbers(283, 5, 150, 1), numbers(296, 3, 2)])
    cleaned = Image.Exif()
    cleaned.load(exif.cleaned(said, orientation))
    assert dict(cleaned) == ({282: 300, 283: 150, 296: 2} if orientation < 5 else {})


def test_xmp_as_imagemagick_keeps_it_in_png(tmp_path):
    said = packet()
    text = f"\nxmp\n{len(said):8}\n{said.hex()}\n".encode()
    chunk = (b"zTXt", b"Raw profile type xmp\0\0" + zlib.compress(text))
    with_chunks(tmp_path / "a.png", Image.fromarray(RAMP), chunk)
    metadata = read_photo(tmp_path / "a.png").metadata
    assert (metadata.xmp, metadata.text) == (said, ())


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "avif"])
@pytest.mark.parametrize("deep", [False, True])
def test_ours_are_known_behind_whatever_else_they_carry(tmp_path, suffix, deep):
    fields = [Field(270, 2, b"d" * 60_000 + b"\0")]
    if suffix in ("tif", "png"):  # others hold 64 KB at most
        fields += [Field(tag, 2, b"d" * 60_000 + b"\0") for tag in (269, 271, 272, 305, 315, 33432)]
    said = Metadata(
        exif=exif.block_of(fields),
        iptc=long_dataset(120, 50_000),
        provenance="Colors are inferred, not recorded (cyclecolor)",
    )
    pixels = np.dstack([RAMP] * 3).astype(np.uint16) * 257 if deep else np.dstack([RAMP] * 3)
    written = write_photo(Photo(pixels, None, said), tmp_path / f"a.{suffix}")
    assert "EXIF" not in written.lost
    assert provenance_in(tmp_path / f"a.{suffix}") == said.provenance
