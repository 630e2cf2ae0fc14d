"""The guard between the generators: what a saved gray photo would not keep, it does not let through.

Asked for colours that gray does not hold, a plain CycleGAN hides them in its gray image as faint
noise (Chu et al., 2017). Quantisation and noise wipe such traces out.
"""

from torch import Tensor

from ..share import normal


def guard(gray: Tensor, *, quantize: bool, noise: float, gradient: bool) -> Tensor:
    """Gray (N, 1, H, W) in [-1, 1] through 8 bits and Gaussian noise.

    `noise` is the standard deviation where black is 0 and white 1. The gradient is passed straight or, by
    default, stopped: what is never taught to hide colour does not.
    """
    guarded = gray.detach().float().clamp(-1, 1)
    if quantize:
        guarded = ((guarded + 1) * 127.5).round() / 127.5 - 1
    if noise:
        guarded = guarded + 2 * noise * normal(guarded.shape, guarded.device)
    return gray + (guarded - gray.detach()) if gradient else guarded
