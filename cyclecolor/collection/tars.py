"""Tars of photos, as webdataset lays them out: of each comes a tar of the same name, whole.

What is no photo by its name goes along byte for byte. Nothing is ever unpacked: a member is read into a file
of our own naming, and what a tar says of links, owners and modes is not used.
"""

import io
import shutil
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import IO

from ..files import shown
from ..photos import FOREIGN_SUFFIXES, PHOTO_SUFFIXES, TAR_SUFFIX, PhotoError, is_service
from ..storage import is_plain
from ..translation.manifest import Record, file_sha256
from ..translation.plan import DOUBT_SUFFIX, Task, mirror
from .work import Item

MOST_BYTES = 1 << 36  # of a tar: it is copied to this machine's disk, and what comes of it lies beside it
MOST_MEMBERS = 100_000  # their records come all at once
PIECE = 1 << 16  # bytes that are read at once; a header that wants more is none
PASSING = ("unreadable", "unwritable", "failed")  # codes of refusals that may be others next time

Places = tuple[str, str]
"""Of an input and its output in their stores, for messages."""


def tar_names(name: str) -> Iterator[str]:
    """`a.tar`, then `a~2.tar`, `a~3.tar`..."""
    yield name
    stem, suffix = name[: -len(TAR_SUFFIX)], name[-len(TAR_SUFFIX) :]
    yield from (f"{stem}~{number}{suffix}" for number in count(2))


class TarTranslator:
    """Makes a tar of colored photos of a tar of photos, a member at a time.

    Parameters
    ----------
    color : callable
        From the task of a photo that is at hand, and its places, to its record.
    suffix : str, optional
        Of all outputs, as in `Options`.
    limit : int
        Bytes that a member may have.
    """

    def __init__(self, color: Callable[[Task, Places], Record], suffix: str | None, limit: int):
        self.color, self.suffix, self.limit = color, suffix, limit

    def __call__(self, item: Item, task: Task, places: Places) -> list[Record]:
        """Write `task.target`; the records of its photos, and of what is refused.

        Raises
        ------
        PhotoError
            If the tar is damaged: then nothing of it counts.
        OSError
            If there is no room for what it becomes.
        """
        records, place = [], places[0]
        with _opened(task.source, place) as tar, tarfile.open(task.target, "w") as output:
            members = _members(tar)
            refusals = {name: self._refusal(name, member) for name, member in members.items()}
            photos = [name for name in members if _is_photo(name) and not refusals[name]]
            names = mirror(photos, self.suffix, {})
            for name, member in members.items():
                record: Record = {"status": "passed over"}
                if refusal := refusals[name]:
                    code, reason = refusal
                    record = {"status": "refused", "code": code, "reason": f"{place}/{shown(name)}: {reason}"}
                elif name in names:
                    photo = task.root / "photo.in"
                    with photo.open("wb") as file:
                        shutil.copyfileobj(_content(tar, member), file, PIECE)
                    target = task.root / f"photo{Path(names[name]).suffix}"
                    one = Task(f"{item.name}/{name}", photo, target, task.root)
                    record = self.color(one, (f"{place}/{shown(name)}", f"{places[1]}/{shown(names[name])}"))
                    if record["status"] == "translated":
                        record["output"] = f"{item.output}/{names[name]}"
                        _take_along(output, names[name], member, target, doubt="doubt" in record)
                if record["status"] == "passed over":
                    _add(output, name, member.size, member, _content(tar, member))
                if name in names or refusal:
                    records.append(
                        record | {"input": item.name, "member": shown(name), "version": item.version}
                    )
        return records

    def _refusal(self, name: str, member: tarfile.TarInfo) -> tuple[str, str] | None:
        """Why a member is not looked at: a word for the manifest, and a line for people."""
        if not is_plain(name):
            return "unsafe-name", "its name is no plain path in UTF-8; rename it"
        if not member.isreg() or member.issparse():
            return "not-a-file", "a link, a device or a file with holes; put the file itself there"
        if member.size > self.limit:
            return "too-many-bytes", f"more than {self.limit:,} bytes"
        return None


