"""A page of a TIFF as a photograph: its samples as lightness or color, its alpha, its profile."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from .. import profiles
from ..guard import Refused
from ..samples import divided, from_decimals, from_integers, narrow, widened
from .directory import Directory, Tag
from .pictures import COME_AS_RGB
from .samples import Storage, check_claim, read_samples

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR, _LAB = 0, 1, 2, 3, 5, 6, 8
_COLORS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _PALETTE: 1, _CMYK: 4, _YCBCR: 3, _LAB: 3}
_MULTIPLIED, _ALPHA = 1, 2  # what an extra sample is
_INK_SET = 332
# YCbCr as JPEG has it: the weights of its luma (529), what stands for black and white (532).
_USUAL: dict[int, list[float]] = {529: [0.299, 0.587, 0.114], 532: [0, 255, 128, 255, 128, 255]}


@dataclass(frozen=True)
class Page:
    """What a page shows, as stored: not yet upright.

    Attributes
    ----------
    pixels : (H, W, 1 or 3) uint8 or uint16
        In sRGB.
    alpha : (H, W), optional
        Of the same type.
    lost, warnings : tuple of str
        What of the page is in neither; what there is to say of how it was read.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None
    lost: tuple[str, ...]
    warnings: tuple[str, ...]


def read_page(page: Directory) -> Page:
    """Read a page.

    Raises
    ------
    Refused
        What the page declares is not supported, or not in the file.
    """
    storage = Storage.of(page)
    check_claim(page, storage)
    kind = page.number(Tag.PHOTOMETRIC, _BLACK_IS_ZERO)
    if storage.samples < _COLORS.get(kind, 99):
        raise _unsupported(f"colors of kind {kind} in {storage.samples} samples")
    samples, count = read_samples(page, storage), _COLORS[kind]
    which, multiplied = _alpha_among(page, storage.samples - count, kind)
    channels = [*range(count), *([] if which is None else [count + which])]
    lost = storage.samples > len(channels)
    # Together: what 32-bit integers mean shows in all of a pixel.
    scaled = _scaled(samples[..., channels] if lost else samples, storage)
    colors = samples[..., :count] if kind == _PALETTE else scaled[..., :count]
    alpha = None if which is None else scaled[..., count]
    if alpha is not None and multiplied:
        colors = divided(colors, alpha)
    pixels, warnings = _to_srgb(page, storage, np.ascontiguousarray(colors), kind)
    if alpha is not None:
        alpha = np.ascontiguousarray(alpha)
        alpha = narrow(alpha) if pixels.dtype == np.uint8 else alpha
    return Page(pixels, alpha, ("extra channels (infrared, masks)",) if lost else (), warnings)


def _unsupported(what: str) -> Refused:
    return Refused("unsupported", f"{what}: not supported in TIFF; save it as RGB or gray")


def _alpha_among(page: Directory, count: int, kind: int) -> tuple[int | None, bool]:
    """Which of the extra samples is alpha, and whether the colors are multiplied by it."""
    kinds = page.numbers(Tag.EXTRA_SAMPLES)[:count]
    if not kinds and count == 1 and kind != _CMYK:
        return 0, False  # nobody says what it is: as all others, take it for alpha
    for number, extra in enumerate(kinds):
        if extra in (_MULTIPLIED, _ALPHA):
            return number, extra == _MULTIPLIED
    return None, False


def _scaled(samples: np.ndarray, storage: Storage) -> np.ndarray:
    """As uint8 or uint16 of full range."""
    if storage.format == "f":
        return from_decimals(samples)
    if storage.format == "i" or storage.bits > 16:
        if storage.bits != 32:
            raise Refused(
                "unsupported",
                f"{storage.bits}-bit signed values: black and white are unknown; save it with 8 or 16 bits",
            )
        return from_integers(samples)
    return widened(samples, storage.bits)


def _to_srgb(
    page: Directory, storage: Storage, colors: np.ndarray, kind: int
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Colors of a kind in sRGB, and what there is to warn of."""
    icc = page.raw(Tag.ICC) or None
    if kind in (_WHITE_IS_ZERO, _BLACK_IS_ZERO):
        return profiles.gray_to_srgb(~colors if kind == _WHITE_IS_ZERO else colors, icc), ()
    if kind == _PALETTE:
        return profiles.to_srgb(Image.fromarray(_looked_up(page, storage, colors)), icc), ()
    if kind == _RGB or (kind == _YCBCR and storage.compression in COME_AS_RGB and not storage.planar):
        return profiles.rgb_to_srgb(colors, icc)
    size = storage.width, storage.height
    warnings: tuple[str, ...] = ()
    if colors.dtype == np.uint16:
        if kind != _CMYK:
            raise _unsupported("Lab and YCbCr of 16 bits")
        colors, warnings = narrow(colors), ("16 bits of ink were read as 8",)
    if kind == _CMYK:
        if page.number(_INK_SET, 1) != 1:
            raise _unsupported("inks other than CMYK")
        return profiles.to_srgb(Image.frombytes("CMYK", size, colors.tobytes()), icc), warnings
    if kind == _LAB:
        return profiles.to_srgb(Image.frombytes("LAB", size, colors.tobytes()), icc), ()
    if page.numbers(Tag.YCBCR_SUBSAMPLING) != [1, 1]:
        raise _unsupported("YCbCr at several sizes without JPEG")
    if any(not np.allclose(page.quotients(tag) or usual, usual, atol=1e-3) for tag, usual in _USUAL.items()):
        raise _unsupported("YCbCr of another range or other weights than JPEG's")
    return profiles.to_srgb(Image.frombytes("YCbCr", size, colors.tobytes()).convert("RGB"), icc), ()


def _looked_up(page: Directory, storage: Storage, indices: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 by the page's table of colors, which has 16 bits."""
    table = np.array(page.numbers(Tag.COLOR_MAP))
    if storage.bits > 8 or storage.format != "u" or table.size != 3 << storage.bits:
        raise Refused("broken", "damaged (its table of colors); copy or scan it again")
    table = table >> 8 if table.max() > 255 else table  # some writers give it 8 bits
    return table.reshape(3, -1).T.astype(np.uint8)[indices[..., 0]]
