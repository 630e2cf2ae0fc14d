"""The pages of a file as they are translated."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..files import shown
from ..inference import Hint
from ..photos import Photo, PhotoError, read_pages
from .options import Options
from .refusals import failure


class Pages:
    """The translated pages of a file, one at a time; what there is to say of those that were taken."""

    def __init__(
        self,
        path: Path,
        convert: Callable[[Photo], Photo],
        doubt: Callable[[Photo], np.ndarray] | None,
        options: Options,
        hints: Sequence[Hint],
    ):
        self.path, self.convert, self.doubt, self.options = path, convert, doubt, options
        self.hints = hints
        self.count, self.size = 0, (0, 0)
        self.doubts: list[np.ndarray] = []
        self.lost: dict[str, None] = {}  # names in order, each once
        self.warnings: dict[str, None] = {}

    def __iter__(self) -> Iterator[Photo]:
        for photo in read_pages(self.path, max_pixels=self.options.max_pixels):
            self.count += 1
            self.size = self.size if self.count > 1 else photo.pixels.shape[:2]
            self.lost |= dict.fromkeys(photo.metadata.lost)
            self.warnings |= dict.fromkeys(photo.warnings)
            try:
                self.doubts += [self.doubt(photo)] if self.doubt else []
                hinted = {"hints": self.hints} if self.hints and self.count == 1 else {}
                photo = self.convert(photo, **hinted)  # lets go of what was read: it may be a gigabyte
            except PhotoError as error:
                raise PhotoError(f"{shown(self.path)}: {error}", reason=error.reason) from None
            except (MemoryError, RuntimeError) as error:
                code, reason = failure(self.path, error)
                raise PhotoError(reason, reason=code) from error
            yield replace(photo, metadata=replace(photo.metadata, provenance=self._provenance()))

    def _provenance(self) -> str | None:
        sentence = self.options.provenance
        by_hand = len(self.hints) if self.count == 1 else 0
        return f"{sentence}; colors given by a person: {by_hand}" if sentence and by_hand else sentence
