"""Padding that lets a strided network take images of any size."""

import torch.nn.functional as F
from torch import Tensor


def pad_to_multiple(image: Tensor, multiple: int, *, least: int = 0) -> Tensor:
    """Repeat the right and bottom edge of (N, C, H, W) until both sides divide by `multiple`.

    Sides are at least `least`. The caller crops its output back.
    """
    height, width = image.shape[-2:]
    right = max(least - width, 0)
    bottom = max(least - height, 0)
    right += -(width + right) % multiple
    bottom += -(height + bottom) % multiple
    if not right and not bottom:
        return image
    return F.pad(image, (0, right, 0, bottom), mode="replicate")
