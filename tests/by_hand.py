"""The losses of every method once more, in NumPy, of networks so small that their formula fits in a line.

Colors are scikit-image's, the blur is SciPy's, resizing is OpenCV's: nothing here is the package's.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter
from skimage.color import rgb2lab, rgb2luv
from torch import nn

STRIDE = 2  # of `G_color`
USUAL_CHROMA = 0.14
DETAIL = 5.0
SCALES = {"lab": (110.0, 110.0), "luv": (180.0, 140.0)}

# Rows are what a network emits: the weights of its inputs, then a constant.
WEIGHTS = {
    "G_color": [[0.5, 0.1], [-0.7, 0.05]],
    "G_gray": [[0.8, 0.3, -0.2, 0.1]],
    "D_color": [[0.4, 1.1, -0.9, 0.2]],
    "D_gray": [[-0.6, 0.7, 0.3]],
    "first_teacher": [[0.2, -0.3], [0.6, 0.1]],
    "second_teacher": [[-0.4, 0.2], [0.1, 0.3]],
}


class Pointwise(nn.Module):
    """A network that mixes the channels of each pixel, after averaging blocks of `stride` x `stride`."""

    def __init__(self, name: str):
        super().__init__()
        self.judges = name.startswith("D_")
        self.stride = STRIDE if name == "G_color" or name.endswith("teacher") else 1
        self.weights = nn.Parameter(torch.tensor(WEIGHTS[name]))

    def forward(self, image):
        image = F.avg_pool2d(image, self.stride) if self.stride > 1 else image
        made = torch.einsum("oi,nihw->nohw", self.weights[:, :-1], image) + self.weights[:, -1].view(
            1, -1, 1, 1
        )
        return [made, made[:, :, ::2]] if self.judges else made  # two scales, of other sizes


def mixed(weights: np.ndarray, image: np.ndarray) -> np.ndarray:
    """`Pointwise` without averaging."""
    return np.einsum("oi,nihw->nohw", weights[:, :-1], image) + weights[:, -1].reshape(1, -1, 1, 1)


def shrunk(image: np.ndarray) -> np.ndarray:
    """(N, C, H, W), each block of 2 x 2 its mean."""
    n, c, h, w = image.shape
    return image.reshape(n, c, h // STRIDE, STRIDE, w // STRIDE, STRIDE).mean(axis=(3, 5))


def grown(image: np.ndarray) -> np.ndarray:
    """(N, C, h, w) at twice the size, by bilinear interpolation."""
    n, c, h, w = image.shape
    planes = image.reshape(-1, h, w)
    return np.stack([cv2.resize(p, (2 * w, 2 * h)) for p in planes]).reshape(n, c, 2 * h, 2 * w)


def with_detail(gray: np.ndarray) -> np.ndarray:
    """Gray and five times what a Gaussian blur of 1 pixel takes away."""
    soft = gaussian_filter(gray, (0, 0, 1.0, 1.0), mode="nearest", radius=(0, 0, 3, 3))
    return np.concatenate([gray, DETAIL * (gray - soft)], axis=1)


def chroma_l1(made: np.ndarray, truth: np.ndarray, emphasis: float) -> float:
    """Absolute differences, weighted by the truth's chroma."""
    weight = (1 + emphasis * np.sqrt((truth**2).sum(axis=1, keepdims=True))) / (1 + emphasis * USUAL_CHROMA)
    return (weight * np.abs(made - truth)).mean()


def generator_loss(logits: np.ndarray, objective: str) -> float:
    """Mean over two scales."""
    return np.mean([GENERATOR[objective](scale) for scale in (logits, logits[:, :, ::2])])


def discriminator_loss(real: np.ndarray, fake: np.ndarray, objective: str) -> float:
    """Half the sum of both sides, mean over two scales."""
    judged = DISCRIMINATOR[objective]
    pairs = ((real, fake), (real[:, :, ::2], fake[:, :, ::2]))
    return np.mean([(judged(r, 1).mean() + judged(f, -1).mean()) / 2 for r, f in pairs])


GENERATOR = {
    "hinge": lambda x: -x.mean(),
    "least_squares": lambda x: ((x - 1) ** 2).mean(),
    "vanilla": lambda x: np.log1p(np.exp(-x)).mean(),
}
# Of logits that should be positive (1: real) or not (-1: fake).
DISCRIMINATOR = {
    "hinge": lambda x, sign: np.maximum(0, 1 - sign * x),
    "least_squares": lambda x, sign: (x - (sign + 1) / 2) ** 2,
    "vanilla": lambda x, sign: np.log1p(np.exp(-sign * x)),
}


