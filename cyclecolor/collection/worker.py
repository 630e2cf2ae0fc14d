"""A worker: photos of a store, one after the other."""

import tempfile
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from ..inference import Colorizer
from ..photos import FOREIGN_SUFFIXES, PHOTO_SUFFIXES, PhotoError, is_photo, is_tar
from ..storage import StorageError, TooLarge, open_store
from ..translation.manifest import Record
from ..translation.plan import DOUBT_SUFFIX, Task
from ..translation.refusals import exists
from .apart import color_apart
from .coloring import Coloring
from .notes import Notes
from .tars import MOST_BYTES
from .verdicts import refused
from .work import Item, Work

HEAD = 64  # bytes that tell whether a file of no known suffix is a photo


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
        self.work, self.name, self.coloring = work, name, Coloring(work, colorizer)
        self.source, self.output = open_store(work.source), open_store(work.output)
        self.notes = Notes(self.output, work.scope)

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
                record = settled or self._color(item, task)[-1]
                stored.append(pool.submit(self._store, item, task, record))
                if i:
                    stored[i - 1].result()  # no more than one waits, so that memory and disk stay small
            return [future.result() for future in stored]

    def _tar(self, item: Item) -> list[Record]:
        """The records of a tar's members, then its own: what has that is done."""
        with tempfile.TemporaryDirectory(prefix="cyclecolor-") as folder:
            task = Task(item.name, Path(folder, "tar.in"), Path(folder, "tar.out"), Path(folder))
            settled = self._copy(item, task, MOST_BYTES)
            *members, record = [settled] if settled else self._color(item, task)
            stored = self._store(item, task, record)
        return [*(members if stored["status"] == "translated" else []), stored]

    def _fetch(self, item: Item, task: Task) -> Record | None:
        """The photo on this machine, or the record that settles it."""
        suffix = Path(item.name).suffix.lower()
        try:
            if suffix not in PHOTO_SUFFIXES + FOREIGN_SUFFIXES:
                few = min(HEAD, HEAD if item.bytes is None else item.bytes)
                task.source.write_bytes(self.source.head(item.name, few) if few else b"")
                if not is_photo(task.source):
                    return {"status": "passed over", "reason": suffix or "no suffix"}
        except StorageError as error:
            return refused("unreadable", error)
        return self._copy(item, task, self.coloring.limit)

    def _copy(self, item: Item, task: Task, limit: int) -> Record | None:
        """The file on this machine, or its refusal."""
        try:
            self.source.fetch(item.name, task.source, limit)
        except TooLarge as error:
            return refused("too-many-bytes", error)
        except StorageError as error:
            return refused("unreadable", error)
        return None

    def _color(self, item: Item, task: Task) -> list[Record]:
        """By this process; or, if one has died with it alone, by one that may die."""
        places = self.source.shown(item.name), self.output.shown(item.output)
        if item.deaths:
            return color_apart(self.work, item, task, places)
        return self.coloring(item, task, places)

    def _store(self, item: Item, task: Task, record: Record) -> Record:
        """Put the output in its place, its map of doubt before it: where the output is, all of it is."""
        try:
            if record["status"] == "translated":
                record["output"] = item.output
                if "doubt" in record:
                    self._put(item, task, DOUBT_SUFFIX, record["doubt_sha256"])
                self._put(item, task, "", record["output_sha256"])
        except PhotoError as error:
            record = refused(error.reason, error)
        except StorageError as error:
            record = refused("unwritable", error)
        task.source.unlink(missing_ok=True)
        settings = {"settings": self.coloring.translate.settings(task)}
        return {"input": item.name, "bytes": item.bytes, "version": item.version} | settings | record

    def _put(self, item: Item, task: Task, suffix: str, digest: str) -> None:
        """Write a file, unless it is there already, or one that is not ours is."""
        path, name = task.target.with_name(task.target.name + suffix), item.output + suffix
        there = self.output.sha256(name) if item.taken else None
        if there != digest:
            if there not in (None, *item.ours) and not self.work.options.overwrite:
                raise exists(self.output.shown(name))
            self.output.put(path, name)
        path.unlink()


def _suffix(item: Item) -> str:
    return Path(item.output).suffix
