"""`Colorizer`: a checkpoint that translates photos."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..checkpoint import Checkpoint, open_checkpoint
from ..color import SPACES
from ..errors import CycleColorError
from ..methods import build_generator
from ..networks import FilmGenerator
from ..photos import Photo, decode_image, encode_image
from .guided import apply_lines, denoised, guided_lines, resized
from .painting import Palette, levels_of, paint, scaled_lightness

LONGEST = 8.0  # long side of the network's copy over its short side, before it is shrunk further
BAND = 64  # rows looked at together
DOUBT_SCALES = (0.75, 1.0, 1.5)  # of the network's copy, whose opinions are compared


class Colorizer:
    """Colours gray photos, or makes colour photos look like the gray pile, at full size.

    Chroma is predicted on a small copy, brought to full size along the edges of the lightness, and
    joined with the photo's own lightness.

    Parameters
    ----------
    checkpoint : Checkpoint
        A training checkpoint or an exported one.
    size : int, optional
        Short side, in pixels, of the copy that the network sees; by default that of training.
    vividness : float
        Factor of all chroma; 1 is what the network says.
    denoise : bool
        Take grain away from the network's copy; the photo's own lightness keeps it.
    flip_average : bool
        Mean of the colors of the photo and of its mirror image: steadier, at twice the network's time.
    name : str
        What to call the checkpoint where colors say where they come from.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        size: int | None = None,
        vividness: float = 1.0,
        denoise: bool = False,
        flip_average: bool = False,
        name: str = "",
    ):
        self.name = name
        self.experiment = checkpoint.experiment
        self.space = SPACES[self.experiment.space]
        self.size = size or self.experiment.data.size
        self.vividness = vividness
        self.denoise = denoise
        self.flip_average = flip_average
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.generators = {
            name: self._generator(name, checkpoint)
            for name in ("G_color", "G_gray")
            if checkpoint.averaged(name)
        }

    @property
    def film(self) -> dict[str, float]:
        """What `G_gray` has learned of the gray pile's film, by name; empty if it is no film."""
        G_gray = self.generators.get("G_gray")
        return G_gray.describe() if isinstance(G_gray, FilmGenerator) else {}

    def __call__(self, image: Image.Image) -> Image.Image:
        """Colour a PIL image of any mode; only its lightness is used."""
        return encode_image(self.colorize(decode_image(image)))

    @property
    def settings(self) -> dict:
        """All that decides on the colors of a photo."""
        names = ("size", "vividness", "denoise", "flip_average")
        return {"checkpoint": self.name, **{name: getattr(self, name) for name in names}}

    def converter(self, direction: str) -> Callable[[Photo], Photo]:
        """`colorize` for `to-color`, `to_gray` for `to-gray`.

        Raises
        ------
        CycleColorError
            If the checkpoint's method learned no such direction.
        """
        name = {"to-color": "G_color", "to-gray": "G_gray"}[direction]
        if name not in self.generators:
            raise CycleColorError(
                f"this checkpoint ({self.experiment.method}) has no {name}; "
                f"--direction {direction} needs one trained with method cyclegan",
                exit_code=2,
            )
        return self.colorize if direction == "to-color" else self.to_gray

    def colorize(self, photo: Photo) -> Photo:
        """Colour a photo: RGB of the same size and depth, lightness kept to half a level."""
        pixels = _neutral(photo.pixels)
        small = scaled_lightness(self._shrunk(pixels), self.space)
        lines = self.lines(small.to(self.device))[0].movedim(0, -1).cpu().numpy()
        return replace(photo, pixels=paint(pixels, lines, self.space, self._palette))

    @torch.inference_mode()
    def doubt(self, photo: Photo) -> np.ndarray:
        """Where the network is unsure: how far its chroma spreads over mirror images and sizes.

        Returns
        -------
        array
            (h, w) float32, standard deviation in units of the colour space, at a quarter of what the
            network sees or so.
        """
        pixels, generator = _neutral(photo.pixels), self.generators["G_color"]
        opinions = []
        for scale in DOUBT_SCALES:
            small = scaled_lightness(self._shrunk(pixels, scale), self.space).to(self.device)
            for mirror in (lambda image: image, lambda image: image.flip(-1)):
                opinions.append(mirror(generator(mirror(small))))
        size = opinions[2].shape[-2:]  # the first of scale 1
        spread = torch.stack([resized(opinion, size) for opinion in opinions]).std(dim=0, correction=0)
        return self.space.units(spread)[0].norm(dim=0).cpu().numpy()

    def to_gray(self, photo: Photo) -> Photo:
        """Make a colour photo look like the gray pile: one channel, same size and depth."""
        image = torch.cat(self.space.split(self._rgb(photo)), dim=1)
        small = resized(image, self._sides(image.shape[-2:], stride=1))
        with torch.inference_mode():
            gray = self.generators["G_gray"].full_size(image, small)
        gray = self.space.merge(gray, torch.zeros_like(image[:, 1:]))
        samples = (gray[:, 1:2] * levels_of(photo.pixels)).round()[0].movedim(0, -1).cpu().numpy()
        return replace(photo, pixels=np.ascontiguousarray(samples.astype(photo.pixels.dtype)))

    def colorize_lightness(self, lightness: Tensor) -> Tensor:
        """Scaled lightness (N, 1, H, W) to sRGB (N, 3, H, W) in [0, 1]."""
        return self.space.merge(lightness, self.chroma(lightness))

    def chroma(self, lightness: Tensor) -> Tensor:
        """Scaled lightness (N, 1, H, W) to scaled chroma (N, 2, H, W)."""
        sides = self._sides(lightness.shape[-2:], stride=self.generators["G_color"].stride)
        return apply_lines(self.lines(resized(lightness, sides)), lightness)

    @torch.inference_mode()
    def lines(self, small: Tensor) -> Tensor:
        """The network's copy, scaled lightness (N, 1, h, w), to chroma as `guided_lines` of lightness."""
        generator = self.generators["G_color"]
        seen = denoised(small) if self.denoise else small
        chroma = generator(seen)
        if self.flip_average:
            chroma = (chroma + generator(seen.flip(-1)).flip(-1)) / 2
        return guided_lines(chroma * self.vividness, small)

    @cached_property
    def _palette(self) -> Palette:
        return Palette(self.space)

    def _generator(self, name: str, checkpoint: Checkpoint) -> torch.nn.Module:
        options = getattr(self.experiment, name).model_copy(update={"pretrained": False})
        generator = build_generator(name, self.experiment.model_copy(update={name: options}))
        try:
            generator.load_state_dict(checkpoint.averaged(name))
        except RuntimeError:
            raise CycleColorError(f"the checkpoint's {name} does not fit its own settings") from None
        # Channels last: a fifth faster on CPU.
        return generator.eval().to(self.device, memory_format=torch.channels_last)

    def _sides(self, size: tuple[int, int], *, stride: int, scale: float = 1.0) -> tuple[int, int]:
        """Height and width of the copy that a network sees: aspect kept, multiples of its stride.

        The short side is `scale` times `self.size`, but no photo is enlarged, and very long ones are
        shrunk further.
        """
        short, area = self.size * scale, size[0] * size[1]
        scale = min(1.0, short / min(size), short * math.sqrt(LONGEST / area))
        height, width = (max(stride, round(side * scale / stride) * stride) for side in size)
        return height, width

    def _shrunk(self, pixels: np.ndarray, scale: float = 1.0) -> np.ndarray:
        """(H, W, 1 or 3) pixels at the size that `G_color` sees, or `scale` times that."""
        sides = self._sides(pixels.shape[:2], stride=self.generators["G_color"].stride, scale=scale)
        # Halving is the one factor that is vectorized, and 5 times as fast; an odd last row may go.
        while min(pixels.shape[:2]) > 4 * min(sides):
            height, width = (side // 2 for side in pixels.shape[:2])
            whole = pixels[: 2 * height, : 2 * width]
            pixels = cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
        shrinks = sides[0] <= pixels.shape[0] and sides[1] <= pixels.shape[1]
        # Area averaging shrinks without aliasing; it must not be asked to enlarge.
        way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return cv2.resize(pixels, sides[::-1], interpolation=way).reshape(*sides, -1)

    def _rgb(self, photo: Photo) -> Tensor:
        samples = torch.from_numpy(photo.pixels.astype(np.float32) / levels_of(photo.pixels))
        return samples.permute(2, 0, 1)[None].expand(-1, 3, -1, -1).to(self.device)


def load(checkpoint: str | Path | None = None, **options) -> Colorizer:
    """Load a `Colorizer` from a checkpoint file or a run's newest whole one; by default the released one.

    Options are those of `Colorizer`.

    Raises
    ------
    CycleColorError
        If there is no such checkpoint, or none that is whole.
    """
    path, loaded = open_checkpoint(None if checkpoint is None else Path(checkpoint))
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Colorizer(loaded, name=f"{path.name} sha256:{digest}", **options)


def _neutral(pixels: np.ndarray) -> np.ndarray:
    """One channel of a photo stored as RGB whose channels are all alike; others as they are."""
    if pixels.shape[2] == 1:
        return pixels
    for top in range(0, len(pixels), BAND):
        band = pixels[top : top + BAND]
        if (band[..., :1] != band[..., 1:]).any():
            return pixels
    return np.ascontiguousarray(pixels[..., :1])
