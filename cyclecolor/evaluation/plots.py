"""What scores are made of, drawn: hues, errors by hue and by lightness, spectra of chroma, as SVG files."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from ..files import atomic_write
from .charts import Line, line_picture
from .hue_wheel import HUES, hue_bin, hue_wheel
from .metrics import HUE_CHROMA, chroma_of, ciede2000
from .pictures import Picture
from .spectrum import TILE, radial_power

LEVELS = 20  # of lightness
LEAST = 0.001  # share of all pixels below which a mean says nothing
WHO = {"ours": "cyclecolor", "do_nothing": "left gray", "truth": "truth"}


class ColorPlots:
    """Sums over pictures, and the drawings of them."""

    def __init__(self) -> None:
        self.hues = {name: torch.zeros(HUES) for name in ("ours", "truth")}
        bins = {"hue": HUES, "lightness": LEVELS}
        self.errors = {by: torch.zeros(2, count) for by, count in bins.items()}
        self.counts = {by: torch.zeros(count) for by, count in bins.items()}
        self.spectra = Spectra()

    def add(self, pictures: Mapping[str, Picture]) -> None:
        """Pictures of one batch: `ours`, `do_nothing` and `truth`."""
        labs = {name: pictures[name].lab for name in WHO}
        truth = labs["truth"]
        for name, sums in self.hues.items():
            sums += _summed(hue_bin(labs[name]), chroma_of(labs[name]), HUES)
        errors = [ciede2000(labs[name], truth) for name in ("ours", "do_nothing")]
        colored = (chroma_of(truth) > HUE_CHROMA).float()
        level = (truth[:, 0] / 100 * LEVELS).long().clamp(0, LEVELS - 1)
        for by, bins, weights in (
            ("hue", hue_bin(truth), colored),
            ("lightness", level, torch.ones_like(colored)),
        ):
            count = len(self.counts[by])
            self.errors[by] += torch.stack([_summed(bins, error * weights, count) for error in errors])
            self.counts[by] += _summed(bins, weights, count)
        self.spectra.add({WHO[name]: labs[name][:, 1:] for name in ("ours", "truth")})

    def write(self, folder: Path) -> None:
        """`hues.svg`, `error_by_hue.svg`, `error_by_lightness.svg` and `chroma_spectrum.svg`.

        Raises
        ------
        CycleColorError
            If they cannot be written.
        """
        _write(folder / "hues.svg", hue_wheel({WHO[name]: sums for name, sums in self.hues.items()}))
        for by, x_label, end in (
            ("hue", "hue angle of the truth in a*b*, degrees", 360),
            ("lightness", "L* of the truth", 100),
        ):
            lines = self._error_lines(by, end)
            title = f"Mean CIEDE2000 by {by}"
            _write(folder / f"error_by_{by}.svg", line_picture(title, lines, x_label, end))
        self.spectra.write(folder / "chroma_spectrum.svg", "Spectrum of chroma: log10 of power")

    def _error_lines(self, by: str, end: float) -> dict[str, Line]:
        """Means at the middles of bins, from 0 to `end`; bins that hold next to nothing are left out."""
        counts = self.counts[by]
        kept = (counts > LEAST * counts.sum()).nonzero()[:, 0].tolist()
        means = self.errors[by] / counts.clamp(min=1)
        return {
            WHO[name]: [((i + 0.5) * end / len(counts), float(row[i])) for i in kept]
            for name, row in zip(("ours", "do_nothing"), means, strict=True)
        }


class Spectra:
    """Mean power of images by frequency, by name."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}

    def add(self, images: Mapping[str, Tensor]) -> None:
        """Images (N, C, H, W), sides of at least 32."""
        for name, image in images.items():
            power = radial_power(image.cpu())
            self.sums[name] = self.sums.get(name, torch.zeros(())) + power.sum(dim=0)
            self.counts[name] = self.counts.get(name, 0) + len(power)

    def write(self, path: Path, title: str, names: Iterable[str] = ()) -> None:
        """Draw the logarithms of these (of all): periodic patterns of a network are bumps."""
        lines = {
            name: [
                (i / TILE, float(value))
                for i, value in enumerate((self.sums[name] / self.counts[name]).clamp(min=1e-12).log10())
                if i  # the mean was taken off
            ]
            for name in names or self.sums
        }
        _write(path, line_picture(title, lines, "cycles a pixel", 0.5))


def _summed(bins: Tensor, values: Tensor, count: int) -> Tensor:
    """Sums of values by bin: (count,)."""
    return torch.bincount(bins.flatten(), values.flatten().double(), count).float()


def _write(path: Path, svg: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, lambda file: file.write(svg.encode()))
