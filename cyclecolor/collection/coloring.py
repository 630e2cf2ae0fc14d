"""What becomes of a photo or a tar once it is at hand: by the same code as that of a folder."""

import tempfile
from pathlib import Path

import cv2
import torch

from ..hardware import pick_device
from ..inference import Colorizer, load
from ..photos import PhotoError, is_tar, provenance_in
from ..translation.manifest import Record
from ..translation.no_manifest import NoManifest
from ..translation.one_photo import PhotoTranslator
from ..translation.plan import COLORED, OURS, Task
from .tars import Places, TarTranslator, record_of_tar
from .verdicts import refused
from .work import Item, Work

BYTES_OF_A_PIXEL, BESIDES = 16, 1 << 26  # the largest file for its pixels: twice 64 bits each, and metadata
LOCAL = ("mtime_ns", "output_mtime_ns")  # of files that nobody sees


class Coloring:
    """Colors files of this machine, and asks no store.

    Parameters
    ----------
    work : Work
    colorizer : Colorizer

    Attributes
    ----------
    limit : int
        Bytes that a photo may have.
    """

    def __init__(self, work: Work, colorizer: Colorizer):
        self.options = work.options
        self.limit = BYTES_OF_A_PIXEL * work.options.max_pixels + BESIDES
        self.translate = PhotoTranslator(colorizer, work.options, NoManifest(overwrite=True), work.hints)
        self.translate_tar = TarTranslator(self.photo, work.options.suffix, self.limit)

    def __call__(self, item: Item, task: Task, places: Places) -> list[Record]:
        """Write `task.target`; the records of a tar's photos, then that of the item itself."""
        return self.tar(item, task, places) if is_tar(item.name) else [self.photo(task, places)]

    def photo(self, task: Task, places: Places) -> Record:
        """Its record; whatever goes wrong is its refusal."""
        is_to_color = self.options.direction == "to-color"
        if is_to_color and (provenance_in(task.source) or "").startswith(COLORED):
            return {"status": "passed over", "reason": OURS}
        _, record = self.translate(task)
        if "reason" in record:
            for path, place in zip((task.source, task.target), places, strict=True):
                record["reason"] = record["reason"].replace(str(path), place)
        return {key: value for key, value in record.items() if key not in LOCAL}

    def tar(self, item: Item, task: Task, places: Places) -> list[Record]:
        """Those of its photos, if it is whole, then its own."""
        try:
            members = self.translate_tar(item, task, places)
            return [*members, record_of_tar(task, members)]
        except PhotoError as error:
            return [refused(error.reason, error)]
        except OSError as error:
            return [refused("unwritable", f"{places[1]}: no room on this machine's disk: {error.strerror}")]


def colorizer_of(work: Work) -> Colorizer:
    """That of the checkpoint which travels along, in a process that does nothing else: on one core."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory(prefix="cyclecolor-") as folder:
        path = Path(folder) / work.checkpoint[0]
        path.write_bytes(work.checkpoint[1])
        return load(path, device=pick_device(work.device), **work.look)
