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
        parts: list[np.ndarray] = []
        sizes, used = [], 0
        found = find_photos(self.root)
        with ThreadPoolExecutor(2) as readers:
            for path, image in zip(progress(found), readers.map(self._try, found), strict=True):
                if isinstance(image, PhotoError):
                    self.refused.append(image)
                    continue
                self.paths.append(path)
                sizes.append(_bytes_of(path))
                self.short_sides.append(min(image.shape[:2]))
                fits = used + image.size <= cache_bytes
                self._shapes.append(image.shape if fits else ())
                self._starts.append(used)
                if fits:
                    parts.append(image.reshape(-1))
                    used += image.size
        if not self.paths:
            raise CycleColorError(f"{root}: none of its {len(found)} photos can be read", exit_code=2)
        names = [f"{p.relative_to(self.root).as_posix()}:{n}" for p, n in zip(self.paths, sizes, strict=True)]
        self._names = sha256("\n".join(names).encode("utf-8", "surrogateescape")).hexdigest()[:16]
        # One flat tensor serves every loader process without copies: forked ones see it as it is, to others
        # PyTorch sends it through shared memory. Each photo is dropped when it is in there.
        self._cache = torch.empty(used, dtype=torch.uint8)
        while parts:
            part = parts.pop()
            self._cache[used - len(part) : used] = torch.from_numpy(part)
            used -= len(part)

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
        """What this pile was when it was opened, for the checkpoint: a count, a hash of names and sizes."""
        return {"folder": self.root.name, "photos": len(self.paths), "names_sha256": self._names}


def _bytes_of(path: Path) -> int:
    """Of a file, which may be gone since it was read."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


Pile = ScenePile | FolderPile
