"""Random numbers of a step, and of what comes before the first."""

import torch

from ..data.seeds import Stream, mixed_seed


def seed_step(seed: int, step: int) -> None:
    """Make every random number of a step, on every device, a function of (seed, step)."""
    torch.manual_seed(mixed_seed(seed, Stream.STEP, step))


def seed_start(seed: int) -> None:
    """Likewise, for what comes before the first step."""
    torch.manual_seed(mixed_seed(seed, Stream.BEFORE, 0))
