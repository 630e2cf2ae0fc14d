"""Spectra of pictures: what strided networks leave behind, and fine detail."""

import torch
from torch import Tensor

TILE = 32  # pixels a side
LOWEST = TILE // 8  # bins: below an eighth of a cycle a pixel, photographs have peaks of their own
NEAR, FAR = 3, 5  # bins: neighbors with which a peak is compared; a Hann window blurs over two
FINE = 0.25  # cycles a pixel, from which detail counts as fine


def checkerboard_contrast(chroma: Tensor) -> Tensor:
    """How far each frequency stands out of its neighbors in the chroma of images.

    Networks that enlarge by strides leave periodic patterns (Odena et al., 2016): points in the spectrum,
    the same ones in every image. Edges make lines, so a frequency must stand out both along its row and
    along its column.

    Parameters
    ----------
    chroma : Tensor
        (N, 2, H, W), sides of at least 32.

    Returns
    -------
    Tensor
        (N, 2 * frequencies): log power minus that of the neighbors in the row, and in the column. Means
        over images, then the smaller of the two, then the largest over frequencies: see `checkerboard_peak`.
    """
    log_power = torch.log(_tile_power(chroma) + 1e-6).mean(dim=1)
    contrasts = [log_power - _neighbors(log_power, dim) for dim in (1, 2)]
    return torch.stack([c[:, _above_lowest()] for c in contrasts], dim=1).flatten(1)


def checkerboard_peak(contrast: Tensor) -> Tensor:
    """Power of the highest peak over that of its neighbors, from means of `checkerboard_contrast`.

    (..., 2 * frequencies) to (...); 1 is none.
    """
    rows, columns = contrast.chunk(2, dim=-1)
    return torch.minimum(rows, columns).amax(dim=-1).exp()


def fine_power(gray: Tensor) -> Tensor:
    """Power of gray images (N, C, H, W) above a quarter of a cycle a pixel: (N,), in squared units."""
    fine = _frequencies().pow(2).sum(dim=0).sqrt() >= FINE
    return _tile_power(gray)[..., fine].sum(dim=-1).mean(dim=1)


def radial_power(image: Tensor) -> Tensor:
    """Mean power of images (N, C, H, W) by frequency: (N, 17), at 0 to 16 / 32 cycles a pixel.

    Of all directions; the corners of the spectrum, beyond half a cycle, are left out. Sides are at least 32.
    """
    distance = (_frequencies() * TILE).pow(2).sum(dim=0).sqrt().round().long()
    kept = distance <= TILE // 2
    power = _tile_power(image).mean(dim=1)[:, kept]
    sums = power.new_zeros(len(power), TILE // 2 + 1).index_add_(1, distance[kept], power)
    return sums / torch.bincount(distance[kept])


def _tile_power(image: Tensor) -> Tensor:
    """Power spectra of the tiles that fit into (N, C, H, W): (N, C * tiles, 32, 32), their mean taken off.

    Under a Hann window; the powers of a tile sum to the variance of what it holds (Parseval).
    """
    tiles = image.unfold(2, TILE, TILE).unfold(3, TILE, TILE).flatten(1, 3)
    tiles = tiles - tiles.mean(dim=(2, 3), keepdim=True)
    window = torch.hann_window(TILE).to(image)
    window = window[:, None] * window
    return torch.fft.fft2(tiles * window).abs() ** 2 / (TILE**2 * (window**2).sum())


def _neighbors(log_power: Tensor, dim: int) -> Tensor:
    """Mean over the bins 3 to 5 away on either side, along one dimension of the (cyclic) spectrum."""
    shifts = [s for n in range(NEAR, FAR + 1) for s in (n, -n)]
    return torch.stack([log_power.roll(s, dim) for s in shifts]).mean(dim=0)


def _frequencies() -> Tensor:
    """(2, 32, 32): cycles a pixel down and across."""
    return torch.stack(torch.meshgrid(*[torch.fft.fftfreq(TILE)] * 2, indexing="ij"))


def _above_lowest() -> Tensor:
    """Which bins are judged: one of each conjugate pair, not too low."""
    down, across = (_frequencies() * TILE).round().long()
    one_of_pair = (across > 0) | ((across == 0) & (down >= 0)) | (across == -TILE // 2)
    return one_of_pair & (torch.maximum(down.abs(), across.abs()) >= LOWEST)
