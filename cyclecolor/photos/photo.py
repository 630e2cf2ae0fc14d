"""What a photograph is here, and the one way in which reading or writing it fails."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cyclecolor.errors import CycleColorError


@dataclass(frozen=True)
class Metadata:
    r"""What an output has to carry over from its input, besides pixels.

    Attributes
    ----------
    format
        Pillow's name of the source format ("JPEG", "TIFF"...), "" when it came from memory.
    exif
        EXIF block that starts with ``Exif\0\0``, its orientation reset to 1, its thumbnail
        unlinked.
    xmp
        XMP packet, its ``tiff:Orientation`` reset to 1.
    dpi
        Horizontal and vertical resolution, dots per inch, as the upright picture has them.
    provenance
        One sentence for the output's XMP on where its colors come from; None for no word on it.
    """

    format: str = ""
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    provenance: str | None = None


@dataclass(frozen=True)
class Photo:
    """An upright photograph in sRGB.

    Attributes
    ----------
    pixels
        (H, W, 1) gray or (H, W, 3) RGB, uint8 in [0, 255] or uint16 in [0, 65535], sRGB-encoded.
    alpha
        (H, W) opacity, same dtype and range, not multiplied into `pixels`; None where opaque.
    metadata
        What the output has to carry over.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    metadata: Metadata = field(default_factory=Metadata)

    def __post_init__(self) -> None:
        shape, dtype = self.pixels.shape, self.pixels.dtype
        if len(shape) != 3 or shape[2] not in (1, 3) or dtype not in (np.uint8, np.uint16):
            raise ValueError(f"pixels must be (H, W, 1 or 3) uint8 or uint16, got {shape} {dtype}")
        if self.alpha is not None and (self.alpha.shape, self.alpha.dtype) != (shape[:2], dtype):
            raise ValueError(f"alpha must be {shape[:2]} {dtype}, got {self.alpha.shape} {self.alpha.dtype}")


class PhotoError(CycleColorError):
    """A photograph that was refused; the message names the file, the cause and what to do.

    Attributes
    ----------
    reason
        Code for manifests: "empty", "not-an-image", "truncated", "broken", "too-many-pixels",
        "unsupported", "several-frames", "unreadable" (the system would not give the bytes) or
        "unwritable".
    """

    def __init__(self, message: str, *, reason: str):
        super().__init__(message)
        self.reason = reason
