"""Batch norms folded into the convolutions before them, for networks that learn no more."""

from itertools import pairwise

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights


def fold_norms(network: nn.Module) -> nn.Module:
    """Let each convolution do what the batch norm after it would do with its running statistics.

    The network is the same up to rounding, in two thirds of the time where norms take a third of it. In our
    modules, a norm that is registered right after a convolution is applied to what that makes.
    """
    for module in network.modules():
        children = list(module.named_children())
        for (_, convolution), (name, norm) in pairwise(children):
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                convolution.weight, convolution.bias = fuse_conv_bn_weights(
                    convolution.weight,
                    convolution.bias,
                    norm.get_buffer("running_mean"),
                    norm.get_buffer("running_var"),
                    norm.eps,
                    norm.weight,
                    norm.bias,
                )
                setattr(module, name, nn.Identity())
    return network
