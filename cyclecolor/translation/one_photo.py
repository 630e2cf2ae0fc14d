"""One photo: from reading it to its files, and the record of them."""

import hashlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np

from ..inference import Colorizer, Hint
from ..photos import JPEG_SUFFIXES, Photo, Written, read_luma, sidecars, write_pages, write_photo
from .manifest import Manifest, Record, file_sha256
from .no_manifest import NoManifest, Unchanged
from .options import Options
from .pages import Pages
from .plan import DOUBT_SUFFIX, Task, refuse_leaving
from .refusals import refusal

DOUBT_WHITE = 8.0  # units of the color space


@dataclass(frozen=True)
class Outcome:
    """What became of one input: `status` is translated, skipped or refused, with a reason.

    `luma` says, where it was asked for, whether it was kept or encoded anew; `lost` names what the output
    does not say of the photo; `warnings` are about how it was read.
    """

    task: Task
    status: str
    reason: str = ""
    luma: str = ""
    lost: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def notes(self) -> list[str]:
        """Lines about what was lost, and warnings."""
        lost = [f"not carried over: {name}" for name in self.lost]
        return [*lost, *(f"warning: {warning}" for warning in self.warnings)]


@dataclass(frozen=True)
class OutputFile:
    """A file of a task: its checksum, whether it was written now, and what it does not say of the photo."""

    digest: str
    is_new: bool
    lost: tuple[str, ...] = ()


Made = tuple[Outcome, Record]
"""What became of a task, for people and for the manifest."""


class PhotoTranslator:
    """Does one task at a time; several threads may do so side by side.

    Raises
    ------
    CycleColorError
        If the checkpoint cannot do what the options want.
    """

    def __init__(
        self,
        colorizer: Colorizer,
        options: Options,
        manifest: Manifest | NoManifest,
        hints: Mapping[str, Sequence[Hint]],
    ):
        self.colorizer, self.options, self.manifest, self.hints = colorizer, options, manifest, hints
        convert: Callable[..., Photo] = colorizer.converter(options.direction)
        self.convert = partial(convert, reference=options.reference) if options.reference else convert

    def settings(self, task: Task) -> str:
        """A digest of all that decides on a task's output, besides its input."""
        return self.options.digest(self.colorizer, self.hints.get(task.name, ()))

    def __call__(self, task: Task) -> Made:
        """From reading to the record; whatever goes wrong is the photo's refusal."""
        begun = time.perf_counter()
        record: Record = {"input": task.name, "status": "translated"}
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
            "settings": self.settings(task),
        }
        said = {name: record[name] for name in ("reason", "luma") if name in record}
        notes = {name: tuple(record[name]) for name in ("lost", "warnings") if name in record}
        return Outcome(task, record["status"], **said, **notes), record  # type: ignore[arg-type]  # by name

    def _make(self, task: Task) -> Record:
        options, status = self.options, os.stat(task.source)
        doubt = self.colorizer.doubt if options.doubt else None
        pages = Pages(task.source, self.convert, doubt, options, self.hints.get(task.name, ()))
        refuse_leaving(task)
        keeps_luma = options.lossless_luma and task.target.suffix.lower() in JPEG_SUFFIXES
        luma = read_luma(task.source, max_pixels=options.max_pixels) if keeps_luma else None
        write = partial(write_pages, quality=options.quality, subsampling=options.subsampling, luma=luma)
        files = [self._write(task, task.target, partial(write, pages))]
        asked: Record = {}
        if pages.doubts:
            picture = partial(write_photo, doubt_map(pages.doubts[0]))
            files.append(self._write(task, doubt_path(task), picture))
            mean = max(float(doubt.mean()) for doubt in pages.doubts)
            asked = {"doubt": round(mean, 2), "doubt_sha256": files[1].digest}
        if not any(file.is_new for file in files):
            raise Unchanged
        if options.lossless_luma:
            asked["luma"] = "kept" if luma else "encoded anew"
        beside = (f"sidecar {name}" for name in sidecars(task.source))
        if lost := [*dict.fromkeys((*pages.lost, *files[0].lost, *beside))]:
            asked["lost"] = lost
        if pages.warnings:
            asked["warnings"] = [*pages.warnings]
        output = os.stat(task.target)
        return asked | {
            "output": task.target.relative_to(task.root).as_posix(),
            "bytes": status.st_size,
            "mtime_ns": status.st_mtime_ns,
            "sha256": file_sha256(task.source),
            "output_bytes": output.st_size,
            "output_mtime_ns": output.st_mtime_ns,
            "output_sha256": files[0].digest,
            "width": pages.size[1],
            "height": pages.size[0],
            "pages": pages.count,
        }

    def _write(self, task: Task, target: Path, write: Callable[..., Written]) -> OutputFile:
        """Write a file, unless it is there already."""
        digest = ""

        def before_writing(content: bytes | bytearray) -> None:
            nonlocal digest
            digest = hashlib.sha256(content).hexdigest()
            self.manifest.announce(task, target, digest)

        try:
            written = write(target, before_writing=before_writing)
            return OutputFile(digest=digest, is_new=True, lost=written.lost)
        except Unchanged:
            return OutputFile(digest=digest, is_new=False)


def doubt_path(task: Task) -> Path:
    """Where the map of doubt of a photo lies."""
    return task.target.with_name(task.target.name + DOUBT_SUFFIX)


def doubt_map(doubt: np.ndarray) -> Photo:
    """As a gray picture: black where the network is sure, white from `DOUBT_WHITE` units on."""
    return Photo(np.clip(doubt * (255 / DOUBT_WHITE), 0, 255).astype(np.uint8)[..., None])
