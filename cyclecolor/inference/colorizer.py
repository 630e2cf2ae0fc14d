"""`Colorizer`: what is common to all that translate photos with the generators of a checkpoint."""

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from ..checkpoint import Checkpoint
from ..errors import CycleColorError
from ..hardware import pick_device
from ..methods import METHODS
from ..networks import FilmGenerator, fold_norms, stride_of
from ..photos import Photo, decode_image, encode_image
from .guided import resized
from .hints import Hint
from .painting import scaled_lightness
from .pretrained import find_folder, save_folder
from .reference import Reference

LONGEST = 8.0  # long side of the network's copy over its short side, before it is shrunk further
BAND = 64  # rows looked at together
DOUBT_SCALES = (0.75, 1.0, 1.5)  # of the network's copy, whose opinions are compared


class Colorizer(ABC):
    """A checkpoint that translates photos; networks see a small copy of them.

    Parameters
    ----------
    checkpoint : Checkpoint
        A training checkpoint or an exported one.
    size : int, optional
        Short side, in pixels, of the copy that the network sees; by default that of training.
    saturation : float, optional
        Factor of all chroma, where 1 is what the network says; by default that of the experiment.
    denoise : bool
        Take strong grain away from the network's copy of a gray photo.
    flip_average : bool
        Mean of the colors of the photo and of its mirror image: steadier, at twice the network's time.
    device : torch.device, optional
        Where networks compute; by default a GPU, if there is one.
    name : str
        What to call the checkpoint where colors say where they come from.
    """

    enlarges = 1.0  # how many times at most a small photo is enlarged for the network

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        size: int | None = None,
        saturation: float | None = None,
        denoise: bool = False,
        flip_average: bool = False,
        device: torch.device | None = None,
        name: str = "",
    ):
        self.name = name
        averaged = {key: t for key, t in checkpoint.tensors.items() if key.startswith("ema/")}
        self.checkpoint = replace(checkpoint, tensors=averaged)
        self.experiment = checkpoint.experiment
        self.method = METHODS[self.experiment.method]
        self.space = self.method.color_space(self.experiment)
        self.size = size or self.experiment.working_size or self.experiment.data.size
        self.saturation = self.experiment.saturation if saturation is None else saturation
        self.denoise = denoise
        self.flip_average = flip_average
        self.device = device or pick_device()
        self.generators = {
            name: self._generator(name, checkpoint)
            for name in ("G_color", "G_gray")
            if checkpoint.averaged(name)
        }

    @classmethod
    def from_pretrained(
        cls, name: str | os.PathLike[str], *, revision: str | None = None, **options: Any
    ) -> "Colorizer":
        """Load a folder that `save_pretrained` wrote, or such a repository of the Hugging Face Hub.

        Parameters
        ----------
        name : str or path
            A folder, or `OWNER/NAME`.
        revision : str, optional
            The commit of the repository, 40 digits; nothing is downloaded without it.
        **options
            As of the class.

        Raises
        ------
        CycleColorError
            If there is none, the download fails, or it is no whole checkpoint.
        """
        from .loading import load  # which knows the classes below this one

        return load(find_folder(name, revision), **options)

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write model.safetensors, config.json and, if there is none, a model card (README.md).

        The first is what `cyclecolor export` writes, and holds all that is needed; the second says what it
        is to people and to the Hub.
        """
        save_folder(self.checkpoint, Path(folder))

    @abstractmethod
    def colorize(self, photo: Photo, hints: Sequence[Hint] = (), reference: Reference | None = None) -> Photo:
        """Color a photo, of which only the lightness is used: RGB of the same size and depth.

        Hints are colors that are known at places. The rest follows where it is near and alike. A reference is
        what `study` says of another photo: what is like something in it gets its colors.

        Raises
        ------
        PhotoError
            If a hint lies outside the photo.
        """

    @abstractmethod
    def study(self, photo: Photo) -> Reference:
        """Look at a color photo whose colors others are to follow.

        Raises
        ------
        CycleColorError
            If it is gray, or the checkpoint does not keep lightness.
        """

    @abstractmethod
    def to_gray(self, photo: Photo) -> Photo:
        """Make a color photo look like the gray pile: one channel, same size and depth."""

    @abstractmethod
    def colorize_lightness(self, lightness: Tensor) -> Tensor:
        """Scaled lightness (N, 1, H, W) to sRGB (N, 3, H, W) in [0, 1]."""

    @abstractmethod
    def opinion(self, lightness: Tensor) -> Tensor:
        """What `G_color` says of the scaled lightness (N, 1, h, w): chroma in units of the space."""

    @property
    def film(self) -> dict[str, float]:
        """The numbers of the film that `G_gray` has become; empty if it is no film."""
        G_gray = self.generators.get("G_gray")
        return G_gray.describe() if isinstance(G_gray, FilmGenerator) else {}

    def __call__(
        self, image: Image.Image, hints: Sequence[Hint | str] = (), reference: Image.Image | None = None
    ) -> Image.Image:
        """Color a PIL image of any mode, as `colorize` does; only its lightness is used.

        A hint may also be written as on the command line, `120,340=#a03020`. With a reference, the colors
        follow those of that image.
        """
        studied = None if reference is None else self.study(decode_image(reference))
        wanted = [Hint.parse(hint) if isinstance(hint, str) else hint for hint in hints]
        return encode_image(self.colorize(decode_image(image), wanted, studied))

    @property
    def settings(self) -> dict[str, Any]:
        """All that decides on the colors of a photo."""
        names = ("size", "saturation", "denoise", "flip_average")
        return {"checkpoint": self.name, **{name: getattr(self, name) for name in names}}

    def converter(self, direction: str) -> Callable[[Photo], Photo]:
        """`colorize` for `to-color`, `to_gray` for `to-gray`.

        Raises
        ------
        CycleColorError
            If the checkpoint holds no generator of that direction.
        """
        self.generator({"to-color": "G_color", "to-gray": "G_gray"}[direction])
        return self.colorize if direction == "to-color" else self.to_gray

    def generator(self, name: str) -> nn.Module:
        """`G_color` or `G_gray`.

        Raises
        ------
        CycleColorError
            If the checkpoint holds none.
        """
        if name not in self.generators:
            raise CycleColorError(
                f"this checkpoint ({self.experiment.name}, {self.experiment.method}) has no {name}; "
                "train with method = cyclegan",
                exit_code=2,
            )
        return self.generators[name]

    @torch.inference_mode()
    def doubt(self, photo: Photo) -> np.ndarray:
        """Where the network is unsure: how far its chroma spreads over mirror images and sizes.

        Returns
        -------
        array
            (h, w) float32, standard deviation in units of the color space, at the size of what the
            network makes.
        """
        pixels, opinions = one_channel(photo.pixels), []
        for scale in DOUBT_SCALES:
            small = scaled_lightness(self._shrunk(pixels, scale), self.space).to(self.device)
            for mirror in (lambda image: image, lambda image: image.flip(-1)):
                opinions.append(mirror(self.opinion(mirror(small))))
        size = opinions[2].shape[-2:]  # the first of scale 1
        spread = torch.stack([resized(opinion, size) for opinion in opinions]).std(dim=0, correction=0)
        return spread[0].norm(dim=0).cpu().numpy()

    def _generator(self, name: str, checkpoint: Checkpoint) -> nn.Module:
        generator = self.method.build_generator(name, self.experiment)
        try:
            generator.load_state_dict(checkpoint.averaged(name))
        except RuntimeError:
            raise CycleColorError(f"the checkpoint's {name} does not fit its own settings") from None
        # Channels last: a fifth faster on CPU. (PyTorch's stubs know device and format apart alone.)
        folded = fold_norms(generator.eval())
        return folded.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _sides(self, size: tuple[int, ...], *, stride: int, scale: float = 1.0) -> tuple[int, int]:
        """Height and width of the copy that a network sees: aspect kept, multiples of its stride.

        The short side is `scale` times `self.size`; but smaller photos are enlarged by no more than
        `enlarges`, and very long ones are shrunk further.
        """
        short, area = self.size * scale, size[0] * size[1]
        scale = min(self.enlarges, short / min(size), short * math.sqrt(LONGEST / area))
        height, width = (max(stride, round(side * scale / stride) * stride) for side in size)
        return height, width

    def _shrunk(self, pixels: np.ndarray, scale: float = 1.0, *, generator: str = "G_color") -> np.ndarray:
        """(H, W, 1 or 3) pixels at the size that a generator sees, or `scale` times that."""
        sides = self._sides(pixels.shape[:2], stride=stride_of(self.generators[generator]), scale=scale)
        # Halving is the one factor that is vectorized, and 5 times as fast; an odd last row may go.
        while min(pixels.shape[:2]) > 4 * min(sides):
            height, width = (side // 2 for side in pixels.shape[:2])
            whole = pixels[: 2 * height, : 2 * width]
            pixels = cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
        shrinks = sides[0] <= pixels.shape[0] and sides[1] <= pixels.shape[1]
        # Area averaging shrinks without aliasing; it must not be asked to enlarge.
        way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return cv2.resize(pixels, sides[::-1], interpolation=way).reshape(*sides, -1)


def one_channel(pixels: np.ndarray) -> np.ndarray:
    """One channel of a photo stored as RGB whose channels are all alike; others as they are."""
    if pixels.shape[2] == 1:
        return pixels
    for top in range(0, len(pixels), BAND):
        band = pixels[top : top + BAND]
        if (band[..., :1] != band[..., 1:]).any():
            return pixels
    return np.ascontiguousarray(pixels[..., :1])
