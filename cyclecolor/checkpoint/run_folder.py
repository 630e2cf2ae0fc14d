"""The checkpoints of a run on disk: the newest whole one, and which of them stay.

Which is newest and which is best is found by looking at the files, never kept in a pointer.
"""

from contextlib import suppress
from pathlib import Path

from ..errors import CycleColorError
from .format import Checkpoint, read_score
from .opening import newest_whole


def checkpoint_path(run_dir: Path, step: int) -> Path:
    """Where the checkpoint of a step is kept."""
    return Path(run_dir) / "checkpoints" / f"step_{step:08d}.safetensors"


def checkpoints_in(run_dir: Path) -> list[Path]:
    """The checkpoints of a run, oldest first."""
    return sorted((Path(run_dir) / "checkpoints").glob("step_*.safetensors"))


def newest_of(run_dir: Path) -> Checkpoint | None:
    """The newest checkpoint that is whole; those found damaged are renamed, not deleted.

    Raises
    ------
    CycleColorError
        If there are checkpoints but none is whole. Nothing is touched then.
    """
    paths = checkpoints_in(run_dir)
    if not paths:
        return None
    found = newest_whole(paths)
    if not found:
        raise CycleColorError(f"{run_dir}: all checkpoints are damaged; start over with --fresh")
    path, checkpoint = found
    for damaged in paths[paths.index(path) + 1 :]:
        with suppress(OSError):
            damaged.rename(f"{damaged}.damaged")
    return checkpoint


def best_of(run_dir: Path) -> Path | None:
    """The checkpoint of the lowest score; none if none was scored."""
    scored = {p: score for p in checkpoints_in(run_dir) if (score := read_score(p)) is not None}
    return min(scored, key=scored.__getitem__, default=None)


def drop_old(run_dir: Path, keep: int) -> None:
    """Delete all but the newest `keep` checkpoints and the best. Call it once a new one is safe."""
    best = best_of(run_dir)
    for old in checkpoints_in(run_dir)[:-keep]:
        if old != best:
            old.unlink(missing_ok=True)


def drop_temporaries(run_dir: Path) -> None:
    """Delete the half-written files that a killed training left."""
    for folder in (Path(run_dir), Path(run_dir) / "checkpoints"):
        for temporary in folder.glob(".cyclecolor-*.tmp"):
            with suppress(OSError):
                temporary.unlink()
