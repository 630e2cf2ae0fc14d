"""All inputs, outputs and records of a job in a file of this machine: millions need no memory."""

import json
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain, islice
from pathlib import Path
from typing import Self

from ..photos import is_tar
from ..storage import Entry
from ..translation.manifest import OF_OUTPUT, Record
from ..translation.plan import DOUBT_SUFFIX, MOST_TWINS, candidates, folded
from .tars import tar_names

PAGE = 5000  # rows at a time
TABLES = """
CREATE TABLE inputs (name TEXT PRIMARY KEY, bytes INTEGER, version TEXT, output TEXT) WITHOUT ROWID;
CREATE TABLE claims (folded TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE outputs (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE records (name TEXT PRIMARY KEY, output TEXT, record TEXT, new INTEGER) WITHOUT ROWID;
CREATE TABLE suspects (name TEXT PRIMARY KEY, deaths INTEGER) WITHOUT ROWID;
"""
ROWS = """
SELECT inputs.name, bytes, version, inputs.output, record, new, deaths,
    EXISTS (SELECT 1 FROM outputs WHERE outputs.name = inputs.output),
    EXISTS (SELECT 1 FROM outputs WHERE outputs.name = inputs.output || ?)
FROM inputs LEFT JOIN records USING (name) LEFT JOIN suspects USING (name)
"""


class Row:
    """An input with all that is known of it.

    Attributes
    ----------
    record : dict
        The last one; empty if there is none. `new` if it is of this job.
    deaths : int, optional
        As in `Item`.
    there, doubt_there : bool
        Whether something is at the place of its output, and of its map of doubt.
    """

    def __init__(self, row: Sequence[object]):
        self.entry = Entry(str(row[0]), row[1], str(row[2]))  # type: ignore[arg-type]  # as the table has it
        self.output = str(row[3])
        self.record: Record = json.loads(str(row[4])) if row[4] else {}
        self.new = bool(row[5])
        self.deaths: int | None = row[6]  # type: ignore[assignment]
        self.there, self.doubt_there = bool(row[7]), bool(row[8])


class Catalog:
    """A file of tables, gone when the job has ended: all that is in it can be read from the stores."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="cyclecolor-")
        self._file = sqlite3.connect(Path(self._folder.name) / "catalog", isolation_level=None)
        self._file.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + TABLES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
        self._folder.cleanup()

    def list_inputs(self, entries: Iterable[Entry]) -> None:
        """Take down a listing."""
        rows = ((entry.name, entry.bytes, entry.version) for entry in entries)
        self._insert("INSERT OR REPLACE INTO inputs VALUES (?, ?, ?, NULL)", rows)

    def list_outputs(self, names: Iterable[str]) -> None:
        """Take down what the output holds now, and forget what it held."""
        self._file.execute("DELETE FROM outputs")
        self._insert("INSERT OR IGNORE INTO outputs VALUES (?)", ((name,) for name in names))

    def _insert(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        with self._file:
            self._file.execute("BEGIN")
            self._file.executemany(statement, rows)

    def add(self, record: Record, *, new: bool) -> None:
        """Keep a record; a refusal does not forget an older output, nor does a death."""
        name = record["input"]
        if "member" in record:
            name += f"\0{record['member']}"  # no input is called so
        elif is_tar(name):
            self._forget_members(record)
        if record["status"] in ("refused", "started"):
            before = self.record(name)
            record = {key: before[key] for key in OF_OUTPUT if key in before} | record
        self._file.execute(
            "INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?)",
            (name, record.get("output"), json.dumps(record), new),
        )

    def _forget_members(self, record: Record) -> None:
        """Of a tar, those that are not in it any more: they come before its own record."""
        self._file.execute(
            "DELETE FROM records WHERE name > ? AND name < ? AND json_extract(record, '$.version') IS NOT ?",
            (f"{record['input']}\0", f"{record['input']}\1", record.get("version", "")),
        )

    def record(self, name: str) -> Record:
        """The last one of an input; empty if there is none."""
        row = self._file.execute("SELECT record FROM records WHERE name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else {}

    def suspect(self, name: str, deaths: int) -> None:
        """Keep that a worker died with an input in hand, or may have; the most deaths count."""
        self._file.execute(
            "INSERT INTO suspects VALUES (?, ?) "
            "ON CONFLICT DO UPDATE SET deaths = MAX(deaths, excluded.deaths)",
            (name, deaths),
        )

    def name_outputs(self, suffix: str | None) -> None:
        """Name an output for each input, as `plan.mirror` does."""
        known = (
            "SELECT name, records.output FROM inputs JOIN records USING (name) WHERE records.output NOTNULL"
        )
        unnamed = "SELECT name, NULL FROM inputs WHERE inputs.output ISNULL"
        with self._file:
            self._file.execute("BEGIN")
            for name, before in self._paged(known):
                if before in islice(_choices(name, suffix), MOST_TWINS):
                    self._claim(name, chain([before], _choices(name, suffix)))
            for keeps in (True, False):
                for name, _ in self._paged(unnamed):
                    if (next(_choices(name, suffix)) == name) >= keeps:
                        self._claim(name, _choices(name, suffix))

    def _claim(self, name: str, choices: Iterator[str]) -> None:
        for choice in choices:
            if choice.endswith(DOUBT_SUFFIX):
                continue
            if self._file.execute("INSERT OR IGNORE INTO claims VALUES (?)", (folded(choice),)).rowcount:
                self._file.execute("UPDATE inputs SET output = ? WHERE name = ?", (choice, name))
                return

    def _paged(self, query: str) -> Iterator[tuple[str, str]]:
        """Rows by name, a page at a time: what is read may be changed meanwhile."""
        last, word = "", "AND" if "WHERE" in query else "WHERE"
        while rows := self._file.execute(
            f"{query} {word} inputs.name > ? ORDER BY inputs.name LIMIT ?", (last, PAGE)
        ).fetchall():
            yield from rows
            last = rows[-1][0]

    def rows(self) -> Iterator[Row]:
        """All inputs, by name."""
        last, query = "", f"{ROWS} WHERE inputs.name > ? ORDER BY inputs.name LIMIT ?"
        while rows := self._file.execute(query, (DOUBT_SUFFIX, last, PAGE)).fetchall():
            yield from map(Row, rows)
            last = rows[-1][0]

    def row(self, name: str) -> Row:
        """One of them."""
        return Row(self._file.execute(f"{ROWS} WHERE inputs.name = ?", (DOUBT_SUFFIX, name)).fetchone())

    def records(self) -> Iterator[Record]:
        """All records, by name of the input."""
        with closing(self._file.execute("SELECT record FROM records ORDER BY name")) as rows:
            yield from (json.loads(row[0]) for row in rows)

    def doubts(self) -> Iterator[tuple[float, str]]:
        """Doubt and output of the photos whose doubt is known, most doubtful first."""
        query = (
            "SELECT json_extract(record, '$.doubt') AS doubt, output FROM records "
            "WHERE doubt NOTNULL ORDER BY doubt DESC, output"
        )
        yield from self._file.execute(query)

    def __len__(self) -> int:
        return int(self._file.execute("SELECT COUNT(*) FROM inputs").fetchone()[0])

    def __contains__(self, name: str) -> bool:
        return bool(self._file.execute("SELECT 1 FROM inputs WHERE name = ?", (name,)).fetchone())


def _choices(name: str, suffix: str | None) -> Iterator[str]:
    """What the output of an input may be called, best first."""
    return tar_names(name) if is_tar(name) else candidates(name, suffix)
