"""The checkpoint that all processes of a run go on from."""

from pathlib import Path

from ..checkpoint import Checkpoint, checkpoint_path, drop_temporaries, newest_of, read_checkpoint
from ..distributed import broadcast, is_first


def newest_for_all(run_dir: Path) -> Checkpoint | None:
    """The newest whole one of a run: process 0 finds it, the others read the same; None of a new run."""
    checkpoint = None
    if is_first():
        drop_temporaries(run_dir)
        checkpoint = newest_of(run_dir)
    step = broadcast(checkpoint.step if checkpoint else -1)
    if step >= 0 and not is_first():
        checkpoint = read_checkpoint(checkpoint_path(run_dir, step))
    return checkpoint
