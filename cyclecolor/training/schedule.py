"""The learning rate over a run."""

from collections.abc import Iterable

from torch.optim import Optimizer


def rate_scale(progress: float, decay_from: float) -> float:
    """Learning rate as a share of its start, for progress in [0, 1]: flat, then a line to 0."""
    return 1.0 if progress < decay_from else (1 - progress) / max(1 - decay_from, 1e-9)


def set_rates(optimizers: Iterable[Optimizer], scale: float) -> None:
    """Set every learning rate to `scale` times the one that it starts from."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * scale
