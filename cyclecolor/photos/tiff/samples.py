"""The samples of a TIFF's page as the file declares them: any depth, format, byte order and arrangement."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from ..guard import Refused
from .codecs import CODECS, NAMES
from .directory import Directory, Order, Tag
from .pictures import PICTURES, fax_rows, picture

_MOST_SAMPLES = 8  # of a pixel
_MOST_SEGMENTS = 1 << 20
_RATIO = 4096  # no codec here shrinks more, by far
_BAND_BYTES = 1 << 22
_FAX = (2, 3, 4, 32771)
_FORMATS = {1: "u", 2: "i", 3: "f", 4: "u"}  # of samples; 4 is "undefined"
_REVERSED = np.packbits(
    np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)[:, ::-1], axis=1
).tobytes()


@dataclass(frozen=True)
class Storage:
    """How a page keeps its samples.

    Attributes
    ----------
    height, width, samples : int
        Of the page, in pixels, and for each pixel.
    bits : int
        Of a sample.
    format : str
        NumPy's letter: u(nsigned), i (signed) or f(loat).
    planar : bool
        Whether each sample has a plane of its own.
    rows, columns : int
        Of a segment (strip or tile).
    tiled : bool
        Tiles are whole at the edges, strips are not.
    compression, predictor : int
        As TIFF numbers them.
    """

    height: int
    width: int
    samples: int
    bits: int
    format: str
    planar: bool
    rows: int
    columns: int
    tiled: bool
    compression: int
    predictor: int

    @classmethod
    def of(cls, page: Directory) -> Self:
        """From the tags of a page.

        Raises
        ------
        Refused
            They contradict each other, or nothing here reads what they say.
        """
        height, width = page.number(Tag.HEIGHT, 0), page.number(Tag.WIDTH, 0)
        samples, bits = page.number(Tag.SAMPLES, 1), page.numbers(Tag.BITS) or [1]
        formats = page.numbers(Tag.SAMPLE_FORMAT) or [1]
        if min(height, width, samples) < 1:
            raise Refused("broken", "damaged (no size); copy or scan it again")
        uniform = len(set(bits)) == len(set(formats)) == 1
        if samples > _MOST_SAMPLES or not uniform or formats[0] not in _FORMATS:
            raise _unsupported(f"pixels of {samples} samples, {'/'.join(map(str, bits[:8]))} bits")
        tiled = Tag.TILE_WIDTH in page
        rows = page.number(Tag.TILE_HEIGHT, 0) if tiled else page.number(Tag.ROWS_PER_STRIP, height)
        return cls(
            height,
            width,
            samples,
            int(bits[0]),
            _FORMATS[int(formats[0])],
            page.number(Tag.PLANAR, 1) == 2 and samples > 1,
            rows if tiled else min(rows, height) or height,
            page.number(Tag.TILE_WIDTH, 0) if tiled else width,
            tiled,
            page.number(Tag.COMPRESSION, 1),
            page.number(Tag.PREDICTOR, 1),
        )

    @property
    def dtype(self) -> np.dtype:
        """Of the samples in memory: the narrowest of NumPy's that holds them."""
        whole = {"u": (8, 16, 32), "i": (8, 16, 32), "f": (16, 32, 64)}[self.format]
        if self.bits in whole:
            return np.dtype(f"{self.format}{self.bits // 8}")
        if self.format != "u" or not 0 < self.bits < 16 or self.predictor != 1:
            raise _unsupported(f"{self.bits}-bit samples of this kind")
        return np.dtype(np.uint8 if self.bits < 8 else np.uint16)

    @property
    def together(self) -> int:
        """Samples of a pixel that lie together in a segment."""
        return 1 if self.planar else self.samples


def _unsupported(what: str) -> Refused:
    return Refused("unsupported", f"{what} are not supported in TIFF; save it with 8 or 16 bits a sample")


def read_samples(page: Directory, storage: Storage) -> np.ndarray:
    """(height, width, samples) as declared: unsigned below 8 or 16 bits keep their range, 0 to 2^bits - 1.

    Raises
    ------
    Refused
        What the page declares is not supported, or not in the file.
    """
    if storage.compression in _FAX:
        return fax_rows(page, storage)
    if storage.compression not in CODECS and storage.compression not in PICTURES:
        raise _no_codec(storage.compression)
    dtype = storage.dtype
    positions, sizes = _segments(page, storage)
    out = np.empty((storage.height, storage.width, storage.samples), dtype)
    reverse = page.number(Tag.FILL_ORDER, 1) == 2 and storage.compression not in PICTURES
    places = _places(storage)
    for position, size, (plane, row, column) in zip(positions, sizes, places, strict=False):
        page.file.seek(position)
        data = page.file.read(size)
        rows = storage.rows if storage.tiled else min(storage.rows, storage.height - row)
        block = _block(page, storage, data.translate(_REVERSED) if reverse else data, rows)
        target = out[row : row + rows, column : column + storage.columns]
        target = target[..., plane : plane + 1] if storage.planar else target
        target[...] = block[: target.shape[0], : target.shape[1]]
    return out


def _no_codec(compression: int) -> Refused:
    name = NAMES.get(compression, f"number {compression}")
    return Refused(
        "unsupported",
        f"this compression ({name}) is not supported in TIFF; convert it, for example with "
        "`magick in.tif -compress zip out.tif`",
    )


