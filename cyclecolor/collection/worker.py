"""A worker: photos of a store, one after the other, by the same code as those of a folder."""

import tempfile
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from ..inference import Colorizer
from ..photos import FOREIGN_SUFFIXES, PHOTO_SUFFIXES, PhotoError, is_photo, is_tar, provenance_in
from ..storage import StorageError, TooLarge, open_store
from ..translation.manifest import Record
from ..translation.no_manifest import NoManifest
from ..translation.one_photo import PhotoTranslator
from ..translation.plan import COLORED, DOUBT_SUFFIX, OURS, Task
from ..translation.refusals import exists
from .notes import Notes
from .tars import MOST_BYTES, TarTranslator, record_of_tar
from .work import Item, Work

HEAD = 64  # bytes that tell whether a file of no known suffix is a photo
BYTES_OF_A_PIXEL, BESIDES = 16, 1 << 26  # the largest file for its pixels: twice 64 bits each, and metadata
LOCAL = ("mtime_ns", "output_mtime_ns")  # of files that nobody sees


class Worker:
    """Colors batches. The next photo is on its way while one is colored, and so is the one before.

    Parameters
    ----------
    work : Work
    name : str
        No other worker has it.
    colorizer : Colorizer
    """

    def __init__(self, work: Work, name: str, colorizer: Colorizer):
        self.name, self.options = name, work.options
        self.source, self.output = open_store(work.source), open_store(work.output)
        self.notes = Notes(self.output, work.scope)
        self.limit = BYTES_OF_A_PIXEL * work.options.max_pixels + BESIDES
        self.translate = PhotoTranslator(colorizer, work.options, NoManifest(overwrite=True), work.hints)
        self.translate_tar = TarTranslator(self._color, work.options.suffix, self.limit)

    def __call__(self, batch: Sequence[Item]) -> list[Record]:
        """The records of a batch; whatever goes wrong with a photo is its refusal."""
        self.notes.mark(self.name, batch)
        photos = [item for item in batch if not is_tar(item.name)]
        records = self._photos(photos) if photos else []
        for item in batch:
            if is_tar(item.name):
                records += self._tar(item)
        if batch[0].deaths is not None:
            self.notes.mark(self.name, [])  # or it would be blamed for the end of the driver
        return records

    def _photos(self, batch: Sequence[Item]) -> list[Record]:
        stored: list[Future[Record]] = []
        with tempfile.TemporaryDirectory(prefix="cyclecolor-") as folder, ThreadPoolExecutor(2) as pool:
            tasks = [
                Task(item.name, Path(folder, f"{i}.in"), Path(folder, f"{i}{_suffix(item)}"), Path(folder))
                for i, item in enumerate(batch)
            ]
            ahead = pool.submit(self._fetch, batch[0], tasks[0])
            for i, (item, task) in enumerate(zip(batch, tasks, strict=True)):
                settled = ahead.result()
                if i + 1 < len(batch):
                    ahead = pool.submit(self._fetch, batch[i + 1], tasks[i + 1])
                record = settled or self._color(item, task)
                stored.append(pool.submit(self._store, item, task, record))
                if i:
                    stored[i - 1].result()  # no more than one waits, so that memory and disk stay small
            return [future.result() for future in stored]

    def _tar(self, item: Item) -> list[Record]:
        """The records of a tar's members, then its own: what has that is done."""
        members: list[Record] = []
        with tempfile.TemporaryDirectory(prefix="cyclecolor-") as folder:
            task = Task(item.name, Path(folder, "tar.in"), Path(folder, "tar.out"), Path(folder))
            try:
                self.source.fetch(item.name, task.source, MOST_BYTES)
                members = self.translate_tar(item, task, self.source.shown(item.name))
                record = record_of_tar(task, members)
            except TooLarge as error:
                record = _refused("too-many-bytes", error)
            except PhotoError as error:
                record = _refused(error.reason, error)
            except StorageError as error:
                record = _refused("unreadable", error)
            except OSError as error:
                reason = f"{self.output.shown(item.output)}: no room on this machine's disk: {error.strerror}"
                record = {"status": "refused", "code": "unwritable", "reason": reason}
            stored = self._store(item, task, record)
        return [*(members if stored["status"] == "translated" else []), stored]

    def _fetch(self, item: Item, task: Task) -> Record | None:
        """The photo on this machine, or the record that settles it."""
        try:
            suffix = Path(item.name).suffix.lower()
            if suffix not in PHOTO_SUFFIXES + FOREIGN_SUFFIXES:
                few = min(HEAD, HEAD if item.bytes is None else item.bytes)
                task.source.write_bytes(self.source.head(item.name, few) if few else b"")
                if not is_photo(task.source):
                    return {"status": "passed over", "reason": suffix or "no suffix"}
            self.source.fetch(item.name, task.source, self.limit)
        except TooLarge as error:
            return _refused("too-many-bytes", error)
        except StorageError as error:
            return _refused("unreadable", error)
        return None

    def _color(self, item: Item, task: Task) -> Record:
        is_to_color = self.options.direction == "to-color"
        if is_to_color and (provenance_in(task.source) or "").startswith(COLORED):
            return {"status": "passed over", "reason": OURS}
        _, record = self.translate(task)
        places = ((task.source, self.source.shown(item.name)), (task.target, self.output.shown(item.output)))
        for path, place in places if "reason" in record else ():
            record["reason"] = record["reason"].replace(str(path), place)
        return {key: value for key, value in record.items() if key not in LOCAL}

    def _store(self, item: Item, task: Task, record: Record) -> Record:
        """Put the output in its place, its map of doubt before it: where the output is, all of it is."""
        try:
            if record["status"] == "translated":
                record["output"] = item.output
                if "doubt" in record:
                    self._put(item, task, DOUBT_SUFFIX, record["doubt_sha256"])
                self._put(item, task, "", record["output_sha256"])
        except PhotoError as error:
            record = _refused(error.reason, error)
        except StorageError as error:
            record = _refused("unwritable", error)
        task.source.unlink(missing_ok=True)
        settings = {"settings": self.translate.settings(task)}
        return {"input": item.name, "bytes": item.bytes, "version": item.version} | settings | record

    def _put(self, item: Item, task: Task, suffix: str, digest: str) -> None:
        """Write a file, unless it is there already, or one that is not ours is."""
        path, name = task.target.with_name(task.target.name + suffix), item.output + suffix
        there = self.output.sha256(name) if item.taken else None
        if there != digest:
            if there not in (None, *item.ours) and not self.options.overwrite:
                raise exists(self.output.shown(name))
            self.output.put(path, name)
        path.unlink()


def _suffix(item: Item) -> str:
    return Path(item.output).suffix


def _refused(code: str, error: Exception) -> Record:
    return {"status": "refused", "code": code, "reason": str(error)}
