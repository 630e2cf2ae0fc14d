"""A history of generated images (Shrivastava et al., 2017)."""

import torch
from torch import Tensor

from ..share import own, whole


class ImagePool:
    """Mixes past fakes among the fresh ones that a discriminator is shown.

    Until `size` images are held, fresh ones are kept and returned. Then each fresh image is, with
    probability one half, exchanged for a random one of the past. Draws from torch's global generator.
    Processes that share a batch hold the same pool: each sees all fakes and returns its share.

    Attributes
    ----------
    images : Tensor or None
        (count, C, H, W), what is held.
    """

    def __init__(self, size: int):
        self.size = size
        self.images: Tensor | None = None

    def query(self, fresh: Tensor) -> Tensor:
        """(N, C, H, W) of fresh fakes to as many fakes, some from the past; no gradient."""
        fresh = fresh.detach().contiguous()  # one layout, whatever was restored
        return own(torch.stack([self._exchange(image) for image in whole(fresh)])) if self.size else fresh

    def _exchange(self, image: Tensor) -> Tensor:
        if self.images is None:
            self.images = image.new_empty((0, *image.shape))
        if len(self.images) < self.size:
            self.images = torch.cat([self.images, image[None]])
            return image
        swap, index = torch.rand(()).item(), int(torch.randint(self.size, ()))
        if swap < 0.5:
            return image
        past = self.images[index].clone()
        self.images[index] = image
        return past
