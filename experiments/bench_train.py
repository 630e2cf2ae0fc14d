"""Training speed, side by side with the CycleGAN that everybody uses, in one run.

    python experiments/bench_train.py [--quick] [--threads N] [--original FOLDER]

The reference is written here anew from the papers (Zhu et al., 2017; Isola et al., 2017; Johnson et al.,
2016), as plainly as it is run: ResNet-9 of 64 filters, 70x70 PatchGAN, least squares, cycle 10, identity 0.5,
a pool of 50, Adam, float32, batches of 1, PIL and torchvision for each image, six generator passes.
`--original` names a clone of pytorch-CycleGAN-and-pix2pix whose own networks are then timed in the same step.

Every contender is a process of its own and they take turns, so that all see the same machine.
"""

import argparse
import itertools
import multiprocessing
import os
import platform
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision import transforms

from cyclecolor.config import Data, Experiment
from cyclecolor.data import batches, open_dataset, open_piles, render_scene
from cyclecolor.methods import METHODS
from cyclecolor.methods.image_pool import ImagePool
from cyclecolor.methods.losses import discriminator_loss, generator_loss, l1
from cyclecolor.networks import PatchDiscriminator, ResnetGenerator
from cyclecolor.training import precision

CYCLE, IDENTITY = 10.0, 0.5
PHOTOS, PHOTO_SIZE = 16, 286  # of each pile, in pixels: the reference's load size
TOLERANCE = 1e-4  # of the check that both compute the same losses, relative


# The reference, from the papers.


def reference_generator() -> nn.Sequential:
    """ResNet-9 with 64 filters."""

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(
                nn.ReflectionPad2d(1), nn.Conv2d(256, 256, 3), nn.InstanceNorm2d(256), nn.ReLU(True),
                nn.ReflectionPad2d(1), nn.Conv2d(256, 256, 3), nn.InstanceNorm2d(256),
            )  # fmt: skip

        def forward(self, x):
            return x + self.body(x)

    def down(inputs: int, outputs: int) -> list[nn.Module]:
        return [nn.Conv2d(inputs, outputs, 3, 2, 1), nn.InstanceNorm2d(outputs), nn.ReLU(True)]

    def up(inputs: int, outputs: int) -> list[nn.Module]:
        convolution = nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, output_padding=1)
        return [convolution, nn.InstanceNorm2d(outputs), nn.ReLU(True)]

    first = [nn.ReflectionPad2d(3), nn.Conv2d(3, 64, 7), nn.InstanceNorm2d(64), nn.ReLU(True)]
    last = [nn.ReflectionPad2d(3), nn.Conv2d(64, 3, 7), nn.Tanh()]
    blocks = [Block() for _ in range(9)]
    return nn.Sequential(*first, *down(64, 128), *down(128, 256), *blocks, *up(256, 128), *up(128, 64), *last)


def reference_discriminator() -> nn.Sequential:
    """70x70 PatchGAN."""
    layers = [nn.Conv2d(3, 64, 4, 2, 1), nn.LeakyReLU(0.2, True)]
    for inputs, outputs, stride in ((64, 128, 2), (128, 256, 2), (256, 512, 1)):
        layers += [nn.Conv2d(inputs, outputs, 4, stride, 1), nn.InstanceNorm2d(outputs)]
        layers.append(nn.LeakyReLU(0.2, True))
    return nn.Sequential(*layers, nn.Conv2d(512, 1, 4, 1, 1))


class Pair:
    """Four networks, two Adams and two pools: what both contenders have."""

    def __init__(self, generator: Callable, discriminator: Callable, *, device: torch.device):
        torch.manual_seed(0)
        self.G_A, self.G_B = generator().to(device), generator().to(device)
        self.D_A, self.D_B = discriminator().to(device), discriminator().to(device)
        self.pools = ImagePool(50), ImagePool(50)
        fused = device.type == "cuda" and isinstance(self, Ours)
        self.optimizers = [
            torch.optim.Adam(
                itertools.chain(one.parameters(), other.parameters()), 2e-4, (0.5, 0.999), fused=fused or None
            )
            for one, other in ((self.G_A, self.G_B), (self.D_A, self.D_B))
        ]

    def freeze(self, frozen: bool) -> None:
        """Whether the discriminators keep gradients."""
        for network in (self.D_A, self.D_B):
            network.requires_grad_(not frozen)


