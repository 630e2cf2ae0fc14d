"""The CycleGAN that everybody uses, written anew from the papers, for `bench_train.py` to measure against.

Zhu et al., 2017; Isola et al., 2017; Johnson et al., 2016: ResNet-9 of 64 filters, 70x70 PatchGAN, least
squares, cycle 10, identity 5, a pool of 50, Adam, float32, PIL and torchvision for each image, six generator
passes.
"""

import itertools
import random
import sys
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn
from torchvision import transforms

from cyclecolor.methods.image_pool import ImagePool

CYCLE, IDENTITY = 10.0, 5.0
PHOTO_SIZE, CROP = 286, 256  # photos are resized to the one and cropped to the other


class Block(nn.Module):
    """A residual block of 256 channels."""

    def __init__(self):
        super().__init__()
        half = [nn.ReflectionPad2d(1), nn.Conv2d(256, 256, 3), nn.InstanceNorm2d(256)]
        other = [nn.ReflectionPad2d(1), nn.Conv2d(256, 256, 3), nn.InstanceNorm2d(256)]
        self.body = nn.Sequential(*half, nn.ReLU(True), *other)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 256, h, w) to the same."""
        return x + self.body(x)


def reference_generator() -> nn.Sequential:
    """ResNet-9 with 64 filters."""

    def then(convolution: nn.Module, channels: int) -> list[nn.Module]:
        return [convolution, nn.InstanceNorm2d(channels), nn.ReLU(True)]

    return nn.Sequential(
        nn.ReflectionPad2d(3),
        *then(nn.Conv2d(3, 64, 7), 64),
        *then(nn.Conv2d(64, 128, 3, 2, 1), 128),
        *then(nn.Conv2d(128, 256, 3, 2, 1), 256),
        *[Block() for _ in range(9)],
        *then(nn.ConvTranspose2d(256, 128, 3, 2, 1, output_padding=1), 128),
        *then(nn.ConvTranspose2d(128, 64, 3, 2, 1, output_padding=1), 64),
        nn.ReflectionPad2d(3),
        nn.Conv2d(64, 3, 7),
        nn.Tanh(),
    )


def reference_discriminator() -> nn.Sequential:
    """70x70 PatchGAN."""
    layers = [nn.Conv2d(3, 64, 4, 2, 1), nn.LeakyReLU(0.2, True)]
    for inputs, outputs, stride in ((64, 128, 2), (128, 256, 2), (256, 512, 1)):
        layers += [nn.Conv2d(inputs, outputs, 4, stride, 1), nn.InstanceNorm2d(outputs)]
        layers.append(nn.LeakyReLU(0.2, True))
    return nn.Sequential(*layers, nn.Conv2d(512, 1, 4, 1, 1))


def original_networks(folder: str) -> tuple:
    """Makers of generators and discriminators as a clone of the original has them."""
    sys.path.insert(0, folder)
    from models import networks

    norm = networks.get_norm_layer("instance")
    return (
        lambda: networks.ResnetGenerator(3, 3, 64, norm_layer=norm, n_blocks=9),
        lambda: networks.NLayerDiscriminator(3, 64, n_layers=3, norm_layer=norm),
    )


class Reference:
    """Four networks, two optimizers, two pools, and the step as it is commonly written."""

    def __init__(self, device: torch.device, makers: tuple = (reference_generator, reference_discriminator)):
        generator, discriminator = makers
        torch.manual_seed(0)
        self.networks = {
            name: (generator if name[0] == "G" else discriminator)().to(device)
            for name in ("G_color", "G_gray", "D_color", "D_gray")
        }
        self.pools = {"color": ImagePool(50), "gray": ImagePool(50)}
        self.optimizers = {
            side: torch.optim.Adam(
                itertools.chain(*(n.parameters() for name, n in self.networks.items() if name[0] == side)),
                2e-4,
                (0.5, 0.999),
            )
            for side in "GD"
        }

    def step(self, real_gray: Tensor, real_color: Tensor) -> dict[str, Tensor]:
        """Six generator passes, then the discriminators one after the other."""
        G_color, G_gray, D_color, D_gray = self.networks.values()
        mse, l1 = nn.MSELoss(), nn.L1Loss()
        self._train_discriminators(False)
        fake_color, fake_gray = G_color(real_gray), G_gray(real_color)
        rec_gray, rec_color = G_gray(fake_color), G_color(fake_gray)
        judged_color, judged_gray = D_color(fake_color), D_gray(fake_gray)
        losses = {
            "gan_color": mse(judged_color, torch.ones_like(judged_color)),
            "gan_gray": mse(judged_gray, torch.ones_like(judged_gray)),
            "cycle_gray": l1(rec_gray, real_gray),
            "cycle_color": l1(rec_color, real_color),
            "identity_color": l1(G_color(real_color), real_color),
            "identity_gray": l1(G_gray(real_gray), real_gray),
        }
        weights = {"gan": 1.0, "cycle": CYCLE, "identity": IDENTITY}
        self.optimizers["G"].zero_grad()
        sum(weights[name.split("_")[0]] * loss for name, loss in losses.items()).backward()
        self.optimizers["G"].step()
        self._train_discriminators(True)
        self.optimizers["D"].zero_grad()
        for pile, real, fake in (("color", real_color, fake_color), ("gray", real_gray, fake_gray)):
            judge = self.networks[f"D_{pile}"]
            on_real, on_fake = judge(real), judge(self.pools[pile].query(fake))
            loss = (mse(on_real, torch.ones_like(on_real)) + mse(on_fake, torch.zeros_like(on_fake))) / 2
            loss.backward()
            losses[f"D_{pile}"] = loss
        self.optimizers["D"].step()
        return losses

    def _train_discriminators(self, train: bool) -> None:
        for name in ("D_color", "D_gray"):
            self.networks[name].requires_grad_(train)


class PhotoPairs:
    """Two folders of photos, one of each at a time, decoded and changed as it comes."""

    def __init__(self, root: str, size: int):
        self.piles = [sorted((Path(root) / pile).iterdir()) for pile in ("trainA", "trainB")]
        self.change = transforms.Compose(
            [
                transforms.Resize(size * PHOTO_SIZE // CROP, transforms.InterpolationMode.BICUBIC),
                transforms.RandomCrop(size),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize((0.5,) * 3, (0.5,) * 3),
            ]
        )

    def __len__(self) -> int:
        return 10**6

    def __getitem__(self, index: int) -> list[Tensor]:
        gray, color = self.piles
        paths = gray[index % len(gray)], random.choice(color)
        return [self.change(Image.open(path).convert("RGB")) for path in paths]
