"""The small file for release: a checkpoint's averaged generators alone, in half precision."""

from pathlib import Path

from torch import Tensor

from .format import Checkpoint, save_checkpoint


def export_checkpoint(checkpoint: Checkpoint, path: Path, **look: float | None) -> None:
    """Write the averaged generators alone, in half precision: what translation needs.

    `working_size`, `saturation`, `emphasis` and `balance`, where given, take the place of the experiment's.

    Of what was trained on or started from, names are kept: where it lies is its owner's affair.
    """
    tensors = {f"ema/{name}": _half(t) for name, t in checkpoint.below("ema").items()}
    data = checkpoint.experiment.data
    names = {key: Path(value).name for key in ("root", "gray", "color") if (value := getattr(data, key))}
    changes: dict[str, object] = {"data": data.model_copy(update=names)}
    changes |= {name: value for name, value in look.items() if value is not None}
    if checkpoint.experiment.init:
        changes["init"] = Path(checkpoint.experiment.init).name
    changes["teachers"] = tuple(Path(teacher).name for teacher in checkpoint.experiment.teachers)
    experiment = checkpoint.experiment.model_copy(update=changes)
    save_checkpoint(Checkpoint(experiment, checkpoint.step, checkpoint.data, tensors), path)


def _half(tensor: Tensor) -> Tensor:
    return tensor.half() if tensor.is_floating_point() else tensor