def _segments(page: Directory, storage: Storage) -> tuple[list[int], list[int]]:
    """Positions and sizes of the strips or tiles, as many as the page needs; within the file and its size."""
    tags = (Tag.TILE_OFFSETS, Tag.TILE_BYTES) if storage.tiled else (Tag.STRIP_OFFSETS, Tag.STRIP_BYTES)
    if storage.rows < 1 or storage.columns < 1:
        raise Refused("broken", "damaged (tiles without size); copy or scan it again")
    down, across = -(-storage.height // storage.rows), -(-storage.width // storage.columns)
    needed = down * across * (storage.samples if storage.planar else 1)
    if needed > _MOST_SEGMENTS or storage.rows * storage.columns > _RATIO * max(page.length, 4096):
        raise Refused("broken", "damaged (strips or tiles of an impossible size); copy or scan it again")
    positions, sizes = page.numbers(tags[0]), page.numbers(tags[1])
    if not sizes and len(positions) == 1:  # some early writers left it out
        sizes = [page.length - positions[0]]
    if min(len(positions), len(sizes)) < needed:
        raise Refused("truncated", "cut short (strips or tiles are missing); copy or scan it again")
    positions, sizes = [int(p) for p in positions[:needed]], [int(s) for s in sizes[:needed]]
    beyond = any(p + s > page.length or s == 0 for p, s in zip(positions, sizes, strict=True))
    # Segments that overlap would let a small file ask for days of work.
    if beyond or sum(sizes) > 2 * page.length:
        raise Refused("truncated", "cut short (strips or tiles are missing); copy or scan it again")
    return positions, sizes


def check_claim(page: Directory, storage: Storage) -> None:
    """Refuse a page that is larger than anything its file can hold, before memory is taken for it."""
    claimed = storage.height * storage.width * storage.samples * storage.bits // 8
    if claimed > _RATIO * page.length or (storage.compression == 1 and claimed > page.length):
        raise Refused("truncated", f"too few bytes for {storage.width} x {storage.height}; copy it again")


def _places(storage: Storage) -> Iterator[tuple[int, int, int]]:
    """Plane, first row and first column of each segment, in the order of the file."""
    for plane in range(storage.samples if storage.planar else 1):
        for row in range(0, storage.height, storage.rows):
            for column in range(0, storage.width, storage.columns):
                yield plane, row, column


def _block(page: Directory, storage: Storage, data: bytes, rows: int) -> np.ndarray:
    """(rows, columns, samples that lie together) of a segment."""
    if storage.compression in PICTURES:
        return picture(page, storage, data)
    row_bytes = -(-storage.columns * storage.together * storage.bits // 8)
    raw = CODECS[storage.compression](data, rows * row_bytes)
    if len(raw) < rows * row_bytes:
        raise Refused("truncated", "cut short (a strip or tile is too short); copy or scan it again")
    packed = np.frombuffer(raw, np.uint8, rows * row_bytes).reshape(rows, row_bytes)
    if storage.bits % 8:
        samples = _unpacked_bits(packed, storage.bits, storage.columns * storage.together)
        return samples.reshape(rows, storage.columns, storage.together)
    return _predicted(packed, storage, page.form.order)


def _predicted(packed: np.ndarray, storage: Storage, order: Order) -> np.ndarray:
    """Samples out of (rows, bytes), differences to the left neighbor summed up (TIFF 6.0, section 14)."""
    shape = len(packed), storage.columns, storage.together
    stored = storage.dtype.newbyteorder(order)
    if storage.predictor == 1:
        return packed.view(stored).reshape(shape)
    if storage.predictor == 2 and storage.format != "f":
        differences = packed.view(stored).reshape(shape).astype(storage.dtype)
        return np.cumsum(differences, axis=1, dtype=storage.dtype)
    if storage.predictor == 3 and storage.format == "f":
        # Adobe's technical note 3: the bytes of a row sorted by weight, the highest first, then differences.
        summed = np.cumsum(packed.reshape(len(packed), -1, storage.together), axis=1, dtype=np.uint8)
        planes = summed.reshape(len(packed), storage.dtype.itemsize, -1).swapaxes(1, 2)
        return np.ascontiguousarray(planes).view(storage.dtype.newbyteorder(">")).reshape(shape)
    raise _unsupported(f"differences of kind {storage.predictor}")


def _unpacked_bits(packed: np.ndarray, bits: int, count: int) -> np.ndarray:
    """(rows, count) of `bits` each, below 16, out of (rows, bytes); the first sample in the high bits."""
    if bits == 1:
        return np.unpackbits(packed, axis=1)[:, :count]
    out = np.empty((len(packed), count), np.uint8 if bits < 8 else np.uint16)
    starts = np.arange(count) * bits
    first, shift = starts >> 3, (24 - bits - (starts & 7)).astype(np.uint32)
    step = max(1, _BAND_BYTES // (4 * count))
    for row in range(0, len(packed), step):
        band = np.pad(packed[row : row + step], ((0, 0), (0, 2))).astype(np.uint32)
        words = band[:, first] << 16 | band[:, first + 1] << 8 | band[:, first + 2]
        out[row : row + step] = words >> shift & ((1 << bits) - 1)
    return out
