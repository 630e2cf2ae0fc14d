"""What a generator asks of an encoder, whatever its blocks are."""

from typing import NamedTuple

from torch import nn


class Encoder(NamedTuple):
    """A network that turns an image into ever smaller maps, in parts.

    Attributes
    ----------
    stem : nn.Sequential
        A convolution, its batch norm, and what follows, from an image to a map of half its size.
    stages : nn.ModuleList
        Each from the map before to one of half its size: a quarter of the image, an eighth, ... Sides of
        the image divide by 2 ** (1 + len(stages)).
    channels : tuple of int
        Of the stem's map, then of each stage's.
    """

    stem: nn.Sequential
    stages: nn.ModuleList
    channels: tuple[int, ...]
