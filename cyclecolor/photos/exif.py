"""EXIF (CIPA DC-008): orientation, and blocks that stay as they are but for what is true no longer."""

import io
import re
import struct

import numpy as np
from PIL import ExifTags, Image

from .icc import ADOBE_RGB_ICC
from .tiff.directory import Directory, Form, Tag
from .tiff.fields import STORAGE, Field, packed

HEADER = b"Exif\x00\x00"

_COLOR_SPACE, _SRGB = ExifTags.Base.ColorSpace, 1
_WIDTH, _HEIGHT = ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight
_THUMBNAIL, _THUMBNAIL_BYTES = 513, 514
_OF_COLORS_AS_STORED = {0x9101, 0x9102, 0xA500}  # components, compression, gamma
_OF_PLACES = {0x9214, 0xA214}  # subject area and location: in the picture before it was turned
_MAKER_NOTE = 0x927C
_JPEG = re.compile(rb"\xff\xd8\xff[\xc0-\xfe].*?\xff\xd9", re.S)
_INTEROPERABILITY, _ADOBE_RGB = 40965, b"R03\0"


def orientation_of(image: Image.Image) -> int:
    """EXIF (or XMP) orientation of `image`, 1 to 8; anything else, or broken EXIF, counts as 1."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # broken EXIF is no reason to refuse a good picture
        return 1
    return value if value in range(1, 9) else 1


def stored_orientation(block: bytes | None) -> int:
    """As `orientation_of`, of an EXIF block."""
    try:
        value = opened(block or b"").number(Tag.ORIENTATION, 1)
    except (ValueError, struct.error):
        return 1
    return value if value in range(1, 9) else 1


def profile_of_exif(block: bytes | None) -> bytes | None:
    """Adobe RGB where a block says so (DCF 2.0, 3.1.2), which stands where there is no profile; else None."""
    try:
        inner = opened(block or b"").below(Tag.EXIF, most=1)[0]
        option = inner.below(_INTEROPERABILITY, most=1)[0].raw(1)
    except (ValueError, IndexError, struct.error):
        return None
    return ADOBE_RGB_ICC if option == _ADOBE_RGB else None


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn (H, W, ...) `pixels`, stored with EXIF `orientation` 1 to 8, the right way up.

    Values 5 to 8 swap height and width. The result is contiguous.
    """
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    # EXIF 2.32, 4.6.4 A: which side of the scene is row 0 and which is column 0.
    flip_rows = orientation in (3, 4, 7, 8)
    flip_columns = orientation in (2, 3, 6, 7)
    pixels = pixels[::-1] if flip_rows else pixels
    pixels = pixels[:, ::-1] if flip_columns else pixels
    return np.ascontiguousarray(pixels)


def block_of(fields: list[Field]) -> bytes | None:
    """A block of fields; None of none."""
    return HEADER + b"II*\0\x08\0\0\0" + packed(fields, 8) if fields else None


def opened(block: bytes) -> Directory:
    """The first directory of a block.

    Raises
    ------
    ValueError, struct.error
        The block is broken.
    """
    data = block.removeprefix(HEADER)
    form = Form.of(data)
    if form is None or form.big:
        raise ValueError("no EXIF")
    (position,) = struct.unpack_from(form.order + "L", data, 4)
    return Directory(io.BytesIO(data), form, position, len(data))


def cleaned(block: bytes, orientation: int) -> bytes:
    """A block for the upright picture in sRGB, without thumbnail and previews; all else stays in its place.

    Maker notes need that: some count from the beginning of the block.

    Parameters
    ----------
    orientation : int
        How the picture was stored, 1 to 8.

    Raises
    ------
    ValueError, struct.error, KeyError
        The block is broken.
    """
    first = opened(block)
    data = bytearray(block.removeprefix(HEADER))
    _erase_thumbnail(data, first)
    _set_short(data, first, Tag.ORIENTATION, 1)
    resolution = {Tag.X_RESOLUTION, Tag.Y_RESOLUTION, Tag.RESOLUTION_UNIT}
    pointers = {Tag.EXIF, Tag.GPS, Tag.ORIENTATION}
    _drop(data, first, STORAGE - pointers - (resolution if orientation < 5 else set()))
    for inner in first.below(Tag.EXIF, most=1):
        _set_short(data, inner, _COLOR_SPACE, _SRGB)
        for below in inner.below(_INTEROPERABILITY, most=1):
            if below.raw(1) == _ADOBE_RGB:
                at = below.entries[1].position
                data[at : at + 4] = b"R98\0"
        if orientation >= 5:
            _swap(data, inner, _WIDTH, _HEIGHT)
        _erase_previews(data, inner)
        _drop(data, inner, _OF_COLORS_AS_STORED | (_OF_PLACES if orientation > 1 else set()))
    return HEADER + bytes(data)


def _erase_thumbnail(data: bytearray, first: Directory) -> None:
    """Unlink it and make its bytes zeros; those at the end of the block go."""
    if first.next == 0:
        return
    count = len(_slots(data, first))
    struct.pack_into(first.form.order + "L", data, first.position + 2 + 12 * count, 0)
    try:
        second = Directory(first.file, first.form, first.next, first.length)
        start, size = second.number(_THUMBNAIL, 0), second.number(_THUMBNAIL_BYTES, 0)
    except (ValueError, struct.error):
        return
    if start >= 8 and 0 < size <= len(data) - start:
        data[start : start + size] = bytes(size if start + size < len(data) else 0)


def _erase_previews(data: bytearray, inner: Directory) -> None:
    """Make zeros of the small JPEGs that cameras keep in their notes: they show the picture as it was."""
    note = inner.entries.get(_MAKER_NOTE)
    if note is not None and note.position + note.size <= len(data):
        place = slice(note.position, note.position + note.size)
        data[place] = _JPEG.sub(lambda found: bytes(len(found.group())), bytes(data[place]))


def _slots(data: bytearray, directory: Directory) -> range:
    """Where the entries of a directory lie in the block."""
    (count,) = struct.unpack_from(directory.form.order + "H", data, directory.position)
    return range(directory.position + 2, directory.position + 2 + 12 * count, 12)


def _set_short(data: bytearray, directory: Directory, tag: int, value: int) -> None:
    order = directory.form.order
    for slot in _slots(data, directory):
        if struct.unpack_from(order + "H", data, slot) == (tag,):
            struct.pack_into(order + "HLHH", data, slot + 2, 3, 1, value, 0)


def _swap(data: bytearray, directory: Directory, one: int, other: int) -> None:
    """Exchange the values of two tags."""
    slots = {struct.unpack_from(directory.form.order + "H", data, s)[0]: s for s in _slots(data, directory)}
    if one in slots and other in slots:
        first, second = (slice(slots[tag] + 2, slots[tag] + 12) for tag in (one, other))
        data[first], data[second] = data[second], data[first]


def _drop(data: bytearray, directory: Directory, tags: set[int] | frozenset[int]) -> None:
    """Take entries out of a directory: those behind them move up, and so does the link to the next one."""
    order, slots = directory.form.order, _slots(data, directory)
    kept = [bytes(data[s : s + 12]) for s in slots if struct.unpack_from(order + "H", data, s)[0] not in tags]
    link = bytes(data[slots.stop : slots.stop + 4])
    table = struct.pack(order + "H", len(kept)) + b"".join(kept) + link
    data[directory.position : directory.position + len(table)] = table
