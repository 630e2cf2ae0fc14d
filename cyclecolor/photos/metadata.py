"""What goes from an input to its output: gathered from each format, cleared of what is true no longer."""

import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

from PIL import Image

from . import avif, exif, iptc, jp2, jpeg, png, xmp
from .photo import Metadata
from .tiff.directory import Directory, Tag
from .tiff.fields import LAYERS, descriptive

_PROFILE = b"ICC_PROFILE\0"
_INDICES = (b"MPF\0", b"FPXR\0")  # of further pictures, of Flashpix' storage
_MOST_NAMED = 20  # tags of a page
_OF_STORAGE = (0xE0, 0xEE)  # JFIF, Adobe


@dataclass
class Found:
    """Metadata as a file has them.

    Attributes
    ----------
    exif, xmp, extension, iptc, comment : bytes, optional
        `extension` is what of the XMP did not fit into its segment of a JPEG.
    text : tuple of (str, str)
        Keywords and values.
    dpi : pair of float, optional
        Across and down, as stored.
    icc : bytes, optional
        A profile of the colors, one made up for a PNG without.
    lost, warnings : tuple of str
        Names of what is not kept here; what there is to warn of.
    """

    exif: bytes | None = None
    xmp: bytes | None = None
    extension: bytes | None = None
    iptc: bytes | None = None
    comment: bytes | None = None
    text: tuple[tuple[str, str], ...] = ()
    dpi: tuple[float, float] | None = None
    icc: bytes | None = None
    lost: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def carried(found: Found, source: str, orientation: int) -> Metadata:
    """What the output has to carry.

    Parameters
    ----------
    source : str
        Pillow's name of the format.
    orientation : int
        How the file stores the picture, 1 to 8: 5 to 8 swap the two resolutions.
    """
    _unpack_exif(found)
    lost = list(found.lost)
    block = packet = records = None
    if found.exif:
        try:
            block = exif.cleaned(found.exif, orientation)
        except (ValueError, struct.error, KeyError, IndexError):  # no reason to refuse a good picture
            lost.append("EXIF (damaged)")
    if found.xmp:
        packet, gone = xmp.cleaned(found.xmp, found.extension, orientation)
        lost += gone
    if found.iptc:
        records, gone = iptc.records_of(found.iptc)
        records = records and iptc.cleaned(records, orientation)
        lost += gone
    return Metadata(
        format=source,
        exif=block,
        xmp=packet,
        dpi=_carried_dpi(found.dpi, orientation),
        iptc=records,
        comment=found.comment,
        text=found.text,
        lost=tuple(dict.fromkeys(lost)),
    )


def _unpack_exif(found: Found) -> None:
    """XMP and IPTC that a file keeps as tags of its EXIF, as some phones and Pillow do."""
    try:
        block = exif.opened(found.exif or b"")
        found.xmp = found.xmp or block.raw(Tag.XMP) or None
        found.iptc = found.iptc or block.raw(Tag.IPTC) or None
    except (ValueError, struct.error):
        pass


def _carried_dpi(dpi: tuple[float, float] | None, orientation: int) -> tuple[float, float] | None:
    if dpi is None or not (min(dpi) >= 0.5 and max(dpi) <= 65535):  # JPEG's range
        return None
    return (dpi[1], dpi[0]) if orientation >= 5 else dpi


