"""TensorBoard's event files beside `log.jsonl`, for those who ask for them (`tensorboard = true`)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..color import RGBSpace, rgb_to_lab
from ..errors import of_extra
from ..evaluation.metrics import chroma_of
from ..methods import Method
from ..networks import FilmGenerator

FOLDER = "tensorboard"  # of a run's folder
SAMPLES, SIDE = 4, 160  # held-out photos that are shown, and their side in pixels


class EventFiles:
    """Losses of a run, and looks at it; after a resumption, what was written of later steps is taken back.

    Parameters
    ----------
    run_dir : Path
    step : int
        Steps done: what an earlier process wrote of later ones counts no more.

    Raises
    ------
    CycleColorError
        If the extra `tensorboard` is missing.
    """

    def __init__(self, run_dir: Path, step: int):
        with of_extra("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter
        self.writer = SummaryWriter(str(Path(run_dir) / FOLDER), purge_step=step + 1)

    def losses(self, step: int, losses: dict[str, float]) -> None:
        """The losses of a step."""
        self._numbers(step, "loss", losses)

    @torch.no_grad()
    def look(
        self, step: int, method: Method, generator: nn.Module, photos: Sequence[np.ndarray], error: float
    ) -> None:
        """How far a run is: its error on held-out photos, the first of them, its rates, the film it found."""
        self._numbers(step, "held-out photos", {"chroma error": error})
        rates = {
            name: max(group["lr"] for group in optimizer.param_groups)  # others learn at a share of it
            for name, optimizer in method.optimizers.items()
        }
        self._numbers(step, "learning rate", rates)
        film = method.networks.get("G_gray")
        if isinstance(film, FilmGenerator):
            self._numbers(step, "film", film.describe())
        colored = torch.cat([_colored(method, generator, photo) for photo in photos[:SAMPLES]]).cpu()
        self.writer.add_histogram("chroma", chroma_of(rgb_to_lab(colored)), step)
        row = torch.cat(list(colored), dim=2)
        self.writer.add_image("held-out photos", (row * 255).round().byte(), step)

    def close(self) -> None:
        """Write what is left."""
        self.writer.close()

    def _numbers(self, step: int, group: str, values: dict[str, float]) -> None:
        for name, value in values.items():
            self.writer.add_scalar(f"{group}/{name}", value, step)


def _colored(method: Method, generator: nn.Module, photo: np.ndarray) -> Tensor:
    """A photo (H, W, 3) as a generator colors its lightness: sRGB (1, 3, SIDE, SIDE) in [0, 1]."""
    image = torch.from_numpy(photo).permute(2, 0, 1)[None]
    gray, _ = method.read({"gray": image, "color": image})
    made = generator(gray).float()
    if isinstance(method.space, RGBSpace):
        rgb = method.space.rgb(made)
    else:
        rgb = method.space.merge(gray, F.interpolate(made, size=gray.shape[-2:], mode="bilinear"))
    return F.interpolate(rgb, size=(SIDE, SIDE), mode="area")
