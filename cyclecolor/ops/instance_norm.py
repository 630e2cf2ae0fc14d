"""Instance normalization that leaves the layout of images as it is."""

import importlib.util
from functools import cache
from types import ModuleType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

EPSILON = 1e-5  # added to variances


class InstanceNorm(nn.Module):
    """Every channel of every image to zero mean and unit variance (Ulyanov et al., 2016); no parameters.

    A convolution before it needs no bias: the mean is taken away.

    Parameters
    ----------
    slope : float
        By which negative values are then multiplied, as in a leaky ReLU; 0 for a ReLU, 1 for none.
    """

    def __init__(self, slope: float = 1.0):
        super().__init__()
        self.slope = slope

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        if features.device.type == "cuda" and (kernels := gpu_kernels()):
            return kernels.instance_norm(features, EPSILON, self.slope)
        normed = normalize(features)
        return normed if self.slope == 1 else F.leaky_relu(normed, self.slope, inplace=True)


def normalize(features: Tensor) -> Tensor:
    """`InstanceNorm` without a slope, where we have no kernel of our own.

    Torch's own takes the channels_last layout apart and puts it together again, and in torch 2.14 its
    gradient is wrong there for a batch of one, on CPU.
    """
    if features.device.type == "cpu" and features.dtype == torch.float32:
        return _EachAlone.apply(features)
    if len(features) == 1:
        return F.batch_norm(features, None, None, training=True, eps=EPSILON)
    return F.instance_norm(features, eps=EPSILON)


@cache
def gpu_kernels() -> ModuleType | None:
    """Our kernels, where Triton is: PyTorch brings it along on Linux."""
    return (
        importlib.import_module(".triton_kernels", __package__)
        if importlib.util.find_spec("triton")
        else None
    )


class _EachAlone(torch.autograd.Function):
    """Batch normalization of batches of one image."""

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        norm = torch.ops.aten.native_batch_norm
        outputs, means, scales = zip(
            *(norm(one, None, None, None, None, True, 0.0, EPSILON) for one in features.split(1)), strict=True
        )
        ctx.save_for_backward(features, *means, *scales)
        return torch.cat(outputs) if len(outputs) > 1 else outputs[0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        features, *saved = ctx.saved_tensors
        backward, count = torch.ops.aten.native_batch_norm_backward, len(features)
        parts = zip(gradient.split(1), features.split(1), saved[:count], saved[count:], strict=True)
        gradients = [
            backward(towards, one, None, None, None, mean, scale, True, EPSILON, [True, False, False])[0]
            for towards, one, mean, scale in parts
        ]
        return torch.cat(gradients) if count > 1 else gradients[0]
