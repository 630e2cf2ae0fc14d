"""The bottleneck between the generators: what a saved gray photo would not keep, it does not let through.

Asked for colors that gray does not hold, a plain CycleGAN hides them in its gray image as faint noise
(Chu et al., 2017, arXiv:1712.02950). Quantization and noise wipe such traces out.
"""

from torch import Tensor

from ..distributed import normal


def bottleneck(gray: Tensor, *, quantize: bool, noise: float, gradient: bool) -> Tensor:
    """Gray (N, 1, H, W) in [-1, 1] through 8 bits and Gaussian noise.

    `noise` is the standard deviation where black is 0 and white 1. The gradient is passed straight or, by
    default, stopped: what is never taught to hide color does not.
    """
    passed = gray.detach().float().clamp(-1, 1)
    if quantize:
        passed = ((passed + 1) * 127.5).round() / 127.5 - 1
    if noise:
        passed = passed + 2 * noise * normal(passed.shape, passed.device)
    return gray + (passed - gray.detach()) if gradient else passed
