"""Metrics of color, as pure torch functions of batches."""

import torch
from torch import Tensor

HUE_CHROMA = 10.0  # chroma above which a color has a hue worth comparing
TINT_LEVELS = 16  # of lightness, each of which a toned print gives one color
NO_CHROMA = 1.0  # chroma below which there is none: about just noticeable


def ciede2000(first: Tensor, second: Tensor) -> Tensor:
    """CIEDE2000 color difference (CIE 142-2001; Sharma et al., 2005), with kL = kC = kH = 1.

    Parameters
    ----------
    first, second : Tensor
        Lab, (N, 3, H, W).

    Returns
    -------
    Tensor
        (N, H, W); about 1 is just noticeable.
    """
    l1, a1, b1 = first.unbind(1)
    l2, a2, b2 = second.unbind(1)
    mean_c = (torch.hypot(a1, b1) + torch.hypot(a2, b2)) / 2
    g = 0.5 * (1 - torch.sqrt(mean_c**7 / (mean_c**7 + 25.0**7)))
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    c1, c2 = torch.hypot(a1, b1), torch.hypot(a2, b2)
    h1, h2 = (torch.rad2deg(torch.atan2(b, a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    grays = c1 * c2 == 0

    turn = h2 - h1
    turn = turn - 360 * (turn > 180) + 360 * (turn < -180)
    delta_l, delta_c = l2 - l1, c2 - c1
    delta_h = 2 * torch.sqrt(c1 * c2) * torch.sin(torch.deg2rad(turn / 2))

    mean_l, mean_c = (l1 + l2) / 2, (c1 + c2) / 2
    total = h1 + h2
    mean_h = torch.where((h1 - h2).abs() > 180, (total + 360 - 720 * (total >= 360)) / 2, total / 2)
    mean_h = torch.where(grays, total, mean_h)
    t = (
        1
        - 0.17 * _cosine(mean_h - 30)
        + 0.24 * _cosine(2 * mean_h)
        + 0.32 * _cosine(3 * mean_h + 6)
        - 0.20 * _cosine(4 * mean_h - 63)
    )
    lightness = (mean_l - 50) ** 2
    s_l = 1 + 0.015 * lightness / torch.sqrt(20 + lightness)
    s_c = 1 + 0.045 * mean_c
    s_h = 1 + 0.015 * mean_c * t
    bend = 30 * torch.exp(-(((mean_h - 275) / 25) ** 2))
    r_c = 2 * torch.sqrt(mean_c**7 / (mean_c**7 + 25.0**7))
    r_t = -torch.sin(torch.deg2rad(2 * bend)) * r_c
    lightness, chroma, hue = delta_l / s_l, delta_c / s_c, delta_h / s_h
    return torch.sqrt((lightness**2 + chroma**2 + hue**2 + r_t * chroma * hue).clamp(min=0))


def ab_rmse(first: Tensor, second: Tensor) -> Tensor:
    """Root mean square distance of a*b* of Lab images (N, 3, H, W), one value an image."""
    return ((first - second)[:, 1:] ** 2).sum(dim=1).mean(dim=(1, 2)).sqrt()


def chroma_of(lab: Tensor) -> Tensor:
    """Chroma (N, H, W) of Lab images (N, 3, H, W): the distance from gray."""
    return torch.hypot(lab[:, 1], lab[:, 2])


def hue_agreement(lab: Tensor, true_lab: Tensor) -> Tensor:
    """How well hue angles agree where the truth has one: its chroma is above `HUE_CHROMA`.

    A pixel without color (chroma below `NO_CHROMA`) has no hue; it scores as chance does, 90 degrees and
    a cosine of 0.

    Parameters
    ----------
    lab, true_lab : Tensor
        Lab, (N, 3, H, W).

    Returns
    -------
    Tensor
        (N, 3): sums over those pixels of the hue difference in degrees [0, 180] and of its cosine, and
        how many pixels they are.
    """
    ab, true_ab = lab[:, 1:], true_lab[:, 1:]
    chroma, true_chroma = chroma_of(lab), chroma_of(true_lab)
    cosine = (ab * true_ab).sum(dim=1) / (chroma * true_chroma).clamp(min=1e-6)
    cosine = torch.where(chroma < NO_CHROMA, 0, cosine.clamp(-1, 1))
    counted = true_chroma > HUE_CHROMA
    sums = (torch.rad2deg(torch.acos(cosine)), cosine, torch.ones_like(cosine))
    return torch.stack([(values * counted).sum(dim=(1, 2)) for values in sums], dim=1)


def cast(lab: Tensor) -> Tensor:
    """Mean a*, mean b* and mean chroma of Lab images (N, 3, H, W): (N, 3).

    Over a set, the length of the mean a*b* as a share of the mean chroma says how much of the color is
    one tint: 1 for a sepia print, near 0 where colors balance.
    """
    return torch.cat([lab[:, 1:], chroma_of(lab)[:, None]], dim=1).mean(dim=(2, 3))


def color_beyond_tint(lab: Tensor) -> Tensor:
    """Root mean square distance of a*b* from their mean among pixels of like lightness, Lab (N, 3, H, W).

    One value an image. A toned or yellowed gray photo has one color for each lightness, so about 0 is left
    of it, whatever its tint; a color photo has many.
    """
    level = (lab[:, 0] / 100 * (TINT_LEVELS - 1)).round().long().clamp(0, TINT_LEVELS - 1).flatten(1)
    ab = lab[:, 1:].flatten(2)
    index = level[:, None].expand_as(ab)
    sums = ab.new_zeros(len(lab), 2, TINT_LEVELS).scatter_add_(2, index, ab)
    counts = ab.new_zeros(len(lab), 2, TINT_LEVELS).scatter_add_(2, index, torch.ones_like(ab))
    means = (sums / counts.clamp(min=1)).gather(2, index)
    return (ab - means).pow(2).sum(dim=1).mean(dim=1).sqrt()


def colorfulness(rgb: Tensor) -> Tensor:
    """Colorfulness of Hasler and Süsstrunk (2003), signed opponents; sRGB (N, 3, H, W) in [0, 1].

    One value an image, in units of 8-bit levels: 0 is gray, 33 moderately and 82 highly colorful.
    """
    return _colorfulness(_opponents(rgb))


def colorfulness_absolute(rgb: Tensor) -> Tensor:
    """The variant of `colorfulness` in wide use that takes absolute opponents; it reads lower."""
    return _colorfulness(_opponents(rgb).abs())


def _opponents(rgb: Tensor) -> Tensor:
    red, green, blue = (255 * rgb).unbind(1)
    return torch.stack([red - green, (red + green) / 2 - blue], dim=1)


def _colorfulness(opponents: Tensor) -> Tensor:
    spread = opponents.var(dim=(2, 3), correction=0).sum(dim=1).sqrt()
    return spread + 0.3 * opponents.mean(dim=(2, 3)).norm(dim=1)


def _cosine(degrees: Tensor) -> Tensor:
    return torch.cos(torch.deg2rad(degrees))
