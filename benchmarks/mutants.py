"""Damaged pictures through the real command line: each one translated, or refused with a reason.

    python benchmarks/mutants.py [--first N] [--count N] [--batch N] [--seed S] [--corpus FOLDER]
                                 [--json docs/results/mutants.json]

Mutants are made of small pictures in all formats and modes, and of the files of a corpus where one is given;
`--count 0 --corpus FOLDER` sends the corpus through as it is. After each batch, one process each, the figures
are checked: no death, nothing over 5 s (`--limit`, for a busy machine), memory at most 300 MB above idle, a
manifest line for each file, no output but whole ones, nothing but refusals on the standard error. The first
breach stops the run and leaves its batch where it says. A mutant depends on its number and the seed alone, so
a long run can be done in pieces (`--first`).

docs/results/ROBUSTNESS.md has the sentence that is printed; tests/test_numbers.py compares it with the JSON.
"""

import argparse
import io
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pillow_heif
import pillow_jxl  # noqa: F401  # so that Pillow reads JPEG XL
import tifffile
from PIL import Image
from record import Origin

from cyclecolor.files import write_json

SUFFIXES = ("jpg", "png", "tif", "webp", "bmp", "gif", "avif", "jp2", "ppm", "jxl", "heic")
MAX_BASE = 60_000  # bytes: larger files of a corpus are not mutated
PEAK = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
sys.stderr.buffer.write(done.stderr)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(done.returncode, used.ru_maxrss // 1024, round(used.ru_utime + used.ru_stime))
"""


def base_pictures() -> list[tuple[str, bytes]]:
    """(suffix, content) of a small picture in each format and mode that Pillow writes."""
    ramp = np.add.outer(np.arange(24), np.arange(32)).astype(np.uint8) * 4
    rgb = Image.fromarray(np.dstack([ramp, 255 - ramp, ramp // 2]))
    deep = Image.fromarray(ramp.astype(np.uint16) * 257)
    pictures = []
    for suffix in SUFFIXES:
        for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"):
            content = io.BytesIO()
            image = deep if mode == "I;16" else rgb.convert(mode)
            exif = Image.Exif()
            exif[0x0112] = 6
            options = {"exif": exif.tobytes()} if suffix in ("jpg", "png", "webp", "tif") else {}
            try:
                image.save(content, Image.registered_extensions()[f".{suffix}"], **options)
            except (OSError, ValueError, KeyError, NotImplementedError):  # a mode that the format lacks
                continue
            pictures.append((suffix, content.getvalue()))
    return pictures


def archive_pictures() -> list[tuple[str, bytes]]:
    """(suffix, content) of what Pillow does not write: arrangements of TIFF, deep and rare formats."""
    levels = np.add.outer(np.arange(24), np.arange(32)).astype(np.uint16) * 1100
    colors = np.dstack([levels, 65535 - levels, levels // 2])
    shallow = (colors >> 8).astype(np.uint8)
    pictures = []
    for compression in (None, "lzw", "zlib", "packbits", "zstd", "lzma", "jpeg", "jpeg2000", "webp"):
        for options in ({}, {"tile": (16, 16)}, {"bigtiff": True, "byteorder": ">"}):
            content = io.BytesIO()
            samples = shallow if compression in ("jpeg", "jpeg2000", "webp") else colors
            predictor = compression in ("lzw", "zlib") and not options
            tifffile.imwrite(
                content, samples, photometric="rgb", compression=compression, predictor=predictor, **options
            )
            pictures.append(("tif", content.getvalue()))
    for samples in (levels, (levels / 65535).astype(np.float32), np.moveaxis(colors, 2, 0)):
        content = io.BytesIO()
        planes = "separate" if samples.ndim == 3 else None
        tifffile.imwrite(
            content,
            samples,
            photometric="rgb" if planes else "minisblack",
            planarconfig=planes,
            compression="zlib",
        )
        pictures.append(("tif", content.getvalue()))
    pictures += [("jp2", imagecodecs.jpeg2k_encode(s, reversible=True)) for s in (levels, colors, shallow)]
    pictures += [
        ("jxl", imagecodecs.jpegxl_encode(s, lossless=s is colors)) for s in (levels, colors, shallow)
    ]
    pictures += [("jpg", imagecodecs.jpeg_encode(s >> 4, bitspersample=12)) for s in (levels, colors)]
    content = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(shallow)).save(content)
    return [*pictures, ("heic", content.getvalue())]


def corpus_pictures(corpus: Path) -> list[tuple[str, bytes]]:
    """Files of a corpus that are small and in a format of ours."""
    paths = sorted(path for path in corpus.rglob("*") if path.suffix.lower().lstrip(".") in SUFFIXES)
    return [(p.suffix.lstrip("."), p.read_bytes()) for p in paths if 0 < p.stat().st_size <= MAX_BASE]


def mutate(content: bytes, chance: random.Random) -> bytes:
    """Flip, set, cut, repeat, remove or swap bytes in a few places."""
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        if len(data) < 2:
            break
        place, length = chance.randrange(len(data)), min(chance.choice((1, 2, 4, 64, 1024)), len(data))
        match chance.randrange(7):
            case 0:
                data[place] ^= 1 << chance.randrange(8)
            case 1:
                data[place] = chance.choice((0, 1, 127, 128, 255))
            case 2:
                del data[place:]
            case 3:
                data[place:place] = data[place : place + length]
            case 4:
                del data[place : place + length]
            case 5:
                data[place : place + 4] = chance.choice(
                    (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff")
                )
            case 6:
                data[place : place + length] = chance.randbytes(length)
    return bytes(data)


def write_batch(folder: Path, bases: list[tuple[str, bytes]], numbers: range, seed: int) -> None:
    """Mutants of those numbers; a number and a seed always give the same one."""
    folder.mkdir()
    for number in numbers:
        chance = random.Random(f"{seed} {number}")
        suffix, content = chance.choice(bases)
        (folder / f"{number:07}.{suffix}").write_bytes(mutate(content, chance))


def translate(source: Path, output: Path) -> tuple[int, int, int]:
    """The real command on a folder: its exit code, its peak memory in MB, its processor time in seconds."""
    command = [sys.executable, "-m", "cyclecolor", "translate", str(source), "-o", str(output)]
    command += ["--workers", "1", "--max-pixels", "20000000"]
    result = subprocess.run(
        [sys.executable, "-c", PEAK, *command], capture_output=True, text=True, check=True
    )
    strange = [line for line in result.stderr.splitlines() if not line.startswith("refused: ")]
    assert not strange, f"on the standard error: {strange[:5]}"
    code, peak, seconds = map(int, result.stdout.split())
    return code, peak, seconds


def check(source: Path, output: Path, code: int, limit: float = 5) -> tuple[Counter, float]:
    """Outcomes by kind, and the longest time; raises AssertionError on a broken promise."""
    assert code in (0, 1), f"exit code {code}"
    records = [json.loads(line) for line in (output / "manifest.jsonl").read_text().splitlines()]
    inputs = {path.relative_to(source).as_posix() for path in source.rglob("*") if not path.is_dir()}
    assert {record["input"] for record in records} <= inputs
    assert len({record["input"] for record in records}) == len(records)
    outputs = {record["output"] for record in records if record["status"] == "translated"}
    found = {path.relative_to(output).as_posix() for path in output.rglob("*") if not path.is_dir()}
    assert found == outputs | {"manifest.jsonl"}, f"partial or stray files: {found ^ outputs}"
    for name in outputs:
        with Image.open(output / name) as image:
            image.load()
    slowest = max(record["seconds"] for record in records)
    assert slowest <= limit, f"a file took {slowest} s"
    kinds = Counter(record.get("code", "translated") for record in records)
    assert "failed" not in kinds, [r["reason"] for r in records if r.get("code") == "failed"]
    passed_over = len(inputs) - len(records)
    return kinds + Counter({"passed over": passed_over}), slowest


def sentence(record: dict[str, Any]) -> str:
    """What came of all files, and what they cost."""
    kinds = Counter(record["kinds"])
    total, translated, passed_over = kinds.total(), kinds["translated"], kinds["passed over"]
    return (
        f"{total:,} files, first {record['first']:,}, seed {record['seed']}: {translated:,} translated, "
        f"{total - translated - passed_over:,} refused with a reason, {passed_over:,} passed over; "
        f"processor time {record['processor seconds']} s, slowest file {record['slowest']:.1f} s, "
        f"memory at most {record['MB'] - record['MB idle']} MB above idle"
    )


def main() -> None:
    """Run batches until the count is reached."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--first", type=int, default=0, help="Number of the first mutant.")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=5, help="Seconds that a file may take.")
    parser.add_argument("--minutes", type=float, default=1e9, help="Begin no batch after that many.")
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--json", type=Path, help="a file for the figures")
    arguments = parser.parse_args()
    begun, origin, work = time.perf_counter(), Origin(), Path(tempfile.mkdtemp())
    total, slowest, highest, done, processor = Counter(), 0.0, 0, arguments.first, 0
    end = arguments.first + arguments.count

    (work / "idle").mkdir()
    Image.new("L", (32, 24), 128).save(work / "idle" / "a.png")
    idle = translate(work / "idle", work / "idle_color")[1]
    if arguments.count == 0:
        code, highest, processor = translate(arguments.corpus, work / "corpus_color")
        total, slowest = check(arguments.corpus, work / "corpus_color", code, arguments.limit)
    bases = (
        base_pictures() + archive_pictures() + (corpus_pictures(arguments.corpus) if arguments.corpus else [])
    )
    while done < end and time.perf_counter() - begun < 60 * arguments.minutes:
        numbers = range(done, min(done + arguments.batch, end))
        source, output = work / f"{done}", work / f"{done}_color"
        write_batch(source, bases, numbers, arguments.seed)
        code, peak, used = translate(source, output)
        kinds, longest = check(source, output, code, arguments.limit)
        processor += used
        total, slowest, highest, done = total + kinds, max(slowest, longest), max(highest, peak), numbers.stop
        assert peak - idle <= 300, f"{peak - idle} MB above idle in {source}"
        subprocess.run(["rm", "-r", str(source), str(output)], check=True)
    record = origin() | {"first": arguments.first, "seed": arguments.seed, "kinds": dict(total)}
    record |= {"processor seconds": processor, "slowest": slowest, "MB": highest, "MB idle": idle}
    if arguments.json:
        write_json(record, arguments.json)
    print(sentence(record))
    print(", ".join(f"{count:,} {kind}" for kind, count in total.most_common()))


if __name__ == "__main__":
    main()
