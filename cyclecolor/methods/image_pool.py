"""A history of generated images (Shrivastava et al., 2017)."""

import torch
from torch import Tensor

from ..distributed import all_gather, local_part


class ImagePool:
    """Mixes past fakes among the fresh ones that a discriminator is shown.

    Until `size` images are held, fresh ones are kept and returned. Then each fresh image is, with
    probability one half, exchanged for a random one of the past. Draws from torch's global generators.
    Processes that work on one batch hold the same pool: each sees all fakes and returns its part.

    Attributes
    ----------
    images : Tensor or None
        (count, C, H, W), what is held.
    """

    def __init__(self, size: int):
        self.size = size
        self.images: Tensor | None = None

    @property
    def full(self) -> bool:
        """Whether all that is to come are exchanges, in place."""
        return not self.size or (self.images is not None and len(self.images) == self.size)

    def query(self, fresh: Tensor) -> Tensor:
        """(N, C, H, W) of fresh fakes to as many fakes, some from the past; no gradient."""
        fresh = fresh.detach().contiguous()  # one layout, whatever was restored
        if not self.size:
            return fresh
        fresh = all_gather(fresh)
        if self.full:
            return local_part(self._exchange(fresh))
        held = fresh[:0] if self.images is None else self.images
        room = self.size - len(held)
        self.images = torch.cat([held, fresh[:room]])
        return local_part(torch.cat([fresh[:room], self._exchange(fresh[room:])]))

    def _exchange(self, fresh: Tensor) -> Tensor:
        """Some of the fresh for some of the past; no two of them for the same, until all have been."""
        shown = []
        for some in fresh.split(self.size):
            slots = torch.rand(self.size, device=fresh.device).argsort()[: len(some)]
            swap = torch.rand(len(some), 1, 1, 1, device=fresh.device) < 0.5
            assert self.images is not None
            past = self.images[slots]
            self.images[slots] = torch.where(swap, some, past)
            shown.append(torch.where(swap, past, some))
        return torch.cat(shown)
