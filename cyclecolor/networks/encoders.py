"""Encoders by name, and where their weights of ImageNet come from.

`resnet10`, a block a stage, is for training from random weights, where it colors as well as `resnet18` and
takes three fifths of its time.
"""

from collections.abc import Callable
from functools import partial

from .efficientnet_lite import LITE0, LITE2, efficientnet_lite, package_names
from .encoder import Encoder
from .imagenet import PACKAGES, Source, package_weights, torchvision_weights
from .resnet_encoder import resnet, torchvision_names

# Name to what makes it of (in_channels, stages).
ENCODERS: dict[str, Callable[[int, int], Encoder]] = {
    "resnet10": partial(resnet, counts=(1, 1, 1, 1)),
    "resnet18": partial(resnet, counts=(2, 2, 2, 2)),
    "resnet34": partial(resnet, counts=(3, 4, 6, 3)),
    "resnet50": partial(resnet, counts=(3, 4, 6, 3), bottleneck=True),
    "efficientnet_lite0": partial(efficientnet_lite, table=LITE0),
    "efficientnet_lite2": partial(efficientnet_lite, table=LITE2),
}

PRETRAINED: dict[str, Source] = {
    **{
        name: Source(
            read=partial(torchvision_weights, name),
            names=torchvision_names,
            mean=(0.485, 0.456, 0.406),
            deviation=(0.229, 0.224, 0.225),
        )
        for name in ("resnet18", "resnet34", "resnet50")
    },
    **{
        name: Source(
            read=partial(package_weights, name),
            names=package_names,
            mean=(127 / 255,) * 3,
            deviation=(128 / 255,) * 3,
        )
        for name in PACKAGES
    },
}
