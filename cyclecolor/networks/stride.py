"""How much smaller than its input the output of a generator is."""

from torch import nn


def stride_of(generator: nn.Module) -> int:
    """Pixels of the input, along a side, for one of the output."""
    stride = generator.stride
    assert isinstance(stride, int)
    return stride
