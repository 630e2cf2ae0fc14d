"""Piles in object storage: copied once into the run's folder, then folders like any other."""

import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

from ..collection.tars import unpack_photos
from ..config import Data
from ..data.open import LAYOUTS
from ..distributed import broadcast, rank, world_size
from ..errors import CycleColorError
from ..files import Busy, atomic_write, hold_file, shown
from ..photos import PHOTO_SUFFIXES, TAR_SUFFIX, is_service, is_tar
from ..storage import Address, Store, is_plain, open_store
from .held_out import TEST_FOLDERS
from .progress import progress_bar

FOLDER = "photos"  # in the run's folder
KEYS = ("root", "gray", "color")
TOPS = {"root": (*chain(*LAYOUTS), *TEST_FOLDERS)}  # what is used of it
SIDE_BY_SIDE = 8  # requests
PATIENCE = 1.0  # seconds between looks whether another process has done

logger = logging.getLogger("cyclecolor")

Listing = dict[str, list[int | str | None]]
"""Name of each photo or tar to its bytes, where the store tells, and its version."""


def at_hand(data: Data, run_dir: Path) -> Data:
    """The table with folders of this machine in the place of addresses; nothing is copied."""
    places = {key: str(run_dir / FOLDER / key) for key in _addresses(data)}
    return data.model_copy(update=places)


def copy_piles(data: Data, run_dir: Path, *, begun: bool, accepted: bool) -> None:
    """Copy what the addresses of a `data` table hold into one folder; each process copies its part.

    What is there already is not copied again, so that a copy that was interrupted goes on.

    Parameters
    ----------
    data : Data
    run_dir : Path
    begun : bool
        The run has a checkpoint, so that its photos should be those that it began with.
    accepted : bool
        Copy them again if they have changed nevertheless.

    Raises
    ------
    CycleColorError
        If the store cannot be read, holds too much or nothing, or other photos than a run began with.
    """
    addresses = _addresses(data)
    if not addresses:
        return
    folder = run_dir / FOLDER
    folder.mkdir(parents=True, exist_ok=True)

    def prepare() -> None:
        for left in folder.glob(".part-*"):
            shutil.rmtree(left)
        for key, address in addresses.items():
            _prepare(address, folder / key, data.copy_gb, begun=begun, accepted=accepted)

    def fetch() -> None:
        for key, address in addresses.items():
            _fetch_part(address, folder / key, int(data.copy_gb * 1e9))

    _while_others_wait(prepare, folder, [0])
    _while_others_wait(fetch, folder, range(world_size()))


def _while_others_wait(work: Callable[[], None], folder: Path, workers: Sequence[int]) -> None:
    """Let some processes work, side by side, until all of them have ended.

    By locks: it may take longer than processes wait for each other otherwise.
    """
    if rank() in workers:
        release = hold_file(folder / f".lock-{rank()}", f"process {os.getpid()} is copying\n")
    broadcast(0)  # now all are held
    if rank() in workers:
        try:
            work()
        finally:
            release()
    for worker in workers:
        _wait_for(folder / f".lock-{worker}")
    broadcast(0)


def _addresses(data: Data) -> dict[str, Address]:
    found = {}
    for key in KEYS:
        text = getattr(data, key)
        if text and (address := Address.of(text)):
            if "?" in address:
                raise CycleColorError(
                    f"data.{key}: leave out what follows the question mark: checkpoints keep the address",
                    exit_code=2,
                )
            found[key] = address
    return found


def _wait_for(lock: Path) -> None:
    while True:
        try:
            hold_file(lock, "")()
            return
        except Busy:
            time.sleep(PATIENCE)


