"""LPIPS, FID and KID: what networks trained on photographs see, through torchmetrics and torch-fidelity.

Their weights are PyTorch files of their makers, which the two libraries load themselves. Nothing is fetched
here, and a file is used only if its SHA-256 is that of the published one: that, not its format, is what keeps
a stranger's file out.
"""

import hashlib
import shlex
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from ..errors import CycleColorError
from .scores import Score, interval

PACKAGES = {"torchmetrics": "torchmetrics>=1.9,<2", "torch_fidelity": "torch-fidelity>=0.4,<0.5"}
# Where AlexNet (of torchvision) and Inception (of torch-fidelity) are published, and their SHA-256.
WEIGHTS = {
    "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth": (
        "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02"
    ),
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth": (
        "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
    ),
}
FEATURES = "inception"  # what `Perceptual.measure` calls them
FEWEST = 4  # images that FID and KID are measured on
SUBSETS, SUBSET_SIZE = 100, 1000  # of KID; smaller sets are halved


class Perceptual:
    """The two networks: a distance of two images, and the features by which sets are compared.

    Parameters
    ----------
    lpips : callable
        Of two batches of sRGB (N, 3, H, W) in [0, 1], to their distances (N,).
    inception : callable
        Of images (N, 3, H, W) uint8 of any size, to a tuple with their features (N, k).
    """

    def __init__(
        self, lpips: Callable[[Tensor, Tensor], Tensor], inception: Callable[[Tensor], tuple[Tensor, ...]]
    ):
        self.lpips, self.inception = lpips, inception

    @torch.no_grad()
    def measure(self, rgb: Tensor, true_rgb: Tensor) -> dict[str, Tensor]:
        """What is measured on each image, sRGB (N, 3, H, W) in [0, 1]: (N, 1), (N, k) features."""
        rgb, true_rgb = rgb.clamp(0, 1), true_rgb.clamp(0, 1)  # lightness put back may be off by rounding
        features, *_ = self.inception((rgb * 255).round().byte())
        return {"lpips": self.lpips(rgb, true_rgb).reshape(-1, 1), FEATURES: features}


def load_perceptual() -> Perceptual:
    """LPIPS by AlexNet, and Inception as FID's authors had it (their resizing to 299 pixels included).

    Raises
    ------
    CycleColorError
        If a package or a file of weights is missing or damaged: says which, and how to get it.
    """
    _require()
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    lpips = LearnedPerceptualImagePatchSimilarity(net_type="alex", reduction="none", normalize=True)
    inception = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], verbose=False)
    for network in (lpips, inception):
        network.to(device)
    return Perceptual(
        lambda rgb, true_rgb: lpips(rgb.to(device), true_rgb.to(device)).cpu(),
        lambda images: (inception(images.to(device))[0].cpu(),),
    )


def fid_biased(features: Tensor, true_features: Tensor) -> Score | None:
    """Fréchet distance (Heusel et al., 2017) of outputs (n, k) to the truth (n, k) of the same photos.

    Its estimate is biased: the fewer the images, the larger. Only sets of one size compare, and it has no
    interval, because resampling adds to the bias.
    """
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    if len(features) < FEWEST:
        return None
    both = torch.cat([features, true_features]).double()
    # Turned into the space that the images span: the same distance, much faster for small sets.
    turned = both @ torch.linalg.qr(both.T).Q
    statistics = map(fid_features_to_statistics, turned.split(len(features)))
    (value,) = fid_statistics_to_metric(*statistics, verbose=False).values()
    return Score(max(value, 0.0))


def kid_x1000(features: Tensor, true_features: Tensor) -> Score | None:
    """Kernel distance (Bińkowski et al., 2018) of outputs (n, k) to the truth (n, k), times 1000.

    Each subset compares outputs of some photos with the truth of others: an output beside its own truth
    would make the estimate too low. So it is unbiased. The interval holds 95% of the subsets.
    """
    from torch_fidelity.metric_kid import kernel_mmd

    n = len(features)
    if n < FEWEST:
        return None
    size = min(n // 2, SUBSET_SIZE)
    outputs, truth = (x.double().numpy() for x in (features, true_features))
    generator = torch.Generator().manual_seed(0)
    values = []
    for _ in range(SUBSETS):
        order = torch.randperm(n, generator=generator).numpy()
        values.append(1000 * kernel_mmd(outputs[order[:size]], truth[order[size : 2 * size]]))
    return interval(sum(values) / SUBSETS, torch.tensor(values))


BETWEEN_SETS = {"fid_biased": fid_biased, "kid_x1000": kid_x1000}


def _require() -> None:
    """Raise unless packages and weights are there, with the commands that get them."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    commands = []
    if missing:
        commands.append("python -m pip install " + shlex.join(PACKAGES[name] for name in missing))
    for url, digest in WEIGHTS.items():
        path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
        if not path.is_file():
            missing.append(str(path))
        elif _sha256(path) != digest:
            missing.append(f"{path} as published (this one is damaged)")
        else:
            continue
        commands.append(shlex.join(["curl", "-fL", "--create-dirs", "-o", str(path), url]))
    if missing:
        raise CycleColorError(
            f"--perceptual needs {', '.join(missing)}; get it with: {' && '.join(commands)}",
            exit_code=2,
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
