"""`Colorizer`: a checkpoint that translates photos."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ..checkpoint import Checkpoint, find_checkpoint, read_checkpoint
from ..color import SPACES, quantize_rgb
from ..errors import CycleColorError
from ..methods import build_generator
from ..networks import FilmGenerator
from ..photos import Photo, decode_image, encode_image
from .guided import guided_upsample


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
    """

    def __init__(self, checkpoint: Checkpoint, *, size: int | None = None):
        self.experiment = checkpoint.experiment
        self.space = SPACES[self.experiment.space]
        self.size = size or self.experiment.data.size
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.generators = {
            name: self._generator(name, checkpoint)
            for name in ("G_color", "G_gray")
            if checkpoint.below(f"ema/{name}")
        }

    @property
    def film(self) -> dict[str, float]:
        """What `G_gray` has learned of the gray pile's film, by name; empty if it is no film."""
        G_gray = self.generators.get("G_gray")
        return G_gray.describe() if isinstance(G_gray, FilmGenerator) else {}

    def __call__(self, image: Image.Image) -> Image.Image:
        """Colour a PIL image of any mode; only its lightness is used."""
        return encode_image(self.colorize(decode_image(image)))

    def colorize(self, photo: Photo) -> Photo:
        """Colour a photo: RGB of the same size and depth, lightness kept to half a level."""
        lightness = self.space.lightness(self._rgb(photo))
        rgb = self.colorize_lightness(lightness)
        return self._photo(quantize_rgb(rgb, (lightness + 1) * 50, _levels(photo)), photo)

    def to_gray(self, photo: Photo) -> Photo:
        """Make a colour photo look like the gray pile: one channel, same size and depth.

        Raises
        ------
        CycleColorError
            If the checkpoint's method learned no such direction.
        """
        if "G_gray" not in self.generators:
            raise CycleColorError(
                f"this checkpoint ({self.experiment.method}) only colours: --direction to-gray needs one "
                "trained with method cyclegan",
                exit_code=2,
            )
        image = torch.cat(self.space.split(self._rgb(photo)), dim=1)
        with torch.inference_mode():
            gray = self.generators["G_gray"].full_size(image, self._small(image, stride=1))
        gray = self.space.merge(gray, torch.zeros_like(image[:, 1:]))
        levels = _levels(photo)
        return self._photo((gray[:, 1:2] * levels).round(), photo)

    def colorize_lightness(self, lightness: Tensor) -> Tensor:
        """Scaled lightness (N, 1, H, W) to sRGB (N, 3, H, W) in [0, 1]."""
        return self.space.merge(lightness, self.chroma(lightness))

    @torch.inference_mode()
    def chroma(self, lightness: Tensor) -> Tensor:
        """Scaled lightness (N, 1, H, W) to scaled chroma (N, 2, H, W)."""
        generator = self.generators["G_color"]
        small = generator(self._small(lightness, stride=generator.stride))
        return guided_upsample(small, lightness)

    def _generator(self, name: str, checkpoint: Checkpoint) -> torch.nn.Module:
        options = getattr(self.experiment, name).model_copy(update={"pretrained": False})
        generator = build_generator(name, self.experiment.model_copy(update={name: options}))
        weights = {
            key.removeprefix("module."): tensor.float() if tensor.is_floating_point() else tensor
            for key, tensor in checkpoint.below(f"ema/{name}").items()
            if key.startswith("module.")
        }
        try:
            generator.load_state_dict(weights)
        except RuntimeError:
            raise CycleColorError(f"the checkpoint's {name} does not fit its own settings") from None
        return generator.eval().to(self.device)

    def _small(self, image: Tensor, *, stride: int) -> Tensor:
        """The copy that a network sees: area-averaged, aspect kept, sides a multiple of its stride."""
        height, width = image.shape[-2:]
        scale = min(1.0, self.size / min(height, width))
        sides = [max(stride, round(side * scale / stride) * stride) for side in (height, width)]
        if sides == [height, width]:
            return image
        # Area averaging shrinks without aliasing; it must not be asked to enlarge.
        shrinks = sides[0] <= height and sides[1] <= width
        return F.interpolate(image, size=sides, mode="area" if shrinks else "bilinear")

    def _rgb(self, photo: Photo) -> Tensor:
        samples = torch.from_numpy(photo.pixels.astype(np.float32) / _levels(photo))
        return samples.permute(2, 0, 1)[None].expand(-1, 3, -1, -1).to(self.device)

    def _photo(self, samples: Tensor, source: Photo) -> Photo:
        pixels = samples[0].permute(1, 2, 0).cpu().numpy().astype(source.pixels.dtype)
        return Photo(np.ascontiguousarray(pixels), alpha=source.alpha, metadata=source.metadata)


def load(checkpoint: str | Path | None = None, *, size: int | None = None) -> Colorizer:
    """Load a `Colorizer` from a checkpoint file or a run's folder; by default the released one.

    Raises
    ------
    CycleColorError
        If there is no such checkpoint, or it is damaged.
    """
    path = find_checkpoint(None if checkpoint is None else Path(checkpoint))
    return Colorizer(read_checkpoint(path), size=size)


def _levels(photo: Photo) -> int:
    return int(np.iinfo(photo.pixels.dtype).max)
