"""A collection from one store into another: listed, done, counted again, and written down."""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import CycleColorError, of_extra
from ..files import TEMPORARY, csv_bytes, shown
from ..photos import is_service, is_tar
from ..storage import Entry, SingleFile, is_plain, open_store
from ..translation import Shard
from ..translation.hinted import refuse_unknown
from ..translation.job import DOUBT_HEADER, DOUBT_LIST
from ..translation.manifest import Record
from ..translation.plan import DOUBT_SUFFIX
from .catalog import Catalog, Row
from .dispatch import Dispatch, WorkerPool
from .manifest import is_manifest, manifest_name, read_manifest, write_manifest
from .notes import FOLDER, Notes
from .work import Item, Work

STANDING = {
    *("empty", "not-an-image", "truncated", "broken", "camera-raw", "several-frames", "too-many-pages"),
    "unsafe-name",
}
"""Codes of refusals that the same bytes will meet again."""
ROUNDS = 2  # what is missing when all is counted is done once more
WHOLE = "whole"  # the scope of a job that is no shard


class Collection:
    """The translation of what one store holds into another; originals are only read.

    Outputs and their names are those of a `Job` on the same files. An output that is there already is ours if
    the manifest names its checksum, or if it is what would be written anyway.

    Parameters
    ----------
    work : Work
    settings : callable
        From the name of an input to the digest of all that decides on its output, besides the input.
    pool : callable
        Starts the engine's workers; not called if there is nothing to do.

    Attributes
    ----------
    total : int
        Inputs of this job, once they are listed.
    settled : Counter
        What needs no work, by status.
    refused_members : int
        Photos in tars that need no work, as they were refused before.
    passed_over : Counter
        Files that are no inputs, by kind.

    Raises
    ------
    CycleColorError
        If one of the two stores lies inside the other, the output is a file, or one cannot be opened.
    """

    def __init__(self, work: Work, settings: Callable[[str], str], pool: Callable[[], WorkerPool]):
        self.work, self.settings, self.pool = work, settings, pool
        with of_extra("storage"):
            import pyarrow.parquet  # noqa: F401  # or it would be missed when all is done
        self.source, self.output = open_store(work.source), open_store(work.output)
        if isinstance(self.output, SingleFile):
            raise CycleColorError(f"{self.output.shown()}: is a file; name a folder", exit_code=2)
        if self.source.overlaps(self.output):
            raise CycleColorError(
                f"{self.output.shown()}: one of output and source ({self.source.shown()}) lies inside the "
                "other; choose another --output",
                exit_code=2,
            )
        self.total = self.misnamed = self.refused_members = 0
        self.settled, self.passed_over = Counter[str](), Counter[str]()
        self.notes = Notes(self.output, work.scope)
        self.manifests: list[str] = []

    def run(self, stop: Callable[[], int] = lambda: 0) -> Iterator[Record]:
        """Do it; records come as they are ready. Once `stop()`, batches in hand are finished, none begun."""
        with Catalog() as catalog:
            self._read_earlier(catalog)
            changed = bool(self.notes.known) or (not self._shard and len(self.manifests) > 1)
            for record in self._results(catalog, stop):
                changed = True
                self._keep(catalog, record)
                yield record
            self.notes.flush()
            if changed:
                self._write_down(catalog)

    @property
    def _shard(self) -> Shard | None:
        return self.work.options.shard

    def _read_earlier(self, catalog: Catalog) -> None:
        """All that is known of earlier jobs; a shard knows what the whole has, but not its neighbors."""
        scopes = [self.work.scope]
        catalog.list_outputs(self._outputs())
        if not self._shard:
            scopes += sorted({e.name.split("/")[1] for e in self.output.entries(FOLDER)} - {WHOLE})
        for name in self.manifests:
            for record in read_manifest(self.output, name):
                catalog.add(record, new=False)
        for notes in (self.notes, *(Notes(self.output, scope) for scope in scopes[1:])):
            for record in notes.records():
                catalog.add(record, new=False)
                if record["status"] == "started":
                    catalog.suspect(record["input"], record["deaths"])
            for name, deaths in notes.in_hand():
                catalog.suspect(name, deaths)
            self.notes.known += notes.known if notes is not self.notes else []

    def _outputs(self) -> Iterator[str]:
        """Names of what the output holds, but for manifests and notes."""
        self.manifests = []
        for entry in self.output.entries():
            if is_manifest(entry.name):
                if not self._shard or entry.name in (manifest_name(None), manifest_name(self._shard)):
                    self.manifests.append(entry.name)
            elif _is_half(entry.name):
                if not self._shard:  # or it may be one that a neighbor is writing
                    self.output.remove(entry.name)
            elif not entry.name.startswith(f"{FOLDER}/"):
                yield entry.name

    def _results(self, catalog: Catalog, stop: Callable[[], int]) -> Iterator[Record]:
        refused: list[Record] = []
        catalog.list_inputs(self._inputs(refused))
        if not len(catalog) and not refused and not self.passed_over:
            raise CycleColorError(f"{self.source.shown()}: no photos there; check the address", exit_code=2)
        refuse_unknown(self.work.hints, {name for name in self.work.hints if name in catalog})
        catalog.name_outputs(self.work.options.suffix)
        self.total = len(refused) + sum(self._is_mine(row) for row in catalog.rows())
        for record in refused:
            if catalog.record(record["input"]).get("code") == record["code"]:
                self.misnamed += 1
            else:
                yield record
        yield from self._rounds(catalog, stop)

    def _inputs(self, refused: list[Record]) -> Iterator[Entry]:
        """What is listed, but for what is hidden, thumbnails of machines, and names that lead elsewhere."""
        for entry in self.source.entries():
            *folders, last = entry.name.split("/")
            service = next((name for name in folders if is_service(name)), None)
            if not last and not entry.bytes:
                continue  # stands for a folder
            if not is_plain(entry.name):
                refused.append(_refused_name(entry, self.source.shown(entry.name)))
            elif service:
                self.passed_over[f"in {shown(service)}"] += 1
            elif not last.startswith("."):
                yield entry

    def _rounds(self, catalog: Catalog, stop: Callable[[], int]) -> Iterator[Record]:
        """All items; then once more those whose outputs are not in the store, whatever was said of them."""
        pool = None
        try:
            for _ in range(ROUNDS):
                items = self._items(catalog)
                first = next(items, None)
                if first is None or stop():
                    return
                pool = pool or self.pool()
                everything = (item for some in ((first,), items) for item in some)
                yield from Dispatch(pool, everything, self.total).run(stop)
                if stop():
                    return
                catalog.list_outputs(self._outputs())
        finally:
            if pool:
                pool.close()
        for item in self._items(catalog):
            reason = f"{self.output.shown(item.output)}: was written, and is not there; run the command again"
            yield {"input": item.name, "status": "refused", "code": "lost", "reason": reason}

    def _items(self, catalog: Catalog) -> Iterator[Item]:
        """What is to be done."""
        self.settled, self.refused_members = Counter(refused=self.misnamed), 0
        doubt = self.work.options.doubt
        for row in catalog.rows():
            if not self._is_mine(row):
                continue
            is_there = row.there and (row.doubt_there or not doubt or is_tar(row.entry.name))
            if row.new and (row.record["status"] not in ("translated", "started") or is_there):
                continue
            if not row.new and self._is_settled(row, is_there):
                self.settled[row.record["status"]] += 1
                self.refused_members += row.record.get("refused_members", 0)
                continue
            ours = tuple(row.record[key] for key in ("output_sha256", "doubt_sha256") if key in row.record)
            taken = row.there or (row.doubt_there and doubt)
            entry = row.entry
            yield Item(entry.name, row.output, entry.bytes, entry.version, taken, ours, row.deaths)

    def _is_mine(self, row: Row) -> bool:
        return self._shard is None or self._shard.holds(row.entry.name)

    def _is_settled(self, row: Row, is_there: bool) -> bool:
        """Whether an earlier job has said the last word on the same input with the same settings."""
        record, entry = row.record, row.entry
        if self.work.options.overwrite or record.get("settings") != self.settings(entry.name):
            return False
        if (record.get("bytes"), record.get("version", "")) != (entry.bytes, entry.version):
            return False
        return {
            "translated": is_there and "code" not in record,  # a tar has one if a member may do better
            "refused": record.get("code") in STANDING,
            "quarantined": True,
            "passed over": True,
        }.get(record["status"], False)

    def _keep(self, catalog: Catalog, record: Record) -> None:
        record.setdefault("settings", self.settings(record["input"]))
        if record["status"] == "quarantined":
            self._take_back(catalog.row(record["input"]))
        catalog.add(record, new=True)
        self.notes.add(record)

    def _take_back(self, row: Row) -> None:
        """What a worker put there before it died: no row of the manifest would tell whose it is."""
        for suffix, was_there in (("", row.there), (DOUBT_SUFFIX, row.doubt_there)):
            if not was_there:
                self.output.remove(row.output + suffix)

    def _write_down(self, catalog: Catalog) -> None:
        """The manifest, and what it replaces goes."""
        mine = manifest_name(self._shard)
        holds = self._shard.holds if self._shard else lambda name: True
        write_manifest(self.output, mine, (r for r in catalog.records() if holds(r["input"])))
        if self.work.options.doubt and not self._shard:
            self._list_doubts(catalog)
        for name in self.manifests if not self._shard else ():
            if name != mine:
                self.output.remove(name)
        self.notes.clear()

    def _list_doubts(self, catalog: Catalog) -> None:
        with tempfile.TemporaryDirectory(prefix="cyclecolor-") as folder:
            path = Path(folder) / DOUBT_LIST
            path.write_bytes(csv_bytes([DOUBT_HEADER, *catalog.doubts()]))
            self.output.put(path, DOUBT_LIST)


def scope_of(shard: Shard | None) -> str:
    """Of a job's notes."""
    return f"{shard.index}-of-{shard.count}" if shard else WHOLE


def _is_half(name: str) -> bool:
    """Whether it is what an atomic write leaves in a folder when it is killed."""
    last = name.rpartition("/")[2]
    return last.startswith(TEMPORARY) and last.endswith(".tmp")


def _refused_name(entry: Entry, place: str) -> Record:
    reason = f"{place}: its name is no plain path in UTF-8; rename it"
    return {
        **{"input": shown(entry.name), "status": "refused", "code": "unsafe-name", "reason": reason},
        **{"bytes": entry.bytes, "version": entry.version},
    }