class Reference(Pair):
    """The step as it is commonly written."""

    def step(self, real_A: Tensor, real_B: Tensor) -> dict[str, Tensor]:
        """Six generator passes, then the discriminators one after the other."""
        mse, absolute = nn.MSELoss(), nn.L1Loss()
        self.freeze(True)
        fake_B, fake_A = self.G_A(real_A), self.G_B(real_B)
        rec_A, rec_B = self.G_B(fake_B), self.G_A(fake_A)
        judged_B, judged_A = self.D_A(fake_B), self.D_B(fake_A)
        losses = {
            "gan_A": mse(judged_B, torch.ones_like(judged_B)),
            "gan_B": mse(judged_A, torch.ones_like(judged_A)),
            "cycle_A": absolute(rec_A, real_A),
            "cycle_B": absolute(rec_B, real_B),
            "identity_A": absolute(self.G_A(real_B), real_B),
            "identity_B": absolute(self.G_B(real_A), real_A),
        }
        self.optimizers[0].zero_grad()
        total(losses).backward()
        self.optimizers[0].step()
        self.freeze(False)
        self.optimizers[1].zero_grad()
        for name, judge, real, fake, pool in (
            ("D_A", self.D_A, real_B, fake_B, self.pools[0]),
            ("D_B", self.D_B, real_A, fake_A, self.pools[1]),
        ):
            on_real, on_fake = judge(real), judge(pool.query(fake))
            losses[name] = (
                mse(on_real, torch.ones_like(on_real)) + mse(on_fake, torch.zeros_like(on_fake))
            ) / 2
            losses[name].backward()
        self.optimizers[1].step()
        return losses


class Ours(Pair):
    """The same step of our networks: translation and identity in one pass."""

    def __init__(self, *, device: torch.device, bfloat16: bool):
        super().__init__(
            lambda: precision.lay_out(ResnetGenerator(3, 3)),
            lambda: precision.lay_out(PatchDiscriminator(3)),
            device=device,
        )
        self.autocast = torch.autocast(device.type, torch.bfloat16, enabled=bfloat16)

    def step(self, real_A: Tensor, real_B: Tensor) -> dict[str, Tensor]:
        """Update both generators, then both discriminators."""
        self.freeze(True)
        with self.autocast:
            fake_B, same_B = self.G_A(torch.cat([real_A, real_B])).chunk(2)
            fake_A, same_A = self.G_B(torch.cat([real_B, real_A])).chunk(2)
            losses = {
                "gan_A": generator_loss(self.D_A(fake_B), "least_squares"),
                "gan_B": generator_loss(self.D_B(fake_A), "least_squares"),
                "cycle_A": l1(self.G_B(fake_B), real_A),
                "cycle_B": l1(self.G_A(fake_A), real_B),
                "identity_A": l1(same_B, real_B),
                "identity_B": l1(same_A, real_A),
            }
        self.optimizers[0].zero_grad()
        total(losses).backward()
        self.optimizers[0].step()
        self.freeze(False)
        fake_B, fake_A = self.pools[0].query(fake_B.float()), self.pools[1].query(fake_A.float())
        with self.autocast:
            losses["D_A"] = discriminator_loss(self.D_A(real_B), self.D_A(fake_B), "least_squares")
            losses["D_B"] = discriminator_loss(self.D_B(real_A), self.D_B(fake_A), "least_squares")
        self.optimizers[1].zero_grad()
        (losses["D_A"] + losses["D_B"]).backward()
        self.optimizers[1].step()
        return losses


def total(losses: dict[str, Tensor]) -> Tensor:
    """The generators' weighted sum."""
    weights = {"gan": 1.0, "cycle": CYCLE, "identity": CYCLE * IDENTITY}
    return sum(weights[name.split("_")[0]] * loss for name, loss in losses.items())


