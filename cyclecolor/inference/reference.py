"""`Reference`: a color photo whose colors other photos are to follow."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .spreading import described_by_content, spread_change

PLACES = 400  # of a reference that are looked at, evenly
# As in `spreading`, but what looks alike in two photos need not be of one color.
LIGHTNESS_REACH, FEATURE_REACH, TRUST = 0.25, 0.25, 0.3


@dataclass(frozen=True)
class Reference:
    """What places of a photo are like, and by how much their colors are not those that a network gives them.

    Attributes
    ----------
    lightness, features, changes : Tensor
        (1, n), (C, n) and (2, n): scaled lightness, the network's features, and scaled chroma of the photo
        minus that of the network.
    digest : str
        Of the photo's pixels.
    """

    lightness: Tensor
    features: Tensor
    changes: Tensor
    digest: str

    @classmethod
    def of(cls, lightness: Tensor, features: Tensor, changes: Tensor, digest: str) -> "Reference":
        """From maps of one size: (1, 1, h, w), (1, C, h, w) and (1, 2, h, w)."""
        stride = max(1, int((lightness.numel() / PLACES) ** 0.5))
        start = stride // 2
        lightness, features, changes = (
            image[0, :, start::stride, start::stride].flatten(1) for image in (lightness, features, changes)
        )
        return cls(lightness, features, changes, digest)

    def change(self, lightness: Tensor, features: Tensor) -> Tensor:
        """The change of chroma of another photo that makes its colors follow.

        Where the network says something of what it sees in the reference that is wrong, it is likely to be
        wrong by as much about what looks the same. Nothing is said of what the reference does not show.

        Parameters
        ----------
        lightness, features : Tensor
            (1, 1, h, w) and (1, C, h, w), of the other photo.

        Returns
        -------
        Tensor
            (1, 2, h, w), scaled.
        """
        both = described_by_content(
            torch.cat([self.lightness, lightness[0].flatten(1)], dim=1),
            torch.cat([self.features, features[0].flatten(1)], dim=1),
            lightness_reach=LIGHTNESS_REACH,
            feature_reach=FEATURE_REACH,
        )
        known, pixels = both[:, : self.changes.shape[1]], both[:, self.changes.shape[1] :]
        return spread_change(self.changes, known, pixels, TRUST).view(1, 2, *lightness.shape[-2:])