def of_image(image: Image.Image, file: BinaryIO | None) -> Found:
    """Of a picture that Pillow opened, loaded by now; and its file, where there is one to look into."""
    info = image.info
    found = Found(exif=_bytes(info.get("exif")), xmp=_bytes(info.get("xmp")), dpi=_pillows_dpi(info))
    found.icc = _bytes(info.get("icc_profile"))
    if file is None:
        return found
    said: Found | png.Chunks | jp2.Boxes
    if image.format in ("JPEG", "MPO"):
        said = of_jpeg(file)
        said.icc, said.dpi = found.icc or exif.profile_of_exif(said.exif), found.dpi
        said.lost += ("further pictures in the file",) if image.format == "MPO" else ()
        return said
    if image.format == "PNG":
        chunks = png.said_by(file)
        found.icc = chunks.profile or found.icc
        found.exif, found.xmp, found.iptc, found.lost = chunks.exif, chunks.xmp, chunks.iptc, chunks.lost
        found.text, found.warnings = chunks.text, chunks.warnings
    elif image.format == "JPEG2000":
        boxes = jp2.said_by(file)
        found.exif, found.xmp, found.iptc, found.lost = boxes.exif, boxes.xmp, boxes.iptc, boxes.lost
        found.icc, found.dpi = boxes.icc, boxes.dpi or found.dpi
    elif image.format == "AVIF":
        profile, found.warnings = avif.said_by(file)
        found.icc = found.icc or profile
    else:
        found.comment = _bytes(info.get("comment"))
    return found


def _bytes(value: object) -> bytes | None:
    return value if isinstance(value, bytes) and value else None


def _pillows_dpi(info: dict[str | tuple[int, int], Any]) -> tuple[float, float] | None:
    try:
        across, down = (float(value) for value in info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return across, down


def of_jpeg(file: BinaryIO) -> Found:
    """Of a JPEG, by the segments in front of its picture."""
    found, resources, profile = Found(), b"", []
    extensions, comments, lost = [], [], []
    for marker, content in jpeg.segments(file):
        if marker == jpeg.APP1 and content.startswith(exif.HEADER):
            found.exif = found.exif or content
        elif marker == jpeg.APP1 and content.startswith(xmp.SEGMENT):
            found.xmp = found.xmp or content.removeprefix(xmp.SEGMENT)
        elif marker == jpeg.APP1 and content.startswith(xmp.EXTENSION):
            extensions.append(content.removeprefix(xmp.EXTENSION))
        elif marker == jpeg.APP13 and content.startswith(iptc.PHOTOSHOP):
            resources += content.removeprefix(iptc.PHOTOSHOP)
        elif marker == jpeg.COMMENT:
            comments.append(content)
        elif marker == jpeg.APP2 and content.startswith(_PROFILE):
            profile.append(content.removeprefix(_PROFILE))
        elif 0xE0 <= marker <= 0xEF and marker not in _OF_STORAGE and not content.startswith(_INDICES):
            lost.append("content credentials" if marker == 0xEB else f"segment APP{marker - 0xE0}")
    found.iptc, gone = iptc.records_in(resources)
    found.extension = xmp.joined(extensions)
    if extensions and found.extension is None:
        lost.append("XMP's extension (damaged)")
    found.icc = b"".join(part[2:] for part in sorted(profile)) or None  # a part's number comes first
    found.comment = b"\n".join(comments) or None
    lost += ["what is behind the picture (a video, notes)"] if jpeg.has_more_behind(file) else []
    found.lost = (*lost, *gone)
    return found


def of_page(page: Directory) -> Found:
    """Of a page of a TIFF."""
    fields, tags = descriptive(page)
    resources, gone = iptc.records_in(page.raw(Tag.PHOTOSHOP)) if Tag.PHOTOSHOP in page else (None, [])
    records = page.raw(Tag.IPTC) or resources
    lost = ["Photoshop's layers" if tag == LAYERS else f"tag {tag}" for tag in tags[:_MOST_NAMED]]
    lost += [f"{len(tags) - _MOST_NAMED} more tags"] if len(tags) > _MOST_NAMED else []
    return Found(
        exif=exif.block_of(fields),
        xmp=page.raw(Tag.XMP) or None,
        iptc=records,
        dpi=_resolution(page),
        lost=(*lost, *gone),
    )


def _resolution(page: Directory) -> tuple[float, float] | None:
    across, down = page.quotients(Tag.X_RESOLUTION), page.quotients(Tag.Y_RESOLUTION)
    per_inch = {2: 1, 3: 2.54}.get(page.number(Tag.RESOLUTION_UNIT, 2))
    return (across[0] * per_inch, down[0] * per_inch) if across and down and per_inch else None
