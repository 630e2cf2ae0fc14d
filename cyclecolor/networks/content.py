"""What a gray photo shows, as an encoder that has learned to see puts it; not how film shows it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..ops.padding import pad_to_multiple
from .encoder import Encoder
from .encoders import ENCODERS, PRETRAINED
from .imagenet import load_imagenet

READER, READER_STAGES = "efficientnet_lite0", 4
AT_A_TIME = 64  # images


def imagenet_reader() -> Encoder:
    """An encoder of gray images that knows ImageNet.

    Raises
    ------
    CycleColorError
        If its weights are not installed.
    """
    encoder = ENCODERS[READER](1, READER_STAGES)
    load_imagenet(encoder, PRETRAINED[READER])
    return encoder


@torch.no_grad()
def content_of(encoder: Encoder, gray: Tensor) -> Tensor:
    """Pooled features (N, C) of gray images (N, 1, H, W) in [-1, 1], from the encoder as it is in use."""
    modules = [encoder.stem, *encoder.stages]
    training = [module.training for module in modules]
    for module in modules:
        module.eval()
    parts = [_pooled(modules, evened(part)) for part in gray.split(AT_A_TIME)]
    for module, was in zip(modules, training, strict=True):
        module.train(was)
    return torch.cat(parts)


def evened(gray: Tensor) -> Tensor:
    """Images (N, 1, H, W) with every tone in [-1, 1] as frequent as any other.

    Exposure, curve and fading are of film: after this they no longer show.
    """
    flat = gray.flatten(1)
    ranks = flat.argsort(dim=1).argsort(dim=1).to(gray.dtype)
    return (2 * ranks / max(flat.shape[1] - 1, 1) - 1).view_as(gray)


def _pooled(modules: list[nn.Module], gray: Tensor) -> Tensor:
    features = pad_to_multiple(gray, 2 ** len(modules))
    for module in modules:
        features = module(features)
    return F.adaptive_avg_pool2d(features, 1).flatten(1)