def unpack_photos(path: Path, folder: Path, place: str) -> None:
    """Write the photos of a tar into a new folder; what has no plain name, or is no file, is left out.

    Raises
    ------
    PhotoError
        About `place`, if the tar is damaged.
    OSError
        If they cannot be written.
    """
    folder.mkdir()
    with _opened(path, place) as tar:
        for name, member in _members(tar).items():
            # A sparse file may be larger than any disk, though its tar is not.
            if _is_photo(name) and is_plain(name) and member.isreg() and not member.issparse():
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as file:
                    shutil.copyfileobj(_content(tar, member), file, PIECE)


def record_of_tar(task: Task, members: Sequence[Record]) -> Record:
    """What became of a tar as a whole; `code` is of a member that the next job should try again."""
    if not members:
        return {"status": "passed over", "reason": "no photos in it"}
    refused = [member["code"] for member in members if member["status"] == "refused"]
    passing = [code for code in refused if code in PASSING]
    return {
        "status": "translated",
        **({"code": passing[0]} if passing else {}),
        "sha256": file_sha256(task.source),
        "output_sha256": file_sha256(task.target),
        "output_bytes": task.target.stat().st_size,
        "members": len(members),
        "refused_members": len(refused),
    }


class _File(io.FileIO):
    """A tar that is read; whatever its headers say, never much at once."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Some bytes."""
        if size is None or not 0 <= size <= PIECE:
            raise tarfile.ReadError("a header of it is too large")
        return super().read(size)


@contextmanager
def _opened(path: Path, place: str) -> Iterator[tarfile.TarFile]:
    """A tar that is not compressed; what is wrong with it is said about `place`."""
    try:
        with _File(path) as file, tarfile.open(fileobj=file, mode="r:") as tar:
            yield tar
    except (tarfile.TarError, EOFError, ValueError, OverflowError, RecursionError) as error:
        cause = " ".join(str(error).split())[:160]
        raise PhotoError(f"{place}: damaged ({cause}); copy it again", reason="broken") from error


def _members(tar: tarfile.TarFile) -> dict[str, tarfile.TarInfo]:
    """All but folders, by name; the whole tar is looked through before anything is done."""
    members: dict[str, tarfile.TarInfo] = {}
    before, seen = -1, 0
    while member := tar.next():
        tar.pax_headers, seen = {}, seen + 1  # headers for all that follow would pile up
        if member.size < 0 or member.offset <= before:
            raise tarfile.ReadError("its headers lead back")
        if seen > MOST_MEMBERS:
            raise tarfile.ReadError(f"more than {MOST_MEMBERS:,} files")
        before, name = member.offset, member.name.removeprefix("./")
        if name in members:
            raise tarfile.ReadError(f"two files are called {shown(name)}")
        if not member.isdir():
            members[name] = member
    assert tar.fileobj is not None
    tar.fileobj.seek(tar.offset)
    if tar.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):  # `next` takes garbage for an end
        raise tarfile.ReadError("it does not end as tars do")
    return members


def _is_photo(name: str) -> bool:
    *folders, last = name.split("/")
    is_hidden = last.startswith(".") or any(map(is_service, folders))
    return last.lower().endswith(PHOTO_SUFFIXES + FOREIGN_SUFFIXES) and not is_hidden


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = tar.extractfile(member)
    assert content is not None  # it is a regular file
    return content


def _take_along(output: tarfile.TarFile, name: str, of: tarfile.TarInfo, path: Path, *, doubt: bool) -> None:
    """Move what was made of a photo into the output, its map of doubt before it."""
    for suffix in (DOUBT_SUFFIX, "") if doubt else ("",):
        made = path.with_name(path.name + suffix)
        with made.open("rb") as file:
            _add(output, name + suffix, made.stat().st_size, of, file)
        made.unlink()


def _add(output: tarfile.TarFile, name: str, size: int, of: tarfile.TarInfo, file: IO[bytes]) -> None:
    """Nothing but name, size and time, so that the same photos make the same tar."""
    info = tarfile.TarInfo(name)
    info.size, info.mtime = size, max(0, int(of.mtime))
    output.addfile(info, file)
