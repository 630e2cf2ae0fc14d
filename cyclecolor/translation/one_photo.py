"""One photo: from reading it to its files, and the record of them."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np

from ..inference import Colorizer
from ..photos import Photo, PhotoError, read_luma, read_pages, write_pages, write_photo
from .manifest import Manifest, file_sha256
from .no_manifest import NoManifest, Unchanged
from .options import Options
from .plan import DOUBT_SUFFIX, Task, refuse_leaving
from .refusals import failure, refusal

DOUBT_WHITE = 8.0  # units of the color space
JPEG_SUFFIXES = (".jpg", ".jpeg")


@dataclass(frozen=True)
class Outcome:
    """What became of one input: `status` is translated, skipped or refused, with a reason.

    `luma` says, where it was asked for, whether it was kept or encoded anew.
    """

    task: Task
    status: str
    reason: str = ""
    luma: str = ""


class PhotoTranslator:
    """Does one task at a time; several threads may do so side by side.

    Raises
    ------
    CycleColorError
        If the checkpoint cannot do what the options want.
    """

    def __init__(self, colorizer: Colorizer, options: Options, manifest: Manifest | NoManifest):
        self.colorizer, self.options, self.manifest = colorizer, options, manifest
        self.convert = colorizer.converter(options.direction)
        self.settings = options.digest(colorizer)

    def __call__(self, task: Task) -> tuple[Outcome, dict]:
        """From reading to the record; whatever goes wrong is the photo's refusal."""
        begun = time.perf_counter()
        record = {"input": task.name, "status": "translated"}
        try:
            record |= self._make(task)
        except Unchanged:
            record["status"] = "skipped"
        except Exception as error:  # one bad file must not stop a folder
            code, reason = refusal(task.source, error)
            record |= {"status": "refused", "code": code, "reason": reason}
        record |= {
            "seconds": round(time.perf_counter() - begun, 3),
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "checkpoint": self.colorizer.settings["checkpoint"],
            "settings": self.settings,
        }
        return Outcome(task, record["status"], record.get("reason", ""), record.get("luma", "")), record

    def _make(self, task: Task) -> dict:
        options, status = self.options, os.stat(task.source)
        pages = _Pages(task.source, self.convert, self.colorizer.doubt if options.doubt else None, options)
        refuse_leaving(task)
        keeps_luma = options.lossless_luma and task.target.suffix.lower() in JPEG_SUFFIXES
        luma = read_luma(task.source, max_pixels=options.max_pixels) if keeps_luma else None
        write = partial(write_pages, quality=options.quality, subsampling=options.subsampling, luma=luma)
        digest, is_new = self._write(task, task.target, partial(write, pages))
        asked = {}
        if pages.doubts:
            picture = partial(write_photo, doubt_map(pages.doubts[0]))
            doubt_digest, new_map = self._write(task, doubt_path(task), picture)
            mean = max(float(doubt.mean()) for doubt in pages.doubts)
            asked, is_new = {"doubt": round(mean, 2), "doubt_sha256": doubt_digest}, is_new or new_map
        if not is_new:
            raise Unchanged
        if options.lossless_luma:
            asked["luma"] = "kept" if luma else "encoded anew"
        written = os.stat(task.target)
        return asked | {
            "output": task.target.relative_to(task.root).as_posix(),
            "bytes": status.st_size,
            "mtime_ns": status.st_mtime_ns,
            "sha256": file_sha256(task.source),
            "output_bytes": written.st_size,
            "output_mtime_ns": written.st_mtime_ns,
            "output_sha256": digest,
            "width": pages.size[1],
            "height": pages.size[0],
            "pages": pages.count,
        }

    def _write(self, task: Task, target: Path, write: Callable[..., object]) -> tuple[str, bool]:
        """The checksum of what is written, or was there already, and whether it is new."""
        digest = ""

        def before_writing(content: bytes | bytearray) -> None:
            nonlocal digest
            digest = hashlib.sha256(content).hexdigest()
            self.manifest.announce(task, target, digest)

        try:
            write(target, before_writing=before_writing)
        except Unchanged:
            return digest, False
        return digest, True


class _Pages:
    """The translated pages of a file, one at a time; what there is to say of those that were taken."""

    def __init__(
        self,
        path: Path,
        convert: Callable[[Photo], Photo],
        doubt: Callable[[Photo], np.ndarray] | None,
        options: Options,
    ):
        self.path, self.convert, self.doubt, self.options = path, convert, doubt, options
        self.count, self.size, self.doubts = 0, (0, 0), []

    def __iter__(self) -> Iterator[Photo]:
        for photo in read_pages(self.path, max_pixels=self.options.max_pixels):
            self.count += 1
            self.size = self.size if self.count > 1 else photo.pixels.shape[:2]
            try:
                self.doubts += [self.doubt(photo)] if self.doubt else []
                photo = self.convert(photo)  # the name lets go of what was read: it may be a gigabyte
            except (MemoryError, RuntimeError) as error:
                code, reason = failure(self.path, error)
                raise PhotoError(reason, reason=code) from error
            yield replace(photo, metadata=replace(photo.metadata, provenance=self.options.provenance))


def doubt_path(task: Task) -> Path:
    """Where the map of doubt of a photo lies."""
    return task.target.with_name(task.target.name + DOUBT_SUFFIX)


def doubt_map(doubt: np.ndarray) -> Photo:
    """As a gray picture: black where the network is sure, white from `DOUBT_WHITE` units on."""
    return Photo(np.clip(doubt * (255 / DOUBT_WHITE), 0, 255).astype(np.uint8)[..., None])
