"""IPTC's records (IIM 4.2), alone or in Photoshop's resources, as JPEG, PNG and TIFF keep them."""

import struct
from collections.abc import Iterator

PHOTOSHOP = b"Photoshop 3.0\0"
_SIGNATURE, _RECORDS = b"8BIM", 0x0404
_NAMED = {0x040A: "copyright flag", 0x040B: "URL"}  # Adobe, Photoshop File Formats: image resource IDs
_PATHS = range(2000, 2998)
_MARKER = b"\x1c"
# IIM 4.2: the type of the picture (gray or not), and its preview; how it lies; and the first of the records
# that are about pixels as stored.
_GONE, _LAYOUT, _OF_PIXELS = {(2, 130), (2, 200), (2, 201), (2, 202)}, {(2, 131)}, 3


def records_in(resources: bytes) -> tuple[bytes | None, list[str]]:
    """IPTC's records in Photoshop's resources; and names of what else they say of the photo."""
    records, lost = b"", []
    for number, data in _resources(resources):
        if number == _RECORDS:
            records += data
        elif number in _NAMED or number in _PATHS:
            lost.append(f"Photoshop's {_NAMED.get(number, 'paths')}")
    return records or None, lost


def _resources(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = len(PHOTOSHOP) if data.startswith(PHOTOSHOP) else 0
    while data[at : at + 4] == _SIGNATURE and at + 12 <= len(data):
        number, length = struct.unpack_from(">HB", data, at + 4)
        at += 6 + (1 + length + 1) // 2 * 2  # a name, padded to even
        if at + 4 > len(data):
            return
        (size,) = struct.unpack_from(">L", data, at)
        yield number, data[at + 4 : at + 4 + size]
        at += 4 + size + size % 2


def cleaned(records: bytes, orientation: int) -> bytes | None:
    """Records without what is true no longer: previews, the type of a picture and how it lies.

    Parameters
    ----------
    orientation : int
        How the picture was stored, 1 to 8.
    """
    gone = _GONE | (_LAYOUT if orientation >= 5 else set())
    kept, end = b"", 0
    for record, number, start, end in _datasets(records):
        if record < _OF_PIXELS and (record, number) not in gone:
            kept += records[start:end]
    return kept + records[end:] or None


def _datasets(records: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Record and number of each, and where it begins and ends (IIM 4.2, 1.5)."""
    at = 0
    while records[at : at + 1] == _MARKER and at + 5 <= len(records):
        record, number, size = struct.unpack_from(">BBH", records, at + 1)
        behind = at + 5
        if size & 0x8000:
            behind += size & 0x7FFF
            size = int.from_bytes(records[at + 5 : behind])
        if behind + size > len(records):
            return
        yield record, number, at, behind + size
        at = behind + size


def as_resource(records: bytes) -> bytes:
    """Photoshop's resource of IPTC's records."""
    header = _SIGNATURE + struct.pack(">HHL", _RECORDS, 0, len(records))
    return header + records + bytes(len(records) % 2)


def records_of(data: bytes) -> tuple[bytes | None, list[str]]:
    """Records from what a file calls IPTC: resources, or records, at times as swapped 32-bit numbers."""
    if data.startswith((_SIGNATURE, PHOTOSHOP)):
        return records_in(data)
    if not data.startswith(_MARKER) and data[3:4] == _MARKER:
        data = b"".join(data[at : at + 4][::-1] for at in range(0, len(data), 4))
    data = data.rstrip(b"\0") if data.endswith(b"\0\0") else data
    return (data, []) if data.startswith(_MARKER) else (None, ["IPTC (damaged)"] if data else [])
