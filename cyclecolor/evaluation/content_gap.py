"""What two piles show, beside how film shows it: how alike they are, and what the color pile lacks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from ..color import rgb_to_lightness
from ..film import render
from ..networks.content import content_of
from ..networks.encoder import Encoder
from ..photos import read_rgb8
from .content import alike, chances, lacking, nearest
from .inputs import to_tensor

SIDE = 64  # pixels: of the copy whose content is looked at
MOST = 2000  # photos of a pile, evenly spread over it, that are looked at
HALVES = 400  # photos of the color pile that are compared to others of it
APART = 1.5  # a scan stands alone if it is this much farther from photos than from other scans
FILM = "generic"  # wide ranges about no film in particular
UNLIKE = 0.6  # of what halves of one pile have: below, the piles are said to show other things


@dataclass(frozen=True)
class ContentGap:
    """What scans and color photos show, from 0 (nothing alike) to 1.

    Attributes
    ----------
    alike : float
        Of the two piles.
    alike_halves : float
        Of two halves of the color pile, one as films show it: what piles of equal content have.
    lacking : list of str
        Scans that show what no color photo does, each with the photo that comes nearest: `a: b`.
    wanted : list of str
        Color photos that most scans are near to.
    chances : np.ndarray
        (M,), how often each color photo would be drawn for content to be as that of the scans, of mean 1;
        for those looked at.
    """

    alike: float
    alike_halves: float
    lacking: list[str]
    wanted: list[str]
    chances: np.ndarray

    @property
    def words(self) -> str:
        """One sentence."""
        if self.alike < UNLIKE * self.alike_halves:
            return "the piles show other things: add color photos of what the scans show"
        return "the piles show much the same things"


def thumbnail(gray: np.ndarray) -> np.ndarray:
    """Gray levels (H, W) in [0, 1] as (64, 64) uint8: enough to see what a photo shows."""
    small = cv2.resize(gray, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return (small * 255).round().clip(0, 255).astype(np.uint8)


def looked_at(count: int) -> np.ndarray:
    """Indices of the photos of a pile that are looked at."""
    return np.linspace(0, count - 1, min(count, MOST)).round().astype(int)


def content_gap(
    encoder: Encoder,
    scans: Sequence[np.ndarray],
    photos: Sequence[np.ndarray],
    scan_names: Sequence[str],
    photo_paths: Sequence[Path],
) -> ContentGap:
    """Compare what the thumbnails of two piles show.

    Parameters
    ----------
    encoder : Encoder
        One that sees gray images (N, 1, 64, 64) and has learned to tell what they show.
    scans, photos : sequence of (64, 64) uint8 arrays
    scan_names : sequence of str
    photo_paths : sequence of Path
        The color photos, which are read again to be shown as films show them.
    """
    ours, theirs = (content_of(encoder, _scaled(pile)) for pile in (scans, photos))
    apart, closest = lacking(ours, theirs), nearest(ours, theirs)
    drawn = chances(ours, theirs)
    alone = [i for i in apart.argsort(descending=True).tolist() if apart[i] > APART]
    return ContentGap(
        alike(ours, theirs),
        _alike_halves(encoder, theirs, photo_paths),
        [f"{scan_names[i]}: {photo_paths[int(closest[i])].name}" for i in alone],
        [photo_paths[i].name for i in drawn.argsort(descending=True).tolist() if drawn[i] > 2],
        drawn.numpy(),
    )


def _alike_halves(encoder: Encoder, photos: Tensor, paths: Sequence[Path]) -> float:
    """How alike other photos of a pile are to some of it as films show them."""
    order = np.random.default_rng(0).permutation(len(paths))
    filmed, others = order[: min(HALVES, len(paths) // 2)], order[len(paths) // 2 :]
    shown = [_as_film(paths[i], int(i)) for i in filmed]
    return alike(content_of(encoder, _scaled(shown)), photos[torch.from_numpy(others)])


def _as_film(path: Path, seed: int) -> np.ndarray:
    film = render(read_rgb8(path, short_side=2 * SIDE), FILM, seed)
    return thumbnail(rgb_to_lightness(to_tensor([film]))[0, 0].numpy() / np.float32(100))


def _scaled(thumbnails: Sequence[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(thumbnails)).float()[:, None] / 127.5 - 1
