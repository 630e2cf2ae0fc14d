"""What is measured of a crop of a gray photo, so that films can be told from distributions of it.

A film in a mixed archive shows in what goes together in one crop: lifted black with lowered white, coarse
grain with a bright sky. So every measure is a vector of one crop, and the last has a little of all others.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..film import blur

LAYOUT = 8  # a crop's light and dark are seen at 8 x 8
TONES = 16  # and its tones at so many quantiles
SCALES = 3  # of detail
EDGE = 1e-3  # keeps logarithms finite; of [-1, 1], well below a level of 8 bits


def measures(gray: Tensor) -> list[Tensor]:
    """Vectors (N, D) of gray crops (N, 1, H, W) in [-1, 1]: layout, tones, detail, places; all together."""
    layout = F.adaptive_avg_pool2d(gray, LAYOUT)
    tones, detail = _tones(gray), _detail(gray)
    places = _places(layout, gray)
    rows = layout.mean(dim=3).flatten(1)[:, ::2]
    together = torch.cat([tones[:, :: TONES // 4], tones[:, -1:], rows, detail, places], dim=1)
    return [layout.flatten(1), tones, detail, places, together]


class Normalized:
    """`measures` in units of their standard deviation over the scans, of equal weight whatever their length.

    Attributes
    ----------
    scans : list of Tensor
        The measures of the scans (N, D).
    """

    def __init__(self, scans: Tensor):
        raw = measures(scans)
        self.centers = [m.mean(dim=0) for m in raw]
        self.scales = [(m.std(dim=0, correction=0) + EDGE) * m.shape[1] ** 0.5 for m in raw]
        self.scans = self._normalized(raw)

    def __call__(self, gray: Tensor) -> list[Tensor]:
        """The measures of other crops (N, 1, H, W): each (N, D)."""
        return self._normalized(measures(gray))

    def _normalized(self, raw: list[Tensor]) -> list[Tensor]:
        return [(m - c) / s for m, c, s in zip(raw, self.centers, self.scales, strict=True)]


def _tones(gray: Tensor) -> Tensor:
    stride = max(1, gray.shape[-1] // 24)
    tones = gray[..., ::stride, ::stride].flatten(1).sort(dim=1).values
    places = torch.linspace(0.01, 0.99, TONES).mul(tones.shape[1] - 1).long()
    return tones[:, places.to(gray.device)]


def _detail(gray: Tensor) -> Tensor:
    """How strong detail is at three scales, in logarithms, and how alike neighbors are at the finest."""
    found = []
    for scale in range(SCALES):
        band = gray - blur(gray, 1.0)
        power = (band**2).mean(dim=(1, 2, 3))
        found += [(band.abs().mean(dim=(1, 2, 3)) + EDGE).log(), (power + EDGE**2).log() / 2]
        if not scale:  # grain is not alike, softened edges are
            found.append((band[..., 1:, :] * band[..., :-1, :]).mean(dim=(1, 2, 3)) / (power + EDGE**2))
        gray = F.avg_pool2d(gray, 2)
    return torch.stack(found, dim=1)


def _places(layout: Tensor, gray: Tensor) -> Tensor:
    """How light smooth and rough places are, in the upper and the lower half: skies, foliage, ground."""
    rough = F.adaptive_avg_pool2d((gray - blur(gray, 1.0)).abs(), LAYOUT)
    found = []
    for light, detail in zip(layout.chunk(2, dim=2), rough.chunk(2, dim=2), strict=True):
        order = detail.flatten(1).argsort(dim=1)
        ordered = light.flatten(1).gather(1, order)
        found += [part.mean(dim=1) for part in ordered.chunk(3, dim=1)[::2]]
    return torch.stack(found, dim=1)
