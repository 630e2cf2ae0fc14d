"""`ChromaColorizer`: a checkpoint that gives photos colors and keeps their lightness."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ..color import ColorSpace
from ..errors import CycleColorError
from ..networks import (
    FilmGenerator,
    FusionGenerator,
    GrayResidual,
    ResnetGenerator,
    stride_of,
)
from ..photos import Photo
from .colorizer import Colorizer, one_channel
from .guided import apply_lines, bounded, denoised, guided_lines, resized
from .hints import Hint, refuse_outside
from .painting import Palette, extremes, levels_of, paint, scaled_lightness
from .reference import Reference
from .spreading import described, shares

HINT_SIDE = 192  # pixels: short side of the copy on which hints are spread, if the network's is smaller

STRONG = 25.0  # chroma from which on colors are emphasized
MOST = 2.0  # times as strong; beyond, emphasis grows no more


class ChromaColorizer(Colorizer):
    """Colors gray photos, or makes color photos look like the gray pile, at full size.

    Chroma is predicted on a small copy, brought to full size along the edges of the lightness, and
    joined with the photo's own lightness. Parameters are those of `Colorizer`.
    """

    space: ColorSpace
    # Training enlarges crops by as much, and a network sees best at the size at which it learned.
    enlarges = 1.5

    def colorize(self, photo: Photo, hints: Sequence[Hint] = (), reference: Reference | None = None) -> Photo:
        """Color a photo: RGB of the same size and depth, lightness kept to half a level."""
        pixels = one_channel(photo.pixels)
        small = scaled_lightness(self._shrunk(pixels), self.space).to(self.device)
        lines = self.lines(small)
        if reference:
            lines = self._referenced(reference, lines, small)
        if hints:
            refuse_outside(hints, *pixels.shape[:2])
            lines = self._hinted(lines, small, pixels, hints)
        at_places = lines[0].movedim(0, -1).cpu().numpy()
        return replace(photo, pixels=paint(pixels, at_places, self.space, self._palette))

    def study(self, photo: Photo) -> Reference:
        """Look at a color photo, for the colors of others to follow its own."""
        if one_channel(photo.pixels).shape[2] == 1:
            raise CycleColorError("a reference needs colors, and this photo is gray", exit_code=2)
        pixels = self._shrunk(photo.pixels)
        samples = torch.from_numpy(pixels.astype(np.float32) / levels_of(pixels))
        small, chroma = self.space.split(samples.permute(2, 0, 1)[None])
        lines = self.lines(small.to(self.device))
        size = lines.shape[-2:]
        changes = resized(chroma - apply_lines(lines.cpu(), small), size)
        digest = hashlib.sha256(photo.pixels.tobytes()).hexdigest()
        return Reference.of(resized(small, size), self._features(small, size), changes, digest)

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

        A network that learned by differences says the middle of what may be. Where it does not know, that is
        the tint of photos in general, which is in the photo's mean: `balance` is the share of the mean that
        is taken away. Where it is sure of the hue, it is paler than photos are: strong colors are multiplied
        by (chroma / `STRONG`) to the power of `emphasis`; pale ones, of which it is less sure, are not.
        """
        balance, emphasis = self.experiment.balance, self.experiment.emphasis
        chroma = chroma - balance * chroma.mean(dim=(2, 3), keepdim=True)
        strength = self.space.units(chroma).norm(dim=1, keepdim=True) / STRONG
        return chroma * self.saturation * strength.clamp(1, MOST) ** emphasis

    @torch.inference_mode()
    def _referenced(self, reference: Reference, lines: Tensor, small: Tensor) -> Tensor:
        """Lines of the network's copy, changed such that colors follow those of another photo."""
        small, size = small.cpu(), lines.shape[-2:]
        change = reference.change(resized(small, size), self._features(small, size))
        return lines.cpu() + guided_lines(change, small)

    @torch.inference_mode()
    def _features(self, small: Tensor, size: tuple[int, ...]) -> Tensor:
        """Features (1, C, h, w) of the network's copy, at the size of what the network makes."""
        G_color = self.generators["G_color"]
        assert isinstance(G_color, FusionGenerator | ResnetGenerator)
        seen = (denoised(small) if self.denoise else small).to(self.device)
        return G_color.features(seen)[..., : size[0], : size[1]].cpu()  # without what was padded

    @torch.inference_mode()
    def _hinted(self, lines: Tensor, small: Tensor, pixels: np.ndarray, hints: Sequence[Hint]) -> Tensor:
        """Lines of the network's copy to those of a copy that shows where the hints are, changed by them."""
        lightness = scaled_lightness(self._shrunk(pixels, max(1.0, HINT_SIDE / self.size)), self.space)
        size = lightness.shape[-2:]
        features = resized(self._features(small, lines.shape[-2:]), size)
        lines = resized(lines.cpu(), size)
        scale = [copy / whole for copy, whole in zip(size, pixels.shape[:2], strict=True)]
        places = torch.tensor([int(h.y * scale[0]) * size[1] + int(h.x * scale[1]) for h in hints])
        colors = torch.tensor([hint.rgb for hint in hints]).T.view(1, 3, 1, -1) / 255
        wished = self.space.split(colors)[1][0, :, 0]
        before = apply_lines(lines, lightness)
        described_pixels = described(lightness, features)
        share = shares(described_pixels[:, places], described_pixels).view(-1, *size)
        # To a mean of what is wished and what was there.
        change = torch.einsum("cn,nhw->chw", wished, share) - before * share.sum(dim=0)
        strongest = wished.norm(dim=0).max().maximum(before.norm(dim=1, keepdim=True))
        lines = lines + guided_lines(change, lightness)
        return bounded(lines, extremes(pixels, size, self.space), strongest)

    @cached_property
    def _palette(self) -> Palette:
        return Palette(self.space)

    def _rgb(self, photo: Photo) -> Tensor:
        samples = torch.from_numpy(photo.pixels.astype(np.float32) / levels_of(photo.pixels))
        return samples.permute(2, 0, 1)[None].expand(-1, 3, -1, -1).to(self.device)
