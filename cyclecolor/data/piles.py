"""Piles of photographs: anything with a length whose items are (H, W, 3) uint8 sRGB."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch

from ..errors import CycleColorError
from ..photos import PhotoError, find_photos, read_rgb8
from .scenes import render_scene


class ScenePile:
    """Generated scenes: `count` of them in the series `seed`, each rendered when it is first asked for."""

    def __init__(self, seed: int, count: int, *, size: int):
        self.seed, self.count, self.size = seed, count, size
        self._rendered: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> np.ndarray:
        if index not in self._rendered:
            self._rendered[index] = render_scene(self.seed, index, size=self.size)
        return self._rendered[index]

    def fingerprint(self) -> dict[str, int]:
        """What this pile is, for the checkpoint."""
        return {"scenes": self.count, "seed": self.seed, "size": self.size}


class FolderPile:
    """The photos of a folder, decoded once to a short side of `load_size` and kept as uint8.

    What does not fit `cache_bytes` is decoded whenever it is asked for. Unreadable files are set
    aside: `refused` lists them with their reason.
    """

    def __init__(
        self,
        root: Path,
        *,
        load_size: int,
        cache_bytes: float,
        progress: Callable[[Sequence[Path]], Sequence[Path]] = lambda paths: paths,
    ):
        self.root, self.load_size = Path(root), load_size
        self.paths: list[Path] = []
        self.refused: list[PhotoError] = []
        self.short_sides: list[int] = []  # in pixels, of the photos as they are kept
        self._shapes: list[tuple[int, ...]] = []
        self._starts: list[int] = []
        parts, used = [], 0
        found = find_photos(self.root)
        with ThreadPoolExecutor(2) as readers:
            for path, image in zip(progress(found), readers.map(self._try, found), strict=True):
                if isinstance(image, PhotoError):
                    self.refused.append(image)
                    continue
                self.paths.append(path)
                self.short_sides.append(min(image.shape[:2]))
                fits = used + image.size <= cache_bytes
                self._shapes.append(image.shape if fits else ())
                self._starts.append(used)
                if fits:
                    parts.append(image.reshape(-1))
                    used += image.size
        if not self.paths:
            raise CycleColorError(f"{root}: none of its {len(found)} photos can be read", exit_code=2)
        # One flat tensor in shared memory serves every loader process without copies.
        flat = np.concatenate(parts) if parts else np.empty(0, np.uint8)
        self._cache = torch.from_numpy(flat).share_memory_()

    def _try(self, path: Path) -> np.ndarray | PhotoError:
        try:
            return read_rgb8(path, short_side=self.load_size)
        except PhotoError as error:
            return error

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> np.ndarray:
        shape = self._shapes[index]
        if not shape:
            return read_rgb8(self.paths[index], short_side=self.load_size)
        start = self._starts[index]
        return self._cache[start : start + int(np.prod(shape))].numpy().reshape(shape)

    def fingerprint(self) -> dict[str, str | int]:
        """What this pile is, for the checkpoint: how many photos, and a hash of names and sizes."""
        names = [f"{p.relative_to(self.root).as_posix()}:{p.stat().st_size}" for p in self.paths]
        digest = sha256("\n".join(names).encode("utf-8", "surrogateescape")).hexdigest()[:16]
        return {"folder": self.root.name, "photos": len(self.paths), "names_sha256": digest}


Pile = ScenePile | FolderPile
