"""Camera raw files, which hold no picture yet but what a sensor saw, and a small preview."""

from .guard import Refused
from .tiff import Directory, Tag

_SENSOR = (32803, 34892)  # photometric: a color filter array, linear raw (TIFF/EP, DNG 1.7)
_SENSOR_CODES = (
    32767,
    32769,
    32770,
    34713,
    34892,
    65000,
    65535,
)  # compressions of ARW, SRW, NEF, DNG, KDC, PEF


def refused() -> Refused:
    """What there is to say of a raw file."""
    return Refused(
        "camera-raw",
        "a camera raw file; develop it first, for example with darktable or RawTherapee, into a TIFF",
    )


def refuse_raw(pages: list[Directory]) -> None:
    """Refuse a TIFF of which a page, or what belongs to one, comes from a sensor."""
    parts = [part for page in pages for part in (page, *page.below(Tag.SUB_DIRECTORIES))]
    if any(
        Tag.DNG_VERSION in part
        or part.number(Tag.PHOTOMETRIC, 0) in _SENSOR
        or part.number(Tag.COMPRESSION, 0) in _SENSOR_CODES
        for part in parts
    ):
        raise refused()
