"""What a job keeps in its output while it runs: finished records, and what is in hand.

All below one hidden folder, which is gone when the job has ended. Each note is written whole, by one process.
"""

import json
import secrets
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..storage import Store
from ..translation.manifest import Record
from .work import Item

FOLDER = ".cyclecolor"
EVERY = 10.0  # seconds of records that the end of a driver can cost; their photos are compared, not lost
MOST = 5000  # records in a note
MOST_BYTES = 1 << 30


class Notes:
    """The notes of one scope in a store."""

    def __init__(self, store: Store, scope: str):
        self.store, self.folder = store, f"{FOLDER}/{scope}"
        self.run = secrets.token_hex(4)
        self.known: list[str] = []  # names of notes, to be removed when the manifest has what they say
        self.waiting: list[Record] = []
        self.flushed = time.monotonic()

    def records(self) -> Iterator[Record]:
        """All that earlier jobs have finished since there was a manifest."""
        yield from self._read("records-")

    def in_hand(self) -> Iterator[tuple[str, int]]:
        """Each input that a worker had when it was last heard of, and the deaths that this may make."""
        for note in self._read("in-hand-"):
            for name, deaths in note["deaths"].items():
                yield name, deaths + (len(note["deaths"]) == 1)

    def _read(self, kind: str) -> Iterator[Record]:
        names = sorted(entry.name for entry in self.store.entries(self.folder))
        for name in (name for name in names if name.rpartition("/")[2].startswith(kind)):
            self.known.append(name)
            with tempfile.TemporaryDirectory(prefix="cyclecolor-") as folder:
                path = Path(folder) / "note"
                self.store.fetch(name, path, MOST_BYTES)
                with path.open(encoding="utf-8") as lines:
                    yield from (json.loads(line) for line in lines)

    def add(self, record: Record) -> None:
        """Keep a record; a death at once, the others when there are enough of them."""
        self.waiting.append(record)
        old = time.monotonic() - self.flushed > EVERY
        if old or len(self.waiting) >= MOST or record["status"] == "started":
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if self.waiting:
            self._write(f"records-{self.run}-{len(self.known):06}.jsonl", self.waiting)
        self.waiting, self.flushed = [], time.monotonic()

    def mark(self, worker: str, batch: Sequence[Item]) -> None:
        """Keep what a worker has in hand, before any of it is decoded."""
        self._write(f"in-hand-{worker}.json", [{"deaths": {item.name: item.deaths or 0 for item in batch}}])

    def _write(self, name: str, records: Sequence[Record]) -> None:
        with tempfile.TemporaryDirectory(prefix="cyclecolor-") as folder:
            path = Path(folder) / "note"
            path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
            self.store.put(path, f"{self.folder}/{name}")
        self.known.append(f"{self.folder}/{name}")

    def clear(self) -> None:
        """Remove all notes: the manifest says what they said."""
        for name in {*self.known, *(entry.name for entry in self.store.entries(self.folder))}:
            self.store.remove(name)
