"""Large images a piece at a time, so that what is in between stays in the processor's cache."""

from collections.abc import Callable
from functools import wraps

import torch
from torch import Tensor

BLOCK_PIXELS = 2**16


def by_blocks(convert: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Make a conversion of pixels, (N, C, H, W) to (N, D, H, W), work a piece at a time.

    On CPU, and where no gradient is asked for; elsewhere it is left as it is.
    """

    @wraps(convert)
    def piecewise(image: Tensor) -> Tensor:
        pixels = image.shape[0] * image.shape[2] * image.shape[3]
        asked = torch.is_grad_enabled() and image.requires_grad
        if image.device.type != "cpu" or asked or pixels <= BLOCK_PIXELS:
            return convert(image)
        rows, output = max(1, BLOCK_PIXELS // image.shape[3]), None
        for index in range(image.shape[0]):
            for top in range(0, image.shape[2], rows):
                piece = (slice(index, index + 1), slice(None), slice(top, top + rows))
                converted = convert(image[piece])
                if output is None:
                    output = converted.new_empty(image.shape[0], converted.shape[1], *image.shape[2:])
                output[piece] = converted
        assert output is not None  # there are pixels
        return output

    return piecewise
