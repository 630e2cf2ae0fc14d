"""Formats that archives and phones have, and that optional packages read: HEIF, JPEG XL, JPEG of 12 bits."""

from collections.abc import Callable
from typing import BinaryIO

from .photo import Photo

READERS: dict[str, Callable[[BinaryIO, int], Photo]] = {}
"""By format: the file and the most pixels to the photo in it."""


def jxl_of(photo: Photo, quality: int) -> bytes:
    """Placeholder."""
    raise NotImplementedError