@dataclass
class ByHand:
    """What a method is told, and the losses that come of it.

    Attributes
    ----------
    noise : array or 0
        What the bottleneck adds, where black is -1 and white 1.
    damage, past : callables
        What is done to gray in [-1, 1]; what a pool gives for fakes, by domain.
    """

    objective: str = "hinge"
    emphasis: float = 10.0
    space: str = "lab"
    quantize: bool = False
    noise: np.ndarray | float = 0.0
    damage: callable = lambda gray: gray
    past: callable = lambda domain, fake: fake
    weights: dict[str, np.ndarray] = field(
        default_factory=lambda: {name: np.array(rows) for name, rows in WEIGHTS.items()}
    )

    def read(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """uint8 (N, 3, H, W) to lightness in [-1, 1] and scaled chroma."""
        units = (rgb2lab if self.space == "lab" else rgb2luv)(images / 255, channel_axis=1)
        return units[:, :1] / 50 - 1, units[:, 1:] / np.reshape(SCALES[self.space], (1, 2, 1, 1))

    def G_color(self, gray: np.ndarray) -> np.ndarray:
        """Chroma of half the size."""
        return mixed(self.weights["G_color"], shrunk(gray))

    def regression(self, gray: np.ndarray, color: np.ndarray) -> dict[str, float]:
        """Of pairs."""
        (lightness, _), (_, chroma) = self.read(gray), self.read(color)
        return {"regression": chroma_l1(self.G_color(lightness), shrunk(chroma), self.emphasis)}

    def distillation(self, gray: np.ndarray, color: np.ndarray) -> dict[str, float]:
        """Of pairs, and of the mean of two teachers, which see lightness."""
        (seen, _), (lightness, _) = self.read(gray), self.read(color)
        teachers = self.weights["first_teacher"], self.weights["second_teacher"]
        taught = np.mean([mixed(weights, shrunk(lightness)) for weights in teachers], axis=0)
        return {
            **self.regression(gray, color),
            "distillation": chroma_l1(self.G_color(seen), taught, self.emphasis),
        }

    def pix2pix(self, gray: np.ndarray, color: np.ndarray) -> dict[str, float]:
        """Of pairs, judged: chroma on its gray."""
        (lightness, _), (_, chroma) = self.read(gray), self.read(color)
        fake = np.concatenate([shrunk(lightness), self.G_color(lightness)], axis=1)
        real = np.concatenate([shrunk(lightness), shrunk(chroma)], axis=1)
        judged = mixed(self.weights["D_color"], np.array(self.past("color", fake)))
        return {
            "gan_color": generator_loss(mixed(self.weights["D_color"], fake), self.objective),
            **self.regression(gray, color),
            "D_color": discriminator_loss(mixed(self.weights["D_color"], real), judged, self.objective),
        }

    def cyclegan(self, gray: np.ndarray, color: np.ndarray) -> dict[str, float]:
        """Of two piles."""
        real_gray = self.damage(self.read(gray)[0])
        lightness, chroma = self.read(color)
        fake_gray = self.damage(mixed(self.weights["G_gray"], np.concatenate([lightness, chroma], axis=1)))
        seen_gray = np.clip(fake_gray, -1, 1)
        if self.quantize:
            seen_gray = np.round((seen_gray + 1) * 127.5) / 127.5 - 1
        seen_gray = seen_gray + self.noise
        fake_chroma, truth = self.G_color(real_gray), shrunk(chroma)
        fake_color = np.concatenate([shrunk(real_gray), fake_chroma], axis=1)
        real_color = np.concatenate([shrunk(seen_gray), truth], axis=1)
        D_color, D_gray = (
            lambda image, name=name: mixed(self.weights[name], image) for name in ("D_color", "D_gray")
        )
        past_color, past_gray = self.past("color", fake_color), self.past("gray", fake_gray)
        return {
            "gan_color": generator_loss(D_color(fake_color), self.objective),
            "gan_gray": generator_loss(D_gray(with_detail(fake_gray)), self.objective),
            "cycle_color": chroma_l1(self.G_color(seen_gray), truth, self.emphasis),
            "cycle_gray": np.abs(self.remade(real_gray, grown(fake_chroma)) - real_gray).mean(),
            "identity_gray": np.abs(self.remade(real_gray, 0 * chroma) - real_gray).mean(),
            "identity_color": chroma_l1(self.G_color(lightness), truth, self.emphasis),
            "D_color": discriminator_loss(D_color(real_color), D_color(past_color), self.objective),
            "D_gray": discriminator_loss(
                D_gray(with_detail(real_gray)), D_gray(with_detail(past_gray)), self.objective
            ),
        }

    def remade(self, lightness: np.ndarray, chroma: np.ndarray) -> np.ndarray:
        """What `G_gray` makes of lightness and chroma of one size."""
        return mixed(self.weights["G_gray"], np.concatenate([lightness, chroma], axis=1))
