"""`manifest.parquet`: what became of each input, a row each, in the order of their names."""

import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import of_extra
from ..storage import StorageError, Store
from ..translation import Shard
from ..translation.manifest import Record

ROWS = 20_000  # in a group: some megabytes of memory
ANY_SIZE = 1 << 62
TEXTS = (
    *("input", "status", "code", "reason", "output", "version", "sha256", "output_sha256", "doubt_sha256"),
    *("luma", "at", "checkpoint", "settings", "member"),
)
COUNTS = ("bytes", "output_bytes", "width", "height", "pages", "deaths", "members", "refused_members")
LISTS = ("lost", "warnings")


def manifest_name(shard: Shard | None) -> str:
    """Of the whole, or of a shard's own manifest."""
    return f"manifest.{shard.index}-of-{shard.count}.parquet" if shard else "manifest.parquet"


def is_manifest(name: str) -> bool:
    """Whether an object of the output is a manifest."""
    return "/" not in name and name.startswith("manifest.") and name.endswith(".parquet")


def read_manifest(store: Store, name: str) -> Iterator[Record]:
    """Its records, a group at a time.

    Raises
    ------
    StorageError
        If it is damaged.
    """
    with of_extra("storage"):
        import pyarrow
        import pyarrow.parquet
    with tempfile.TemporaryDirectory(prefix="cyclecolor-") as folder:
        path = Path(folder) / "manifest"
        store.fetch(name, path, ANY_SIZE)
        try:
            with pyarrow.parquet.ParquetFile(path) as file:
                for group in file.iter_batches():
                    for row in group.to_pylist():
                        yield {key: value for key, value in row.items() if value not in (None, [])}
        except (pyarrow.ArrowException, OSError) as error:
            raise StorageError(
                f"{store.shown(name)}: damaged; remove it, and all is compared anew"
            ) from error


def write_manifest(store: Store, name: str, records: Iterable[Record]) -> None:
    """Write records, sorted as they come, whole or not at all."""
    with of_extra("storage"):
        import pyarrow
        import pyarrow.parquet
    schema, rows = _schema(), iter(records)
    with tempfile.TemporaryDirectory(prefix="cyclecolor-") as folder:
        path = Path(folder) / "manifest"
        with pyarrow.parquet.ParquetWriter(path, schema, compression="zstd") as file:
            while group := list(islice(rows, ROWS)):
                file.write_table(pyarrow.Table.from_pylist(group, schema))
        store.put(path, name)


def _schema() -> Any:
    import pyarrow

    columns = {name: pyarrow.string() for name in TEXTS} | {name: pyarrow.int64() for name in COUNTS}
    columns |= {name: pyarrow.float64() for name in ("seconds", "doubt")}
    columns |= {name: pyarrow.list_(pyarrow.string()) for name in LISTS}
    return pyarrow.schema(columns)