def largest_difference(size: int) -> float:
    """Largest relative difference of any loss of a step from the same weights and images."""
    device = torch.device("cpu")
    reference = Reference(reference_generator, reference_discriminator, device=device)
    ours = Ours(device=device, bfloat16=False)
    for name in ("G_A", "G_B", "D_A", "D_B"):
        values = getattr(reference, name).parameters()
        for mine, theirs in zip(getattr(ours, name).parameters(), values, strict=True):
            mine.data.copy_(theirs)
    images = [torch.rand(1, 3, size, size) * 2 - 1 for _ in range(2)]
    got, wanted = ours.step(*images), reference.step(*images)
    return max(abs(got[name].item() / wanted[name].item() - 1) for name in wanted)


# Data, each in its own manner.


def write_photos(folder: Path) -> None:
    """Generated scenes as JPEG, two piles."""
    for seed, pile in enumerate(("trainA", "trainB")):
        (folder / pile).mkdir()
        for i in range(PHOTOS):
            scene = Image.fromarray(render_scene(seed, i, size=96)).resize((PHOTO_SIZE, PHOTO_SIZE))
            scene.save(folder / pile / f"{i}.jpg", quality=92)


def reference_batches(folder: Path, size: int) -> Iterator[list[Tensor]]:
    """PIL and torchvision, an image at a time, batches of one."""
    change = transforms.Compose(
        [
            transforms.Resize(size * 286 // 256, transforms.InterpolationMode.BICUBIC),
            transforms.RandomCrop(size),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize((0.5,) * 3, (0.5,) * 3),
        ]
    )
    for i in itertools.count():
        paths = (folder / pile / f"{i % PHOTOS}.jpg" for pile in ("trainA", "trainB"))
        yield [change(Image.open(path).convert("RGB"))[None] for path in paths]


def our_batches(folder: Path, size: int, batch_size: int) -> Iterator[dict[str, Tensor]]:
    """The package's own piles."""
    data = Data(root=str(folder), size=size, load_size=PHOTO_SIZE)
    dataset = open_dataset(open_piles(data, paired=False), data, paired=False, seed=0)
    return batches(dataset, start=0, stop=10**6, batch_size=batch_size, workers=0)


# Contenders, each in a process of its own.


def contend(pipe, name: str, folder: Path, size: int, batch_size: int, threads: int, original: str) -> None:
    """Answer each number received with (seconds a step, share of it spent waiting for data, peak bytes)."""
    torch.set_num_threads(threads)
    device = precision.pick_device()
    if name in ("reference", "original"):
        step, walk = reference_step(original if name == "original" else None, device), None
        walk = reference_batches(folder, size)
        if batch_size > 1:
            walk = ([torch.cat([image] * batch_size) for image in batch] for batch in walk)
    else:
        precision.keep_memory()
        step = our_step(name, folder, size, batch_size, device)
        walk = our_batches(folder, size, batch_size)
    while count := pipe.recv():
        times, waits = [], []
        for _ in range(count):
            start = time.perf_counter()
            batch = next(walk)
            waits.append(time.perf_counter() - start)
            losses = step(batch)
            losses["D_A" if "D_A" in losses else "D_color"].item()  # waits for a GPU
            times.append(time.perf_counter() - start)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        pipe.send((times, sum(waits) / sum(times), peak))


def reference_step(original: str | None, device: torch.device) -> Callable:
    """The reference's step on our plain networks, or on those of a clone of the original."""
    generator, discriminator = reference_generator, reference_discriminator
    if original:
        sys.path.insert(0, original)
        from models import networks

        norm = networks.get_norm_layer("instance")

        def generator() -> nn.Module:
            return networks.ResnetGenerator(3, 3, 64, norm_layer=norm, n_blocks=9)

        def discriminator() -> nn.Module:
            return networks.NLayerDiscriminator(3, 64, n_layers=3, norm_layer=norm)

    pair = Reference(generator, discriminator, device=device)
    return lambda batch: pair.step(*(image.to(device) for image in batch))


def our_step(name: str, folder: Path, size: int, batch_size: int, device: torch.device) -> Callable:
    """`ours`, the reference's algorithm on our networks, or `default`, our default experiment."""
    bfloat16 = precision.use_bfloat16("auto", device)
    if name == "ours":
        pair = Ours(device=device, bfloat16=bfloat16)
        return lambda batch: pair.step(
            *(batch[pile].to(device).float() / 127.5 - 1 for pile in ("gray", "color"))
        )
    experiment = Experiment(batch_size=batch_size, data=Data(root=str(folder), size=size))
    method = METHODS[experiment.method](experiment, device=device, bfloat16=bfloat16)
    for network in method.networks.values():
        precision.lay_out(network)
    return method.train_step


class Contender:
    """A process that steps when asked."""

    def __init__(self, name: str, folder: Path, *, size: int, batch_size: int, threads: int, original: str):
        context = multiprocessing.get_context("spawn")
        self.name, self.batch_size, self.times = name, batch_size, []
        self.pipe, end = context.Pipe()
        arguments = (end, name, folder, size, batch_size, threads, original)
        self.process = context.Process(target=contend, args=arguments, daemon=True)
        self.process.start()

    def ask(self, count: int) -> None:
        """Begin `count` steps."""
        self.pipe.send(count)

    def hear(self, *, keep: bool = True) -> None:
        """Wait for what was asked."""
        times, self.waiting, self.peak = self.pipe.recv()
        self.times += times if keep else []

    def run(self, count: int, *, keep: bool = True) -> None:
        """Do `count` steps; the first ones of a process warm up and are not kept."""
        self.ask(count)
        self.hear(keep=keep)

    @property
    def seconds(self) -> float:
        """Median seconds for an image of each pile."""
        return statistics.median(self.times) / self.batch_size

    def close(self) -> None:
        """End the process."""
        self.pipe.send(0)
        self.process.join()


def race(names: list[str], folder: Path, *, rounds: int, warm: int = 1, **options) -> dict[str, Contender]:
    """Let contenders take turns, a step each, and say their medians."""
    contenders = [
        Contender(name, folder, batch_size=16 if name == "default" else 1, **options) for name in names
    ]
    for contender in contenders:
        contender.run(warm, keep=False)
    for _ in range(rounds):
        for contender in contenders:
            contender.run(1)
    for contender in contenders:
        print(
            f"{contender.name:<10} {options['size']} px: {contender.seconds:8.3f} s an image pair, "
            f"{1 / contender.seconds:7.3f} pairs/s, waiting for data {contender.waiting:.2%}",
            flush=True,
        )
        contender.close()
    return {contender.name: contender for contender in contenders}


def memory_per_image(name: str, folder: Path, **options) -> float:
    """Bytes that a further image pair adds to the peak of a process, between batches of 1 and 3."""
    peaks = []
    for batch_size in (1, 3):
        contender = Contender(name, folder, batch_size=batch_size, **options)
        contender.run(3)
        peaks.append(contender.peak)
        contender.close()
    return (peaks[1] - peaks[0]) / 2


def two_processes(folder: Path, *, original: str) -> tuple[float, float]:
    """Image pairs a second of our default at 64 px: two processes of one thread, one process of two."""
    rates = []
    for count, threads in ((2, 1), (1, 2)):
        options = {"size": 64, "batch_size": 16, "threads": threads, "original": original}
        contenders = [Contender("default", folder, **options) for _ in range(count)]
        for keep, steps in ((False, 2), (True, 5)):
            for contender in contenders:
                contender.ask(steps)
            for contender in contenders:
                contender.hear(keep=keep)
        rates.append(sum(1 / contender.seconds for contender in contenders))
        for contender in contenders:
            contender.close()
    return rates[0], rates[1]


def step_flops(size: int) -> int:
    """Arithmetic of the reference's step, its convolutions counted as direct sums."""
    device = torch.device("meta")
    pair = Reference(reference_generator, reference_discriminator, device=device)
    with FlopCounterMode(display=False) as counter:
        pair.step(*(torch.empty(1, 3, size, size, device=device) for _ in range(2)))
    return counter.get_total_flops()


def achievable_flops(threads: int) -> float:
    """Arithmetic a second of a large matrix product, float32 on CPU, bfloat16 on a GPU: best of 10."""
    torch.set_num_threads(threads)
    device = precision.pick_device()
    side, dtype = (8192, torch.bfloat16) if device.type == "cuda" else (2048, torch.float32)
    matrix = torch.rand(side, side, device=device, dtype=dtype)
    best = 0.0
    for _ in range(10):
        start = time.perf_counter()
        product = matrix @ matrix
        float(product[0, 0])
        best = max(best, 2 * side**3 / (time.perf_counter() - start))
    return best


def scaling(folder: Path, *, threads: int, original: str) -> None:
    """Step time of our default against pixels and batch size; a bar is time for each pixel."""
    for title, cases in (
        ("pixels, batches of 2", [(size, 2) for size in (64, 96, 128, 192, 256, 384, 512)]),
        ("batch size, 64 px", [(64, batch) for batch in (1, 2, 4, 8, 16, 32)]),
    ):
        print(f"\n{title}:   side  batch      s/step   ns/pixel")
        for size, batch_size in cases:
            contender = Contender(
                "default", folder, size=size, batch_size=batch_size, threads=threads, original=original
            )
            contender.run(2, keep=False)
            contender.run(3)
            seconds = contender.seconds * batch_size
            each = seconds / (batch_size * size**2) * 1e9
            print(
                f"{size:>28} {batch_size:>6} {seconds:11.3f} {each:10.0f} {'#' * round(each / 200)}",
                flush=True,
            )
            contender.close()


def main() -> None:
    """Measure, and say the ratios last."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer turns, no scaling table")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--original", default="", help="folder of a clone of pytorch-CycleGAN-and-pix2pix")
    options = parser.parse_args()
    cpu = next((x for x in _lines("/proc/cpuinfo") if x.startswith("model name")), platform.processor())
    print(f"{cpu}, {os.cpu_count()} cores, {options.threads} threads, load {os.getloadavg()[0]:.1f}")
    print(f"torch {torch.__version__}, python {platform.python_version()}, {precision.pick_device()}")
    common = {"threads": options.threads, "original": options.original}
    rounds = 3 if options.quick else 7
    ratios: list[tuple[str, str]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_photos(folder)
        difference = largest_difference(64)
        print(f"same losses from the same weights: to {difference:.1e} (at most {TOLERANCE:.0e})")
        if difference > TOLERANCE:
            sys.exit("the contenders do not compute the same")
        names = ["reference", *(["original"] if options.original else []), "ours"]
        for size in (128, 256):
            default = ["default"] if size == 128 or not options.quick else []
            timed = race(names + default, folder, size=size, rounds=rounds, **common)
            reference = timed["reference"].seconds
            what = f"same algorithm, same networks, same batch, {size} px"
            ratios.append((what, f"{reference / timed['ours'].seconds:.2f} x"))
            if default:
                ratios.append(
                    (f"default to default, {size} px", f"{reference / timed['default'].seconds:.2f} x")
                )
            if "original" in timed:
                original = timed["original"].seconds / timed["ours"].seconds
                ratios.append((f"same, against the original's own networks, {size} px", f"{original:.2f} x"))
            best = achievable_flops(options.threads)
            share = step_flops(size) / timed["ours"].seconds / best
            theirs = step_flops(size) / reference / best
            ratios.append(
                (f"achieved over achievable arithmetic, {size} px", f"{share:.0%} (reference {theirs:.0%})")
            )
            slowest = max(timed[n].waiting for n in timed if n in ("ours", "default"))
            ratios.append((f"waiting for data, 0 workers, {size} px", f"{slowest:.2%}"))
        memory = {
            n: memory_per_image(n, folder, size=128, **common) for n in ("reference", "ours", "default")
        }
        print("bytes an image pair, 128 px: " + ", ".join(f"{n} {b / 1e6:.0f} MB" for n, b in memory.items()))
        for n in ("ours", "default"):
            ratios.append(
                (f"memory per image of the training step, {n}", f"{memory[n] / memory['reference']:.2f}")
            )
        apart, together = two_processes(folder, original="")
        ratios.append(
            ("two processes on two cores against one with two threads", f"{apart / together:.2f} x")
        )
        if not options.quick:
            scaling(folder, **common)
    print()
    for what, ratio in ratios:
        print(f"{what}: {ratio}")


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).is_file() else []


if __name__ == "__main__":
    main()
