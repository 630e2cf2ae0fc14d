"""Whether `D_gray` tells grays of 8 bits, as scans are, from grays as `G_gray` draws them, not rounded.

    python benchmarks/rounding.py PHOTOS [--steps 1000] [--grain 0.01] [--damage]

The default `D_gray` alone is trained on crops of one pile: half of a batch rounded, half, of other photos,
not. Both have equal grain, and specks and scratches if asked for. Photos that it has not seen, the last
fifth, say how well it tells: the chance that of a rounded crop and another it knows which is which (0.5: not
at all).
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cyclecolor.color import SPACES, rgb_to_lightness
from cyclecolor.config import parse_experiment
from cyclecolor.evaluation.domain_gap import area_under_curve
from cyclecolor.evaluation.inputs import to_tensor
from cyclecolor.methods import CycleGAN
from cyclecolor.methods.cyclegan import with_detail
from cyclecolor.methods.losses import discriminator_loss
from cyclecolor.photos import find_photos, read_rgb8
from cyclecolor.training.seeding import seed_step

SIZE, BATCH, JUDGED = 64, 16, 256  # pixels; crops of either kind in a batch, and of those judged


def grays_of(paths: list[Path]) -> list[Tensor]:
    """Lightness of photos, each (1, h, w) in [-1, 1] with a short side of 128 at most; not rounded."""
    photos = (read_rgb8(path, short_side=2 * SIZE) for path in paths)
    return [rgb_to_lightness(to_tensor([photo]))[0] / 50 - 1 for photo in photos]


def crops(grays: list[Tensor], count: int, grain: float) -> Tensor:
    """Random crops (count, 1, 64, 64) with grain of a standard deviation, where white is 1."""
    chosen = []
    for index in torch.randint(len(grays), (count,)).tolist():
        top, left = (int(torch.randint(side - SIZE + 1, ())) for side in grays[index].shape[1:])
        chosen.append(grays[index][:, top : top + SIZE, left : left + SIZE])
    images = torch.stack(chosen)
    return (images + 2 * grain * torch.randn_like(images)).clamp(-1, 1)


def both_kinds(method: CycleGAN, grays: list[Tensor], count: int, grain: float) -> tuple[Tensor, Tensor]:
    """Rounded crops and others, as `D_gray` sees them."""
    rounded, unrounded = crops(grays, 2 * count, grain).chunk(2)
    rounded = SPACES["lab"].saved(rounded)
    return with_detail(method.damaged(rounded)), with_detail(method.damaged(unrounded))


@torch.no_grad()
def known(method: CycleGAN, grays: list[Tensor], grain: float) -> float:
    """How well `D_gray` tells crops that it has not seen."""
    seed_step(1, 0)
    kinds = both_kinds(method, grays, JUDGED, grain)
    real, fake = (method.D_gray(images)[0].mean(dim=(1, 2, 3)).numpy() for images in kinds)
    return area_under_curve(fake, real)


def train(grays: list[Tensor], steps: int, every: int, grain: float, damage: bool) -> None:
    """Say what `D_gray` knows of other photos after each so many steps."""
    experiment = parse_experiment({"damage": damage, "data": {"size": SIZE}}, source="rounding")
    torch.manual_seed(0)
    method = CycleGAN(experiment, device=torch.device("cpu"))
    seen, unseen = grays[: len(grays) * 4 // 5], grays[len(grays) * 4 // 5 :]
    for step in range(steps):
        seed_step(0, step)
        rounded, unrounded = both_kinds(method, seen, BATCH, grain)
        loss = discriminator_loss(method.D_gray(rounded), method.D_gray(unrounded), "hinge")
        method.optimizers["D"].zero_grad()
        loss.backward()
        method.optimizers["D"].step()
        if (step + 1) % every == 0:
            told = known(method, unseen, grain)
            print(f"{step + 1:6,} steps: loss {loss.item():.3f}, telling {told:.3f}", flush=True)


def main() -> None:
    """Train, and say what it knows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path)
    parser.add_argument("--count", type=int, default=500, help="Photos, spread evenly over the folder.")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--every", type=int, default=100, help="Steps between two looks.")
    parser.add_argument("--grain", type=float, default=0.01)
    parser.add_argument("--damage", action="store_true")
    arguments = parser.parse_args()
    paths = find_photos(arguments.photos)
    chosen = np.linspace(0, len(paths) - 1, min(arguments.count, len(paths))).round().astype(int)
    grays = grays_of([paths[i] for i in np.random.default_rng(0).permutation(chosen)])
    train(grays, arguments.steps, arguments.every, arguments.grain, arguments.damage)


if __name__ == "__main__":
    main()
