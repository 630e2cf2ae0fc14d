"""The one place that knows albumentations."""

import os

import cv2
import numpy as np

from .seeds import Stream, mixed_seed

# Its import asks the network for a newer release unless told not to; nothing of ours phones out.
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"


class Augment:
    """Random crop, resized to a square, and random mirror; a pure function of image and seed.

    Parameters
    ----------
    size : int
        Side of the output in pixels.
    min_scale : float
        Smallest crop, as a share of the photo's area; 1 keeps the whole photo in view.
    """

    def __init__(self, size: int, min_scale: float):
        import albumentations  # takes longer than torch's, and most commands need none

        self.pipeline = albumentations.Compose(
            [
                albumentations.RandomResizedCrop(
                    size=(size, size),
                    scale=(min_scale, 1.0),
                    ratio=(0.8, 1.25),
                    interpolation=cv2.INTER_AREA,
                ),
                albumentations.HorizontalFlip(p=0.5),
            ]
        )

    def __call__(self, image: np.ndarray, seed: int) -> np.ndarray:
        """(H, W, 3) uint8 to (size, size, 3) uint8."""
        self.pipeline.set_random_seed(seed)
        return self.pipeline(image=image)["image"]


class Tones:
    """Random brightness, contrast and tone curve; a pure function of image and seed.

    Old photos are lighter, darker, flatter or harder than today's, and colors should not hang on that.
    Each of three changes is made to half of the images, so an eighth of them stay as they are.

    Parameters
    ----------
    strength : float
        At 1, gamma lies between 1/2 and 2, and contrast changes by up to 30%.
    """

    def __init__(self, strength: float):
        import albumentations

        changes = (
            albumentations.RandomGamma(gamma_limit=(100 / (1 + strength), 100 * (1 + strength)), p=0.5),
            albumentations.RandomToneCurve(scale=0.25 * strength, p=0.5),
            albumentations.RandomBrightnessContrast(0.2 * strength, 0.3 * strength, p=0.5),
        )
        self.pipelines = [albumentations.Compose([change]) for change in changes]

    def __call__(self, image: np.ndarray, seed: int) -> np.ndarray:
        """(H, W, 3) uint8 to the same."""
        for number, pipeline in enumerate(self.pipelines):
            # One pipeline would start each of its changes from the same seed: all of them or none.
            pipeline.set_random_seed(mixed_seed(seed, Stream.TONES, number) % (1 << 32))
            image = pipeline(image=image)["image"]
        return image
