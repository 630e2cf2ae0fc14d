"""Photos and folders of photos: every file translated, skipped, or refused with its reason."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch

from ..errors import CycleColorError
from ..files import shown, write_csv
from ..inference import ChromaColorizer, Colorizer, Hint
from ..photos import (
    JPEG_SUFFIXES,
    Photo,
    PhotoError,
    read_luma,
    write_pages,
    write_photo,
)
from .hinted import refuse_unknown
from .manifest import Manifest, Record, file_sha256
from .options import Options
from .pages import Pages, failure
from .plan import DOUBT_SUFFIX, Task, plan_folder, plan_photo, refuse_leaving

DOUBT_WHITE = 8.0  # units of the color space
DOUBT_LIST = "doubt.csv"


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


Made = tuple[Outcome, Record]
"""What became of an input, and its line of the manifest."""


class Job:
    """The translation of a photo, or of a folder recursively; originals are only read.

    Parameters
    ----------
    source, output : Path
        A folder and the folder that mirrors it, which gets a manifest; or a photo and the file to make of it.
    hints : mapping of str to sequence of Hint
        By name of the input, as in `Task`. Of several pages, they are on the first.

    Raises
    ------
    CycleColorError
        If there is nothing to translate, the output cannot be there, or the checkpoint cannot do it.
    """

    def __init__(
        self,
        source: Path,
        output: Path,
        colorizer: Colorizer,
        options: Options,
        hints: Mapping[str, Sequence[Hint]] = MappingProxyType({}),
    ):
        self.output = output if source.is_dir() else output.parent
        self.options = options
        self.colorizer = colorizer
        self.hints = hints
        self._check_hints()
        self.convert = colorizer.converter(options.direction)
        if options.doubt and options.direction != "to-color":
            raise CycleColorError("--doubt does not work with --direction to-gray; leave it out", exit_code=2)
        self.manifest = None
        if source.is_dir():
            self._check_luma(options.suffix)
            new = plan_folder(source, output, options.suffix, {})  # complains before anything is made
            refuse_unknown(hints, new.tasks)
            self.manifest = Manifest(output, options.shard)
            known = {name: r["output"] for name, r in self.manifest.records.items() if "output" in r}
            colored = options.direction != "to-color"
            plan = plan_folder(source, output, options.suffix, known, colored=colored)
        else:
            if options.shard:
                raise CycleColorError(f"--shard works only for folders: {shown(source)}", exit_code=2)
            plan = plan_photo(source, output)
            refuse_unknown(hints, plan.tasks)
            self._check_luma(plan.tasks[0].target.suffix)
        shard, self.passed_over = options.shard, plan.passed_over
        self.tasks = [task for task in plan.tasks if not shard or shard.holds(task.name)]

    def _check_luma(self, suffix: str | None) -> None:
        """Complain if luma is to be kept where it cannot be, whatever the input."""
        to_jpeg = suffix is None or suffix.lower() in JPEG_SUFFIXES
        colors = isinstance(self.colorizer, ChromaColorizer) and self.options.direction == "to-color"
        if self.options.lossless_luma and not (to_jpeg and colors):
            raise CycleColorError(
                "--lossless-luma works only for JPEG, and for checkpoints that keep lightness; leave it out",
                exit_code=2,
            )

    def _check_hints(self) -> None:
        """Complain of hints to what cannot take them, before anything is read."""
        if any(self.hints.values()) and not (
            isinstance(self.colorizer, ChromaColorizer) and self.options.direction == "to-color"
        ):
            raise CycleColorError(
                "hints are for colors, and for checkpoints that keep lightness; leave them out", exit_code=2
            )

    def _settings(self, task: Task) -> str:
        return self.options.digest(self.colorizer, self.hints.get(task.name, ()))

    def run(self, stop: Callable[[], int] = lambda: False) -> Iterator[Outcome]:
        """Do it; outcomes come as they are ready. Once `stop()`, photos in hand are finished, none begun."""
        with ThreadPoolExecutor(
            self.options.workers, initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            in_hand: set[Future[Made]] = set()
            try:
                for task in self.tasks:
                    if stop():
                        break
                    if settled := self._settled(task):
                        yield settled
                        continue
                    if self.manifest:
                        self.manifest.start(task)
                    in_hand.add(pool.submit(self._translate, task))
                    while len(in_hand) > self.options.workers:
                        yield from self._finished(in_hand)
                while in_hand:
                    yield from self._finished(in_hand)
            finally:
                if self.manifest:
                    self._settle(self.manifest, in_hand)

    def _settle(self, manifest: Manifest, in_hand: set[Future[Made]]) -> None:
        try:
            for future in in_hand:
                manifest.add(future.result()[1])
        finally:
            manifest.close()
        if not self.options.shard:
            self._list_doubts(manifest)

    def _list_doubts(self, manifest: Manifest) -> None:
        """The photos whose doubt is known, most doubtful first."""
        doubts = [(r["doubt"], r["output"]) for r in manifest.records.values() if "doubt" in r]
        if doubts:
            rows = sorted(doubts, key=lambda row: (-row[0], row[1]))
            write_csv([("doubt", "output"), *rows], self.output / DOUBT_LIST)

    def _finished(self, in_hand: set[Future[Made]]) -> Iterator[Outcome]:
        for future in wait(in_hand, return_when=FIRST_COMPLETED).done:
            in_hand.discard(future)
            outcome, record = future.result()
            if self.manifest:
                self.manifest.add(record)
            yield outcome

    def _settled(self, task: Task) -> Outcome | None:
        """What there is to say of a task without work on it."""
        if self.options.overwrite:
            return None
        if self.manifest and self.manifest.is_current(task, self._settings(task), self._targets(task)):
            return Outcome(task, "skipped")
        foreign = next((path for path in self._targets(task) if not self._is_ours(task, path)), None)
        if foreign is None:
            return None
        reason = f"{shown(foreign)}: exists and was not made by this job; --overwrite replaces it"
        if self.manifest:
            self.manifest.add({"input": task.name, "status": "refused", "code": "exists", "reason": reason})
        return Outcome(task, "refused", reason)

    def _targets(self, task: Task) -> list[Path]:
        """The files that are made of a photo."""
        return [task.target, *([_doubt_path(task)] if self.options.doubt else [])]

    def _is_ours(self, task: Task, target: Path) -> bool:
        return self.manifest.is_ours(task, target) if self.manifest else not os.path.lexists(target)

    def _translate(self, task: Task) -> Made:
        """One photo, from reading to its record; whatever goes wrong is its refusal."""
        begun = time.perf_counter()
        record: Record = {"input": task.name}
        try:
            record |= self._make(task)
            outcome = Outcome(
                task,
                "translated",
                luma=record.get("luma", ""),
                lost=tuple(record.get("lost", ())),
                warnings=tuple(record.get("warnings", ())),
            )
        except Exception as error:  # one bad file must not stop a folder
            code, reason = _refusal(task, error)
            outcome = Outcome(task, "refused", reason)
            record |= {"code": code, "reason": reason}
        record |= {
            "status": outcome.status,
            "seconds": round(time.perf_counter() - begun, 3),
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "checkpoint": self.colorizer.settings["checkpoint"],
            "settings": self._settings(task),
        }
        return outcome, record

    def _make(self, task: Task) -> Record:
        status = os.stat(task.source)
        doubt = self.colorizer.doubt if self.options.doubt else None
        pages = Pages(task.source, self.convert, doubt, self.options, self.hints.get(task.name, ()))
        refuse_leaving(task.target, self.output)
        keeps_luma = self.options.lossless_luma and task.target.suffix.lower() in JPEG_SUFFIXES
        luma = read_luma(task.source, max_pixels=self.options.max_pixels) if keeps_luma else None
        digests: list[str] = []

        def announce(content: bytes | bytearray) -> None:
            digests.append(hashlib.sha256(content).hexdigest())
            if self.manifest:
                self.manifest.announce(task, digests[-1])

        written = write_pages(
            pages,
            task.target,
            quality=self.options.quality,
            subsampling=self.options.subsampling,
            luma=luma,
            before_writing=announce,
        )
        output, asked = os.stat(task.target), {}
        if pages.doubts:
            write_photo(doubt_map(pages.doubts[0]), _doubt_path(task), before_writing=announce)
            mean = max(float(doubt.mean()) for doubt in pages.doubts)
            asked = {"doubt": round(mean, 2), "doubt_sha256": digests[-1]}
        if self.options.lossless_luma:
            asked["luma"] = "kept" if luma else "encoded anew"
        if lost := [*dict.fromkeys((*pages.lost, *written.lost))]:
            asked["lost"] = lost
        if pages.warnings:
            asked["warnings"] = [*pages.warnings]
        return asked | {
            "output": task.target.relative_to(self.output).as_posix(),
            "bytes": status.st_size,
            "mtime_ns": status.st_mtime_ns,
            "sha256": file_sha256(task.source),
            "output_bytes": output.st_size,
            "output_mtime_ns": output.st_mtime_ns,
            "output_sha256": digests[0],
            "width": pages.size[1],
            "height": pages.size[0],
            "pages": pages.count,
        }


def _doubt_path(task: Task) -> Path:
    return task.target.with_name(task.target.name + DOUBT_SUFFIX)


def doubt_map(doubt: np.ndarray) -> Photo:
    """As a gray picture: black where the network is sure, white from `DOUBT_WHITE` units on."""
    return Photo(np.clip(doubt * (255 / DOUBT_WHITE), 0, 255).astype(np.uint8)[..., None])


def _refusal(task: Task, error: Exception) -> tuple[str, str]:
    """A word for the manifest, and a line for people."""
    if isinstance(error, PhotoError):
        return error.reason, str(error)
    if isinstance(error, CycleColorError):
        return "unwritable", str(error)
    if isinstance(error, OSError):
        return "unreadable", f"{shown(task.source)}: cannot be read: {error.strerror or error}"
    return failure(task.source, error)
