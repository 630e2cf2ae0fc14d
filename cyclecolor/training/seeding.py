"""Random numbers of a step."""

import torch


def seed_step(seed: int, step: int) -> None:
    """Make every random number of a step a function of (seed, step)."""
    torch.manual_seed((seed << 32) + step)
