"""Seeds of all random numbers of a run: each a function of the run's seed, a stream and a position in it."""

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What random numbers are for: no two share any. A run's numbers hang on these values."""

    GRAY = 0
    COLOR = 1
    FILM = 2
    STEP = 3
    BEFORE = 4  # the first step: 0 is what is drawn of the piles, 1 what a film is matched with
    TONES = 5
    ON_FILM = 6  # whether a film shows a photo


def mixed_seed(seed: int, stream: Stream, position: int) -> int:
    """64 bits that hang on all bits of all three.

    So do the low 32 alone, which are all that PyTorch's generator on CPU and albumentations take.

    Parameters
    ----------
    seed : int
        Of the run, not negative.
    stream : Stream
    position : int
        Not negative: of a photo, a batch or a sample.
    """
    return int(np.random.SeedSequence((seed, stream, position)).generate_state(1, np.uint64)[0])
