"""The gap between two piles of gray: how well a small classifier tells them apart."""

import cv2
import numpy as np

BINS = 16
PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
SCALES = 4  # each half the size of the one before
BLOCK = 8  # pixels: blocks whose deviation says how much grain flat places have
FOLDS = 5
RIDGE = 10.0  # penalty on the squared weights of standardized features
NEWTON_STEPS = 12
BOOTSTRAPS = 500
TINY = 1e-4  # keeps logarithms finite


def describe(gray: np.ndarray) -> np.ndarray:
    """Statistics of the tones, sharpness and grain of a photo, but not of where things are.

    Parameters
    ----------
    gray : np.ndarray
        Gray levels (H, W) in [0, 1], float32.

    Returns
    -------
    np.ndarray
        (44,): a histogram, percentiles, contrast at four scales, grain of flat places, its correlation
        from pixel to pixel, and its strength in shadows, mid-tones and highlights.
    """
    histogram = np.histogram(gray, bins=BINS, range=(0, 1))[0] / gray.size
    bands, image = [], gray
    for _ in range(SCALES):
        bands.append(image - cv2.GaussianBlur(image, (0, 0), 1.0))
        image = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    contrasts = [np.log([abs(b).mean() + TINY, np.median(abs(b)) + TINY]) for b in bands]
    skews = [(b**3).mean() / (b.std() + TINY) ** 3 for b in bands]

    finest = bands[0]
    height, width = (side // BLOCK * BLOCK for side in gray.shape)
    blocks = finest[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    flat = np.log(np.percentile(blocks.std(axis=(1, 3)), (5, 10, 25, 50)) + TINY)
    power = (finest**2).mean() + TINY**2
    neighbors = [(finest[1:] * finest[:-1]).mean() / power, (finest[:, 1:] * finest[:, :-1]).mean() / power]
    tones = [(gray >= low) & (gray < high) for low, high in ((0, 1 / 3), (1 / 3, 2 / 3), (2 / 3, 1.01))]
    by_tone = [np.log(abs(finest[t]).mean() + TINY) if t.any() else np.log(TINY) for t in tones]
    parts = (histogram, np.percentile(gray, PERCENTILES), *contrasts, skews, flat, neighbors, by_tone)
    return np.concatenate(parts)


def separability(first: np.ndarray, second: np.ndarray) -> tuple[float, float, float]:
    """How well logistic regression tells two sets of descriptions (n, k), (m, k) apart.

    Returns
    -------
    tuple of float
        Area under the ROC curve on photos that the classifier was not fitted on (five folds), and its
        bootstrap 95% interval: 0.5 is chance, 1 is without fail. Of a photo of each set, it is the chance
        that the classifier knows which is which.
    """
    features = np.concatenate([first, second])
    labels = np.concatenate([np.zeros(len(first)), np.ones(len(second))])
    rng = np.random.default_rng(0)
    folds = np.empty(len(labels), int)
    for label in (0, 1):  # each fold has its share of both
        places = rng.permutation(np.flatnonzero(labels == label))
        folds[places] = np.arange(len(places)) % FOLDS
    scores = np.empty(len(labels))
    for fold in range(FOLDS):
        held_out = folds == fold
        scores[held_out] = _fit_and_score(features[~held_out], labels[~held_out], features[held_out])
    zeros, ones = scores[labels == 0], scores[labels == 1]
    resampled = [
        area_under_curve(rng.choice(zeros, len(zeros)), rng.choice(ones, len(ones)))
        for _ in range(BOOTSTRAPS)
    ]
    low, high = np.percentile(resampled, (2.5, 97.5))
    return area_under_curve(zeros, ones), float(low), float(high)


def area_under_curve(zeros: np.ndarray, ones: np.ndarray) -> float:
    """Chance that a score of `ones` exceeds one of `zeros`, ties counting half (Mann and Whitney, 1947)."""
    ordered = np.sort(zeros)
    below = np.searchsorted(ordered, ones, side="left") + np.searchsorted(ordered, ones, side="right")
    return float(below.mean() / 2 / len(zeros))


def _fit_and_score(features: np.ndarray, labels: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    """Ridge logistic regression by Newton's method: log odds of what it did not see."""
    center, scale = features.mean(axis=0), features.std(axis=0) + 1e-9
    inputs, unseen = ((np.c_[(x - center) / scale, np.ones(len(x))]) for x in (features, unseen))
    penalty = RIDGE * np.eye(inputs.shape[1])
    penalty[-1, -1] = 1e-6  # the offset is free
    weights = np.zeros(inputs.shape[1])
    for _ in range(NEWTON_STEPS):
        odds = 1 / (1 + np.exp(-np.clip(inputs @ weights, -30, 30)))
        gradient = inputs.T @ (odds - labels) + penalty @ weights
        curvature = (inputs * (odds * (1 - odds))[:, None]).T @ inputs + penalty
        weights -= np.linalg.solve(curvature, gradient)
    return unseen @ weights
