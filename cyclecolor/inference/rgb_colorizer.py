"""`RGBColorizer`: a checkpoint that makes whole photos anew, lightness included."""

import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..color import SPACES, RGBSpace, rgb_to_lab
from ..errors import CycleColorError
from ..photos import Photo
from .colorizer import Colorizer
from .guided import denoised, resized
from .hints import Hint
from .painting import levels_of, scaled_lightness
from .reference import Reference

MOST_PIXELS = 1 << 20  # of the network's copy: 1.1 GB for a generator of the paper


class RGBColorizer(Colorizer):
    """Translates photos with generators from RGB to RGB: the paper's, and imported ones.

    Unlike a `ChromaColorizer`, it does not keep lightness: outputs are the network's own images. They are
    made at the size of the network's copy, which no setting takes above a megapixel, and enlarged to the
    photo's: detail that the copy does not hold is lost. Parameters are those of `Colorizer`.
    """

    space: RGBSpace

    def colorize(self, photo: Photo, hints: Sequence[Hint] = (), reference: Reference | None = None) -> Photo:
        """Make a color photo of a gray one, of which only the lightness is used; same size and depth.

        Raises
        ------
        CycleColorError
            If there are hints or a reference: these networks give no features to spread them by.
        """
        if hints or reference:
            raise CycleColorError(
                "hints and references are for checkpoints that keep lightness; leave them out", exit_code=2
            )
        small = scaled_lightness(self._shrunk(photo.pixels), self.space)
        return _enlarged(self._repainted(small.to(self.device)), photo)

    def study(self, photo: Photo) -> Reference:
        """It cannot: these networks give no features to find what is alike by."""
        raise CycleColorError("a reference is for checkpoints that keep lightness; leave it out", exit_code=2)

    @torch.inference_mode()
    def to_gray(self, photo: Photo) -> Photo:
        """The lightness of what `G_gray` makes of a photo: one channel, same size and depth."""
        small = self._shrunk(photo.pixels, generator="G_gray").astype(np.float32) / levels_of(photo.pixels)
        rgb = torch.from_numpy(small).permute(2, 0, 1)[None].expand(-1, 3, -1, -1).to(self.device)
        made = self.space.rgb(self.generators["G_gray"](self.space.color(rgb)))
        return _enlarged(self.space.rgb(self.space.gray(made))[:, :1], photo)

    def colorize_lightness(self, lightness: Tensor) -> Tensor:
        """Scaled lightness (N, 1, H, W) to sRGB (N, 3, H, W) in [0, 1], of a lightness of its own."""
        size = lightness.shape[-2:]
        made = self._repainted(resized(lightness, self._sides(size, stride=1)))
        if made.shape[-2:] == size:
            return made
        return F.interpolate(made, size=size, mode="bicubic").clamp(0, 1)

    def opinion(self, lightness: Tensor) -> Tensor:
        """Chroma (N, 2, h, w) in units of Lab."""
        return self.space.units(self.generators["G_color"](self.space.neutral(lightness)))

    @torch.inference_mode()
    def _repainted(self, small: Tensor) -> Tensor:
        """The network's copy, scaled lightness (N, 1, h, w), to sRGB (N, 3, h, w) in [0, 1]."""
        generator = self.generator("G_color")
        seen = self.space.neutral(denoised(small) if self.denoise else small)
        made = generator(seen)
        if self.flip_average:
            made = (made + generator(seen.flip(-1)).flip(-1)) / 2
        rgb = self.space.rgb(made)
        if self.saturation == 1:
            return rgb
        lightness, chroma = rgb_to_lab(rgb).split((1, 2), dim=1)
        return SPACES["lab"].fit_gamut(torch.cat([lightness, chroma * self.saturation], dim=1))

    def _sides(self, size: tuple[int, ...], *, stride: int, scale: float = 1.0) -> tuple[int, int]:
        height, width = super()._sides(size, stride=stride, scale=scale)
        shrink = max(1.0, math.sqrt(height * width / MOST_PIXELS))
        return max(1, int(height / shrink)), max(1, int(width / shrink))


def _enlarged(rgb: Tensor, photo: Photo) -> Photo:
    """An image (1, 1 or 3, h, w) in [0, 1] in the place of a photo's pixels, at their size and depth."""
    samples = (rgb[0] * levels_of(photo.pixels)).round().movedim(0, -1).cpu().numpy()
    height, width = photo.pixels.shape[:2]
    samples = np.ascontiguousarray(samples.astype(photo.pixels.dtype))
    pixels = cv2.resize(samples, (width, height), interpolation=cv2.INTER_CUBIC)
    return replace(photo, pixels=pixels.reshape(height, width, -1))
