"""`ChromaColorizer`: a checkpoint that gives photos colors and keeps their lightness."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ..color import ColorSpace
from ..networks import (
    FilmGenerator,
    FusionGenerator,
    GrayResidual,
    ResnetGenerator,
    stride_of,
)
from ..photos import Photo
from .colorizer import Colorizer, one_channel
from .guided import apply_lines, denoised, guided_lines, resized
from .hints import Hint, refuse_outside
from .painting import Palette, levels_of, paint, scaled_lightness
from .spreading import described, spread_change

HINT_SIDE = 192  # pixels: short side of the copy on which hints are spread, if the network's is smaller

STRONG = 25.0  # chroma from which on colors are emphasized
MOST = 2.0  # times as strong; beyond, emphasis grows no more


class ChromaColorizer(Colorizer):
    """Colors gray photos, or makes color photos look like the gray pile, at full size.

    Chroma is predicted on a small copy, brought to full size along the edges of the lightness, and
    joined with the photo's own lightness. Parameters are those of `Colorizer`.
    """

    space: ColorSpace

    def colorize(self, photo: Photo, hints: Sequence[Hint] = ()) -> Photo:
        """Color a photo: RGB of the same size and depth, lightness kept to half a level."""
        pixels = one_channel(photo.pixels)
        small = scaled_lightness(self._shrunk(pixels), self.space).to(self.device)
        lines = self.lines(small)
        if hints:
            refuse_outside(hints, *pixels.shape[:2])
            lines = self._hinted(lines, small, pixels, hints)
        at_places = lines[0].movedim(0, -1).cpu().numpy()
        return replace(photo, pixels=paint(pixels, at_places, self.space, self._palette))

    def to_gray(self, photo: Photo) -> Photo:
        """Make a color photo look like the gray pile: one channel, same size and depth."""
        image = self.space.color(self._rgb(photo))
        small = resized(image, self._sides(image.shape[-2:], stride=1))
        G_gray = self.generators["G_gray"]
        assert isinstance(G_gray, GrayResidual | FilmGenerator)
        with torch.inference_mode():
            gray = G_gray.full_size(image, small)
        gray = self.space.merge(gray, torch.zeros_like(image[:, 1:]))
        samples = (gray[:, 1:2] * levels_of(photo.pixels)).round()[0].movedim(0, -1).cpu().numpy()
        return replace(photo, pixels=np.ascontiguousarray(samples.astype(photo.pixels.dtype)))

    def colorize_lightness(self, lightness: Tensor) -> Tensor:
        """Scaled lightness (N, 1, H, W) to sRGB (N, 3, H, W) in [0, 1]."""
        return self.space.merge(lightness, self.chroma(lightness))

    def chroma(self, lightness: Tensor) -> Tensor:
        """Scaled lightness (N, 1, H, W) to scaled chroma (N, 2, H, W)."""
        sides = self._sides(lightness.shape[-2:], stride=stride_of(self.generators["G_color"]))
        return apply_lines(self.lines(resized(lightness, sides)), lightness)

    def opinion(self, lightness: Tensor) -> Tensor:
        """Chroma (N, 2, h, w) in units of the space, at the size that `G_color` makes."""
        return self.space.units(self.generators["G_color"](lightness))

    @torch.inference_mode()
    def lines(self, small: Tensor) -> Tensor:
        """The network's copy, scaled lightness (N, 1, h, w), to chroma as `guided_lines` of lightness."""
        generator = self.generators["G_color"]
        seen = denoised(small) if self.denoise else small
        chroma = generator(seen)
        if self.flip_average:
            chroma = (chroma + generator(seen.flip(-1)).flip(-1)) / 2
        return guided_lines(self.shown(chroma), small)

    def shown(self, chroma: Tensor) -> Tensor:
        """What a network says, scaled chroma (N, 2, h, w), as it is to be shown.

        A network that learned by differences says the middle of what may be, and so is paler than photos are
        where it is sure of the hue. Strong colors are multiplied by (chroma / `STRONG`) to the power of
        `emphasis`; pale ones, of which it is less sure, stay as they are.
        """
        strength = self.space.units(chroma).norm(dim=1, keepdim=True) / STRONG
        return chroma * self.saturation * strength.clamp(1, MOST) ** self.experiment.emphasis

    @torch.inference_mode()
    def _hinted(self, lines: Tensor, small: Tensor, pixels: np.ndarray, hints: Sequence[Hint]) -> Tensor:
        """Lines of the network's copy to those of a copy that shows where the hints are, changed by them."""
        lightness = scaled_lightness(self._shrunk(pixels, max(1.0, HINT_SIDE / self.size)), self.space)
        size = lightness.shape[-2:]
        G_color = self.generators["G_color"]
        assert isinstance(G_color, FusionGenerator | ResnetGenerator)
        features = G_color.features(denoised(small) if self.denoise else small)
        features = features[..., : lines.shape[-2], : lines.shape[-1]]  # without what was padded
        lines, features = resized(lines.cpu(), size), resized(features.cpu(), size)
        scale = [copy / whole for copy, whole in zip(size, pixels.shape[:2], strict=True)]
        places = torch.tensor([int(h.y * scale[0]) * size[1] + int(h.x * scale[1]) for h in hints])
        colors = torch.tensor([hint.rgb for hint in hints]).T.view(1, 3, 1, -1) / 255
        wished = self.space.split(colors)[1][0, :, 0]
        changes = wished - apply_lines(lines, lightness)[0].flatten(1)[:, places]
        change = spread_change(changes, places, described(lightness, features))
        return lines + guided_lines(change.view(1, 2, *size), lightness)

    @cached_property
    def _palette(self) -> Palette:
        return Palette(self.space)

    def _rgb(self, photo: Photo) -> Tensor:
        samples = torch.from_numpy(photo.pixels.astype(np.float32) / levels_of(photo.pixels))
        return samples.permute(2, 0, 1)[None].expand(-1, 3, -1, -1).to(self.device)
