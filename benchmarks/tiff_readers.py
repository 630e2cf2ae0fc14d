"""TIFF read by our own reader, by Pillow and by tifffile: what is right, wrong or refused, and how fast.

    python benchmarks/tiff_readers.py [--size N]

Sound files are one picture in arrangements that tifffile writes: type of number, byte order, planes, strips
and tiles, compression, predictor. Damaged ones are the same with a strip that is empty, or cut in the middle
of their data; whatever is read of them is wrong.
"""

import argparse
import io
import itertools
import logging
import struct
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from cyclecolor.photos import read_photo

COMPRESSIONS = (None, "lzw", "zlib", "packbits", "lzma", "zstd")


def pillows(path: Path) -> np.ndarray:
    """As Pillow decodes it."""
    with Image.open(path) as image:
        return np.asarray(image)


READERS: dict[str, Callable[[Path], np.ndarray]] = {
    "ours": lambda path: read_photo(path).pixels,
    "Pillow": pillows,
    "tifffile": lambda path: tifffile.imread(path, maxworkers=1),
}


def arrangements(size: int) -> Iterator[tuple[np.ndarray, bytes]]:
    """Samples, (H, W) or (H, W, 3), and a file of them."""
    ramp = np.add.outer(np.arange(size), np.arange(size)) * 30_000 // size
    for kind, channels, order, planar, tile, compression, predictor in itertools.product(
        ("u1", "u2", "f4"), (1, 3), "<>", (False, True), (None, (16, 16)), COMPRESSIONS, (False, True)
    ):
        if (planar and channels == 1) or (predictor and compression not in ("lzw", "zlib")):
            continue
        levels = np.dstack([ramp, ramp // 2 + 99, 60_000 - ramp])[..., :channels].squeeze()
        samples = levels / 65535 if kind == "f4" else levels >> (8 if kind == "u1" else 0)
        samples = samples.astype(kind)
        stored = np.ascontiguousarray(np.moveaxis(samples, 2, 0)) if planar else samples
        file = io.BytesIO()
        tifffile.imwrite(
            file, stored, photometric="rgb" if channels == 3 else "minisblack", byteorder=order, tile=tile,
            planarconfig=("separate" if planar else "contig") if channels == 3 else None,
            compression=compression, predictor=predictor, rowsperstrip=None if tile else 8, metadata=None,
        )  # fmt: skip
        yield samples, file.getvalue()


def damaged(content: bytes) -> Iterator[bytes]:
    """The file with its first strip or tile empty, and cut in the middle of its data."""
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        sizes = next(file.pages[0].tags[name] for name in (279, 325) if name in file.pages[0].tags)
        order, kind = file.byteorder, {3: "H", 4: "L"}[sizes.dtype]
        middle = file.pages[0].dataoffsets[-1] + file.pages[0].databytecounts[-1] // 2
    changed = bytearray(content)
    struct.pack_into(order + kind, changed, sizes.valueoffset, 0)
    return iter([bytes(changed), content[:middle]])


def outcome(read: Callable[[Path], np.ndarray], path: Path, expected: np.ndarray | None) -> str:
    """Right, wrong or refused."""
    try:
        pixels = read(path)
    except Exception:  # each library has its own
        return "refused"
    if expected is None:
        return "wrong"
    if expected.dtype.kind == "f" and pixels.dtype == np.uint16:
        expected = np.rint(expected * np.float32(65535))
    pixels = pixels.squeeze()
    if pixels.shape != expected.shape:  # tifffile leaves planes apart
        pixels = np.moveaxis(pixels, 0, -1)
    return "right" if np.array_equal(pixels, expected) else "wrong"


def main() -> None:
    """Print a line for each reader."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=64, help="Height and width of the picture.")
    size = parser.parse_args().size
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    path, files = Path(tempfile.mkdtemp()) / "a.tif", list(arrangements(size))
    for name, read in READERS.items():
        sound, broken, began = Counter(), Counter(), time.process_time()
        for samples, content in files:
            path.write_bytes(content)
            sound[outcome(read, path, samples)] += 1
        seconds = time.process_time() - began
        for _, content in files:
            for part in damaged(content):
                path.write_bytes(part)
                broken[outcome(read, path, None)] += 1
        print(f"{name}: sound {dict(sound)} in {seconds:.1f} s of processor time; damaged {dict(broken)}")


if __name__ == "__main__":
    main()
