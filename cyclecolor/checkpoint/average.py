"""The mean of the last checkpoints of a run."""

from dataclasses import replace
from pathlib import Path

import torch

from ..errors import CycleColorError
from .format import Checkpoint, read_checkpoint


def average_checkpoint(run_dir: Path, count: int) -> Checkpoint:
    """The newest checkpoint of a run, its averaged generators being the mean of those of the newest `count`.

    Where photos are few, each of a run's checkpoints is wrong in a way of its own; their mean is nearer to
    the truth than any of them (weights along one training: Izmailov et al., 2018).

    Raises
    ------
    CycleColorError
        If `run_dir` is no folder of a run, has fewer checkpoints, or one of them is not whole.
    """
    paths = sorted(run_dir.glob("checkpoints/step_*.safetensors"))
    if len(paths) < count:
        raise CycleColorError(
            f"{run_dir}: {len(paths)} checkpoints here, and {count} are to be averaged; train with "
            f"--set keep={count}, or average fewer",
            exit_code=2,
        )
    checkpoints = [read_checkpoint(path) for path in paths[-count:]]
    newest = checkpoints[-1]
    means = {}
    for name, tensor in newest.tensors.items():
        if name.startswith("ema/") and tensor.is_floating_point():
            parts = torch.stack([checkpoint.tensors[name].double() for checkpoint in checkpoints])
            means[name] = parts.mean(dim=0).to(tensor.dtype)
    return replace(newest, tensors=newest.tensors | means)