def _prepare(address: Address, folder: Path, limit_gb: float, *, begun: bool, accepted: bool) -> None:
    """Note what is to be there, and remove what is not: so a file of the right size is the right one."""
    store, note = open_store(address), folder.with_suffix(".json")
    listing, known = _list(store, TOPS.get(folder.name, ())), _read(note)
    changed = {name for name in listing.keys() | known.keys() if listing.get(name) != known.get(name)}
    if begun and known and changed and not accepted:
        raise CycleColorError(
            f"{store.shown()}: {len(changed):,} photos changed there since this run copied them; put them "
            "back, choose another --run-dir, or continue with --allow-changed-data",
            exit_code=2,
        )
    total, limit = sum(int(count or 0) for count, _ in listing.values()), int(limit_gb * 1e9)
    if total > limit:
        raise CycleColorError(
            f"{store.shown()}: its photos take {total / 1e9:,.1f} GB, more than data.copy_gb = {limit_gb:g}; "
            "raise it if the disk has room, or name a smaller folder",
            exit_code=2,
        )
    try:
        if not known:
            shutil.rmtree(folder, ignore_errors=True)  # nobody can say what this is
        for name in changed:
            if is_tar(name):
                shutil.rmtree(folder / name, ignore_errors=True)
            else:
                (folder / name).unlink(missing_ok=True)
        atomic_write(note, lambda file: file.write(json.dumps(listing).encode()))
    except OSError as error:
        raise _unwritable(folder, error) from error


def _fetch_part(address: Address, folder: Path, limit: int) -> None:
    """Every n-th file of the note that is not there yet, by each of n processes."""
    note = folder.with_suffix(".json")
    listing = _read(note)
    if not listing:
        raise CycleColorError(f"{shown(note)}: process {rank()} cannot read it; put --run-dir where all can")
    part = [*listing.items()][rank() :: world_size()]
    missing = [name for name, (count, _) in part if not _is_there(folder / name, count)]
    try:
        _fetch(open_store(address), missing, folder, limit)
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: OSError) -> CycleColorError:
    return CycleColorError(f"{shown(folder)}: cannot be written: {error.strerror}")


def _list(store: Store, tops: Sequence[str]) -> Listing:
    """Its photos and tars, as they would be found; only of those folders at its top, if some are named."""
    listing: Listing = {}
    unsafe: list[str] = []
    for entry in store.entries():
        *folders, last = entry.name.split("/")
        if not last.lower().endswith((*PHOTO_SUFFIXES, TAR_SUFFIX)) or (
            tops and entry.name.split("/")[0] not in tops
        ):
            continue
        if not is_plain(entry.name):
            unsafe.append(store.shown(entry.name))
        elif not last.startswith(".") and not any(map(is_service, folders)):
            listing[entry.name] = [entry.bytes, entry.version]
    if unsafe:
        logger.warning("passed over, as their names lead elsewhere: %d, the first %s", len(unsafe), unsafe[0])
    if not listing:
        where = f" in {'/, '.join(tops)}/" if tops else ""
        raise CycleColorError(f"{store.shown()}: no photos there{where}; check the address", exit_code=2)
    return listing


def _read(note: Path) -> Listing:
    """What was to be copied before; nothing if nobody can say."""
    try:
        known = json.loads(note.read_bytes())
        return {name: value for name, value in known.items() if is_plain(name)}
    except (OSError, ValueError, AttributeError):
        return {}


def _is_there(path: Path, count: int | str | None) -> bool:
    """Of a tar, there is a folder of its name, with its photos."""
    return path.is_dir() if is_tar(path.name) else path.is_file() and count in (None, path.stat().st_size)


def _fetch(store: Store, names: list[str], folder: Path, limit: int) -> None:
    """Several at a time, each whole or not at all."""
    with (
        tempfile.TemporaryDirectory(prefix=".part-", dir=folder.parent) as parts,
        ThreadPoolExecutor(SIDE_BY_SIDE) as pool,
    ):

        def fetch(numbered: tuple[int, str]) -> None:
            part, path = Path(parts, str(numbered[0])), folder / numbered[1]
            store.fetch(numbered[1], part, limit)
            if is_tar(path.name):
                unpacked = part.with_suffix(".photos")
                unpack_photos(part, unpacked, store.shown(numbered[1]))
                part.unlink()
                part = unpacked
            path.parent.mkdir(parents=True, exist_ok=True)
            part.replace(path)

        fetched: Iterator[None] = pool.map(fetch, enumerate(names))
        for _ in progress_bar(fetched, desc="copying", total=len(names), unit=" photos", leave=False):
            pass
