"""`manifest.jsonl`: what became of each input, and so what is left to do.

Jobs that share a folder write a manifest each (`manifest.2-of-4.jsonl`). The next job that does not share it
makes them one.
"""

import hashlib
import json
import os
import threading
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ..errors import CycleColorError
from ..files import TEMPORARY, Busy, atomic_write, hold_folder, shown
from .plan import Task
from .shard import Shard

Record = dict[str, Any]
"""What a line says of an input, as listed at `Manifest`."""

NAME = "manifest.jsonl"
SHARD_NAMES = "manifest.*-of-*.jsonl"
# What a refusal does not forget: by these checksums a file is known to be ours.
OF_OUTPUT = ("output", "output_bytes", "output_mtime_ns", "output_sha256", "doubt_sha256", "writing")


class Manifest:
    """The records of an output folder, one JSON object a line, one line an input.

    While a job runs, lines are added: when an input is started, before each file of its is written, and when
    it is finished; the last one counts, and a line that a crash cut short is nothing. `close` writes the file
    anew, in order. A second job in the same folder is refused, unless both do a `shard` of it, and not the
    same.

    A file is ours if the record of its input names its checksum, and not otherwise: whatever else is at an
    output's place, somebody put it there.

    A record holds `input`, `output` (relative to the two folders), `status` (started, translated or refused),
    `code` and `reason` of a refusal, `bytes`, `mtime_ns` and `sha256` of the input, `output_bytes`,
    `output_mtime_ns` and `output_sha256`, `width`, `height` and `pages`, `seconds`, `at` (UTC),
    `checkpoint`, `settings` (a digest of all that decides on the output), and where they were asked for
    `doubt`, `doubt_sha256` of its map, and `luma` (kept, or encoded anew). Where there are any: `lost`,
    names of what the output does not say of the photo any more, and `warnings`. Until an input is finished,
    `writing` holds the checksums of what was about to be written.

    Raises
    ------
    CycleColorError
        If the folder or the file cannot be made or read, or is in use.
    """

    def __init__(self, folder: Path, shard: Shard | None = None):
        self.shard = shard
        self._one_at_a_time = threading.Lock()  # lines also come from those who write photos
        self.path = folder / (f"manifest.{shard.index}-of-{shard.count}.jsonl" if shard else NAME)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with ExitStack() as opened:
                opened.callback(hold_folder(folder, self.path.name if shard else None))
                if not shard:
                    for leftover in folder.rglob(f"{TEMPORARY}*"):  # of a run that was killed
                        leftover.unlink()
                self._parts = sorted(folder.glob(SHARD_NAMES))
                self._refuse_other_shards()
                self.records = _read(folder / NAME)
                for part in self._parts:
                    self.records |= _read(part)
                self._file = opened.enter_context(self.path.open("ab", buffering=0))
                self._closing = opened.pop_all()
        except Busy as held:
            raise CycleColorError(
                f"{shown(str(held))}: another translation writes here; wait for its end"
            ) from None
        except OSError as error:
            raise _unwritable(self.path if folder.is_dir() else folder, error) from None

    def _refuse_other_shards(self) -> None:
        """Of which part an input is depends on their number: where that changes, nobody knows who is last."""
        for part in self._parts:
            if self.shard and not part.name.endswith(f"-of-{self.shard.count}.jsonl"):
                raise CycleColorError(
                    f"{shown(part)}: belongs to a job with another number of parts; "
                    "run the command once without --shard, which joins all manifests",
                    exit_code=2,
                )

    def start(self, task: Task) -> None:
        """Keep that a task is under way; what is known of its present output stays known."""
        record = self.records.get(task.name, {})
        self.add({**record, "input": task.name, "status": "started"})

    def announce(self, task: Task, target: Path, digest: str) -> None:
        """Keep the checksum of a file before it is written: if the program ends here, it is known as ours."""
        record = self.records[task.name]
        self.add({**record, "writing": [*_checksums(record.get("writing")), digest]})

    def add(self, record: Record) -> None:
        """Keep a record, on disk before anything else happens; a refusal does not forget an older output."""
        before = self.records.get(record["input"], {})
        kept = {"refused": OF_OUTPUT, "translated": ("doubt_sha256",)}.get(record["status"], ())
        record = {key: before[key] for key in kept if key in before} | record
        with self._one_at_a_time:
            self.records[record["input"]] = record
            try:
                # A line of its own also after one that a crash cut short; empty lines are nothing.
                self._file.write(b"\n" + _line(record))
            except OSError as error:
                raise _unwritable(self.path, error) from None

    def close(self) -> None:
        """Write one line an input, sorted, and let go of the folder; a shard's has its own inputs alone."""
        mine = (name for name in self.records if not self.shard or self.shard.holds(name))
        lines = [_line(self.records[name]) for name in sorted(mine)]
        with self._closing:
            self._file.close()  # Windows replaces no file that is open
            atomic_write(self.path, lambda file: file.writelines(lines))
            if not self.shard:
                for part in self._parts:
                    part.unlink()

    def is_current(self, task: Task, settings: str, targets: Iterable[Path]) -> bool:
        """Whether the task has all its outputs, made of the same input with the same settings.

        Somebody may have worked on it since: that is no reason to make it again.
        """
        record = self.records.get(task.name, {})
        return (
            record.get("status") == "translated"
            and record.get("settings") == settings
            and all(target.exists() for target in targets)
            and _same_input(record, task.source)
        )

    def is_ours(self, task: Task, target: Path) -> bool:
        """Whether a file of the task's can be replaced: there is none, or it is one that we wrote."""
        if not os.path.lexists(target):  # or writing it will tell what is wrong
            return True
        if target.is_symlink() or not target.is_file():
            return False
        record = self.records.get(task.name, {})
        named = [record.get("output_sha256"), record.get("doubt_sha256"), *_checksums(record.get("writing"))]
        try:
            return file_sha256(target) in named
        except OSError:
            return False


def file_sha256(path: Path) -> str:
    """Of the file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checksums(writing: object) -> list[object]:
    """Of a record's `writing`: a manifest is only a file, and may hold anything."""
    return writing if isinstance(writing, list) else []


def _same_input(record: Record, source: Path) -> bool:
    """By size and time, and where the time differs, by content."""
    try:
        status = os.stat(source)
        if record.get("bytes") != status.st_size:
            return False
        return record.get("mtime_ns") == status.st_mtime_ns or record.get("sha256") == file_sha256(source)
    except OSError:
        return False


def _unwritable(path: Path, error: OSError) -> CycleColorError:
    return CycleColorError(f"{shown(path)}: cannot be written: {error.strerror}")


def _read(path: Path) -> dict[str, Record]:
    """The last line of each input. Not from a device or a pipe, which may never end."""
    records = {}
    if os.path.lexists(path) and not (path.is_file() and not path.is_symlink()):
        raise CycleColorError(f"{shown(path)}: is not a regular file; move it away")
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            record = json.loads(line)
            records[record["input"]] = record
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
    return records


def _line(record: Record) -> bytes:
    # ASCII: names that are not UTF-8 come back as they were.
    return json.dumps(record).encode("ascii") + b"\n"
