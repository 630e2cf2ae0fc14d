"""From an experiment's `data` table to piles and a data set."""

from collections.abc import Callable, Sequence
from os.path import expanduser
from pathlib import Path

from ..config import Data
from ..errors import CycleColorError
from ..files import quoted
from .augment import Augment, Tones
from .datasets import PairedDataset, UnpairedDataset
from .piles import FolderPile, Pile, ScenePile

# Folder names of the two piles: ours, and those of the pix2pix family (A is gray, B is color).
LAYOUTS = (("gray_train", "color_train"), ("trainA", "trainB"))
SCENES = {"gray": 101, "color": 102, "test": 103}  # seeds of three series with no scene in common
SCENE_COUNT = 4_000  # of each pile; at 64 px they take 50 MB


def open_piles(
    data: Data,
    *,
    paired: bool,
    progress: Callable[[Sequence[Path]], Sequence[Path]] = lambda paths: paths,
) -> dict[str, Pile]:
    """Open the `gray` (unless paired) and `color` piles of an experiment.

    Raises
    ------
    CycleColorError
        Naming the key to set or the folder that is missing or empty.
    """
    names = ("color",) if paired else ("gray", "color")
    if data.root is None and data.gray is None and data.color is None:
        return {name: ScenePile(SCENES[name], SCENE_COUNT, size=data.size) for name in names}
    folders = _folders(data)
    for name in names:
        if name not in folders:
            raise CycleColorError(f"data.{name} is not set; add --set data.{name}=FOLDER", exit_code=2)
    return {
        name: FolderPile(
            folders[name],
            load_size=data.load_size,
            cache_bytes=data.cache_gb * 1e9 / len(names),
            progress=progress,
        )
        for name in names
    }


def open_dataset(
    piles: dict[str, Pile], data: Data, *, paired: bool, seed: int
) -> UnpairedDataset | PairedDataset:
    """Make the data set of a method from its piles."""
    augment = Augment(data.size, data.min_scale)
    if paired:
        tones = Tones(data.tones) if data.tones else None
        return PairedDataset(
            piles["color"],
            augment=augment,
            seed=seed,
            film=data.film,
            film_share=data.film_share,
            tones=tones,
        )
    return UnpairedDataset(piles["gray"], piles["color"], augment=augment, seed=seed)


def _folders(data: Data) -> dict[str, Path]:
    given = {
        name: Path(expanduser(folder))
        for name, folder in (("gray", data.gray), ("color", data.color))
        if folder is not None
    }
    if data.root is None or len(given) == 2:
        return given
    root = Path(expanduser(data.root))
    for gray, color in LAYOUTS:
        if (root / gray).is_dir() and (root / color).is_dir():
            return {"gray": root / gray, "color": root / color} | given
    raise CycleColorError(
        f"{root}: has no folders gray_train/ and color_train/ (or trainA/ and trainB/); "
        f"make them with: cyclecolor prepare PHOTOS --output {quoted(root)}",
        exit_code=2,
    )
