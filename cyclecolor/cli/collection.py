"""`cyclecolor translate` of what lies in object storage, or with an engine that has machines."""

import logging
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CycleColorError
from ..storage import Address, Location
from .destinations import folder_for
from .paths import found
from .progress import progress_bar
from .stopping import stoppable

if TYPE_CHECKING:
    from ..collection import Collection, WorkerPool
    from ..inference import Colorizer, Hint
    from ..translation import Options

DONE = ("translated", "skipped", "refused", "quarantined")

logger = logging.getLogger("cyclecolor")


def places(
    sources: Sequence[Location], output: Location | None, word: str, *, report: bool
) -> tuple[Location, Location]:
    """The one source and its output.

    Raises
    ------
    CycleColorError
        If there are several, an option is of no use here, or it is not said where outputs go.
    """
    from ..photos import is_tar

    paths = found(source for source in sources if isinstance(source, Path))
    all_sources: list[Location] = [*(source for source in sources if isinstance(source, Address)), *paths]
    if len(all_sources) > 1 or (paths and not (paths[0].is_dir() or is_tar(paths[0].name))):
        raise CycleColorError(
            "tars, addresses and --engine ray are for one folder, or one tar; name one", exit_code=2
        )
    if report:
        raise CycleColorError("--report is for photos in folders of this machine; leave it out", exit_code=2)
    source = all_sources[0]
    if isinstance(output, Address):
        return source, output
    if isinstance(source, Address):
        if output is None:
            raise CycleColorError(f"--output: say where outputs of {source.scheme}:// go", exit_code=2)
        return source, output
    return source, folder_for(source, output, word)


def is_of_tars(source: Location) -> bool:
    """Whether it is a path to a tar, or to a folder in which there are tars and no photos beside them."""
    from ..photos import holds_only_tars, is_tar

    if isinstance(source, Address):
        return False
    return holds_only_tars(source) if source.is_dir() else is_tar(source.name)


@dataclass(frozen=True)
class Ways:
    """How a collection is done, besides what decides on its outputs: options of the command."""

    engine: str
    workers: int | None
    device: str | None
    checkpoint: Path | None
    look: Mapping[str, Any]


def collection_of(
    ends: tuple[Location, Location],
    ways: Ways,
    colorizer: "Colorizer",
    settings: "Options",
    hints: "Mapping[str, Sequence[Hint]]",
) -> "Collection":
    """The job, and the engine that does it once there is something to do."""
    from ..checkpoint import open_checkpoint
    from ..collection import Collection, Threads, Work, Worker, scope_of

    if ways.engine == "ray":
        ends = _absolute(ends[0]), _absolute(ends[1])  # its workers are in folders of their own
    path, _ = open_checkpoint(ways.checkpoint)
    packed = path.name, path.read_bytes()
    work = Work(*ends, scope_of(settings.shard), settings, hints, ways.look, packed, ways.device)

    def pool() -> "WorkerPool":
        if ways.engine == "ray":
            from ..collection.ray_actors import RayActors

            return RayActors(work, ways.workers)
        return Threads(settings.workers, lambda name: Worker(work, name, colorizer))

    return Collection(work, lambda name: settings.digest(colorizer, hints.get(name, ())), pool)


def _absolute(place: Location) -> Location:
    return place.absolute() if isinstance(place, Path) else place


def do_collection(collection: "Collection") -> int:
    """Run it, say what became of its photos, and return the exit code."""
    counts, members = Counter[str](), Counter[str]()
    with stoppable() as stopped, progress_bar(unit=" photos") as bar:
        for record in collection.run(stopped):
            kind = members if "member" in record else counts
            kind[record["status"]] += record["status"] != "started"
            bar.total = collection.total - collection.settled.total() + members.total()
            bar.update(record["status"] != "started")
            if record["status"] in ("refused", "quarantined"):
                bar.write(f"{record['status']}: {record['reason']}", file=sys.stderr)
    _say(collection, counts, members)
    if left := collection.total - collection.settled.total() - counts.total():
        logger.info("stopped with %s photos to go; the same command continues from here", left)
    settled = collection.settled
    bad = counts["refused"] + counts["quarantined"] + settled["refused"] + settled["quarantined"]
    bad += members["refused"] + collection.refused_members
    return stopped() or (1 if bad else 0)


def _say(collection: "Collection", counts: Counter[str], members: Counter[str]) -> None:
    settled = collection.settled
    passed_over = counts["passed over"] + settled["passed over"]
    for kind, count in (collection.passed_over + Counter({"that are no photos": passed_over})).most_common():
        logger.info("passed over: %s %s", count, kind)
    if members:
        logger.info("in tars: %s", ", ".join(f"{count} {status}" for status, count in members.most_common()))
    if collection.refused_members:
        logger.info("in tars, earlier: %s refused", collection.refused_members)
    counts = counts + Counter(skipped=settled["translated"])
    counts += Counter({status: settled[status] for status in ("refused", "quarantined")})
    logger.info("%s: %s", ", ".join(f"{counts[word]} {word}" for word in DONE), collection.output.shown())
