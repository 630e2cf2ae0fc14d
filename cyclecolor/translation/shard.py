"""A folder shared among several jobs."""

import hashlib
import re
from dataclasses import dataclass
from typing import Self

from ..errors import CycleColorError


@dataclass(frozen=True)
class Shard:
    """The part `index` (1 to `count`) of a folder that is shared among `count` jobs."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `2/4`.

        Raises
        ------
        CycleColorError
            If it is no part of a whole.
        """
        match = re.fullmatch(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})", text, re.ASCII)
        if not match or int(match[1]) > int(match[2]):
            raise CycleColorError(f"--shard {text}: write it as 1/2 for the first of two parts", exit_code=2)
        return cls(int(match[1]), int(match[2]))

    def holds(self, name: str) -> bool:
        """Whether an input is of this part: by its name alone, so that all jobs agree."""
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8]) % self.count == self.index - 1
