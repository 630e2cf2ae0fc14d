"""Does `--denoise` help? Scores of the released checkpoint on photos with more and more grain.

    python benchmarks/denoise.py landscapes_test

White noise is added to the photos' own lightness (seed 0), every fourth photo is scored.
"""

import sys
from pathlib import Path

import numpy as np

from cyclecolor.evaluation.evaluate import evaluate
from cyclecolor.evaluation.inputs import read_inputs
from cyclecolor.inference import load

GRAIN = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3)  # standard deviation; white is 1


def grainy(photo: np.ndarray, grain: float, rng: np.random.Generator) -> np.ndarray:
    """Gray (H, W, 3) uint8 with noise on it."""
    gray = photo @ np.array([0.2126, 0.7152, 0.0722])
    noisy = np.rint(gray + 255 * grain * rng.standard_normal(gray.shape))
    return np.clip(noisy, 0, 255).astype(np.uint8)[..., None].repeat(3, axis=2)


def main() -> None:
    """Print a row for each strength of grain."""
    photos = read_inputs(Path(sys.argv[1]), None).photos[::4]
    print("grain  CIEDE2000 at the truth's lightness, hue error: plain, denoised")
    for grain in GRAIN:
        rng = np.random.default_rng(0)
        grays = [grainy(photo, grain, rng) for photo in photos]
        cells = []
        for denoise in (False, True):
            scores = evaluate(load(denoise=denoise), photos, grays)
            values = (scores[name]["ours"].value for name in ("ciede2000_at_true_lightness", "hue_error"))
            cells.append("{:6.2f} {:5.1f}".format(*values))
        print(f"{grain:5.2f}  " + "   ".join(cells), flush=True)


if __name__ == "__main__":
    main()
