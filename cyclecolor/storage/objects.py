"""Object storage and web servers, by way of fsspec."""

import hashlib
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from ..errors import CycleColorError, of_extra
from .addresses import Address, scrubbed, shown_address
from .retrying import retried
from .store import Entry, StorageError, Store, TooLarge

T = TypeVar("T")

WHOLE = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "memory")
"""Kinds of stores that put an object in its place whole, or not at all."""
WEB = ("http", "https")
EXTRA = "'cyclecolor[storage]'"
PACKAGES = {
    **dict.fromkeys(("s3", "s3a", *WEB), EXTRA),
    **dict.fromkeys(("gs", "gcs"), f"{EXTRA} gcsfs"),
    **dict.fromkeys(("az", "abfs", "abfss"), f"{EXTRA} adlfs"),
}
"""What to install for each kind of store."""
VERSIONS = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "updated", "created")
KEYS = 1000  # in a page of a listing; the most that S3 gives
SIDE_BY_SIDE = 16  # requests for pages


class ObjectStore(Store):
    """What lies below an address: a folder of objects, or a single one.

    Credentials are those that the environment or the platform gives to fsspec.

    Raises
    ------
    CycleColorError
        If a package is missing, or nothing is known of such addresses.
    """

    def __init__(self, address: Address):
        self.address, self.scheme = address, address.scheme
        with of_extra("storage"):
            import fsspec
        try:
            self.files, root = fsspec.core.url_to_fs(address, use_listings_cache=False)
        except ImportError as error:
            how = f": pip install {PACKAGES[self.scheme]}" if self.scheme in PACKAGES else ""
            raise CycleColorError(f"{self.shown()}: {error.msg}{how}", exit_code=2) from None
        except ValueError as error:
            raise CycleColorError(f"{self.shown()}: {scrubbed(str(error))}", exit_code=2) from None
        self.root = root if self.scheme in WEB else root.rstrip("/")

    def shown(self, name: str = "") -> str:
        """Its address without secrets."""
        base = shown_address(self.address).rstrip("/")
        return f"{base}/{shown_address('x://y/' + name)[6:]}" if name and not self._is_single else base

    @cached_property
    def _is_single(self) -> bool:
        """Whether the root itself is a file."""
        if self.scheme in WEB:
            return not self.root.partition("?")[0].endswith("/")
        return retried(lambda: self.files.isfile(self.root), shown_address(self.address))

    def _path(self, name: str) -> str:
        if self._is_single and name == self._own_name:
            return self.root
        return f"{self.root}{quote(name)}" if self.scheme in WEB else f"{self.root}/{name}"

    @property
    def _own_name(self) -> str:
        path = self.root.partition("?")[0] if self.scheme in WEB else self.root
        return unquote(path.rpartition("/")[2]) if self.scheme in WEB else path.rpartition("/")[2]

    def entries(self, under: str = "") -> Iterator[Entry]:
        """S3 page by page of 1,000, other stores folder by folder."""
        try:
            if self._is_single:
                yield self._entry(self._own_name, retried(lambda: self.files.info(self.root), self.shown()))
            elif self.scheme in ("s3", "s3a"):
                yield from self._pages(under)
            else:
                yield from self._folders(under)
        except FileNotFoundError:
            return

    def _pages(self, under: str) -> Iterator[Entry]:
        """Folders side by side, if there are no more than a page tells: each has pages of its own."""
        bucket, _, root = self.root.partition("/")
        start = f"{root}/" if root else ""
        request = {"Bucket": bucket, "Prefix": f"{start}{under}/" if under else start, "MaxKeys": KEYS}

        def ask(request: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
            return request, retried(lambda: self.files.call_s3("list_objects_v2", **request), self.shown())

        _, top = ask({**request, "Delimiter": "/"})
        waiting = deque([request])
        if not top.get("IsTruncated"):
            yield from self._listed(top, start)
            waiting = deque({**request, "Prefix": found["Prefix"]} for found in top.get("CommonPrefixes", ()))
        asked: set[Future[tuple[dict[str, Any], dict[str, Any]]]] = set()
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            while waiting or asked:
                while waiting and len(asked) < SIDE_BY_SIDE:
                    asked.add(pool.submit(ask, waiting.popleft()))
                done, asked = wait(asked, return_when=FIRST_COMPLETED)
                for request, page in (future.result() for future in done):
                    if page.get("IsTruncated"):
                        waiting.append({**request, "ContinuationToken": page["NextContinuationToken"]})
                    yield from self._listed(page, start)

    def _listed(self, page: dict[str, Any], start: str) -> Iterator[Entry]:
        for found in page.get("Contents", ()):
            yield Entry(found["Key"][len(start) :], found["Size"], found["ETag"].strip('"'))

    def _folders(self, under: str) -> Iterator[Entry]:
        """A server's own list may name anything: what is not below the root is left out."""
        root = self.root.rstrip("/") + "/"
        folders, seen = [root + under], set[str]()
        while folders:
            ask = partial(self.files.ls, folders.pop(), detail=True)
            for found in retried(ask, self.shown(under)):
                path = found["name"]
                is_folder = found["type"] == "directory"
                if not path.startswith(root) or path in seen or ("?" in path and self.scheme in WEB):
                    continue
                if is_folder or self.scheme in WEB:  # files of other stores come once, and may be millions
                    seen.add(path)
                if is_folder:
                    folders.append(path)
                else:
                    name = path[len(root) :]
                    yield self._entry(unquote(name) if self.scheme in WEB else name, found)

    def _entry(self, name: str, found: dict[str, Any]) -> Entry:
        version = next((str(found[key]) for key in VERSIONS if found.get(key)), "")
        return Entry(name, found.get("size"), version.strip('"'))

    def head(self, name: str, count: int) -> bytes:
        """By a request for a range; from the web as it streams, since servers may ignore a range."""

        def beginning(path: str) -> bytes:
            if self.scheme not in WEB:
                return bytes(self.files.cat_file(path, 0, count))
            with self.files.open(path, block_size=0) as stream:
                return bytes(stream.read(count))

        return self._of(name, beginning)

    def fetch(self, name: str, path: Path, limit: int) -> None:
        """By one request, in pieces."""
        from fsspec.callbacks import Callback

        place = self.shown(name)

        class Count(Callback):  # type: ignore[misc]  # untyped
            def relative_update(self, inc: int = 1) -> None:
                super().relative_update(inc)
                if self.value > limit:
                    raise TooLarge(f"{place}: more than {limit:,} bytes")

        self._of(name, lambda remote: self.files.get_file(remote, str(path), callback=Count()))

    def put(self, path: Path, name: str) -> None:
        """By the store's own request, which shows nothing of it before it has all."""
        if self.scheme not in WHOLE:
            raise CycleColorError(
                f"{self.shown()}: photos are not written to this kind of store; use s3, gs or az",
                exit_code=2,
            )
        target = f"{self.root}/{name}"
        retried(lambda: self.files.put_file(str(path), target), self.shown(name))

    def remove(self, name: str) -> None:
        """By one request."""
        try:
            retried(lambda: self.files.rm_file(f"{self.root}/{name}"), self.shown(name))
        except FileNotFoundError:
            return

    def sha256(self, name: str) -> str | None:
        """Of what it downloads."""
        with tempfile.TemporaryDirectory(prefix="cyclecolor-") as folder:
            path = Path(folder) / "object"
            try:
                retried(lambda: self.files.get_file(f"{self.root}/{name}", str(path)), self.shown(name))
            except FileNotFoundError:
                return None
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()

    def overlaps(self, other: Store) -> bool:
        """By their addresses."""
        if not isinstance(other, ObjectStore) or type(self.files) is not type(other.files):
            return False
        one, two = self.root.rstrip("/") + "/", other.root.rstrip("/") + "/"
        return one.startswith(two) or two.startswith(one)

    def _of(self, name: str, call: Callable[[str], T]) -> T:
        try:
            return retried(lambda: call(self._path(name)), self.shown(name))
        except FileNotFoundError:
            raise StorageError(f"{self.shown(name)}: no such file; check the address") from None
