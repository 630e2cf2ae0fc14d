"""What a reference brings: photos colored after another photo, and how near to the truth that comes.

    python benchmarks/bench_reference.py PHOTOS [--checkpoint default] [--count 300]

References are the photo itself, mirrored; for its right half, the left one; and the next photo of the list,
which shows something else. CIEDE2000 and hue error (degrees, where the truth has a hue), on copies of short
side 192.
"""

from collections import defaultdict

import numpy as np
from bench_hints import error, gray_of, photos_and_colorizer, to_lab

from cyclecolor.evaluation.metrics import hue_agreement
from cyclecolor.inference import ChromaColorizer
from cyclecolor.photos import Photo


def main() -> None:
    """Print a table."""
    rows = measure(*photos_and_colorizer(__doc__.splitlines()[0]))
    for what, errors in rows.items():
        means, spreads = np.nanmean(errors, axis=0), np.nanstd(errors, axis=0)
        cells = (
            f"{m:6.2f} +- {1.96 * s / np.sqrt(len(errors)):.2f}" for m, s in zip(means, spreads, strict=True)
        )
        print(f"{what:<40}", *cells)


def measure(photos: list[np.ndarray], colorizer: ChromaColorizer) -> dict[str, list[tuple[float, float]]]:
    """CIEDE2000 and hue error of each photo (H, W, 3), by reference."""
    rows = defaultdict(list)
    for number, rgb in enumerate(photos):
        middle = rgb.shape[1] // 2
        other = photos[(number + 1) % len(photos)]
        rows["no reference"].append(errors_of(colorizer, rgb))
        rows["itself, mirrored"].append(errors_of(colorizer, rgb, rgb[:, ::-1]))
        rows["another photo"].append(errors_of(colorizer, rgb, other))
        rows["right half, no reference"].append(errors_of(colorizer, rgb[:, middle:]))
        rows["right half, after the left"].append(errors_of(colorizer, rgb[:, middle:], rgb[:, :middle]))
    return rows


def errors_of(
    colorizer: ChromaColorizer, rgb: np.ndarray, reference: np.ndarray | None = None
) -> tuple[float, float]:
    """Of a photo (H, W, 3), turned to gray and colored after another one."""
    rgb = np.ascontiguousarray(rgb)
    studied = None if reference is None else colorizer.study(Photo(np.ascontiguousarray(reference)))
    made = to_lab(colorizer.colorize(gray_of(rgb, colorizer), reference=studied).pixels)
    angles, _, count = hue_agreement(made, to_lab(rgb))[0].tolist()
    return error(made, to_lab(rgb)), angles / count if count else float("nan")


if __name__ == "__main__":
    main()
