"""`log.jsonl`: a line of losses every `log_every` steps."""

import json
import logging
from pathlib import Path

from ..files import atomic_write

logger = logging.getLogger("cyclecolor")


class RunLog:
    """The log of a run. A full disk costs lines of it, never the training."""

    def __init__(self, run_dir: Path):
        self.path = Path(run_dir) / "log.jsonl"
        self._failed = False

    def trim(self, step: int) -> None:
        """Drop the lines of steps that will be done again, and one that was cut short."""
        if self.path.is_file():
            lines = self.path.read_bytes().splitlines(keepends=True)
            kept = [line for line in lines if _step(line) <= step]
            atomic_write(self.path, lambda file: file.write(b"".join(kept)))

    def append(self, step: int, values: dict[str, float]) -> None:
        """Add the line of a step."""
        try:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps({"step": step, **values}) + "\n")
        except OSError as error:
            if not self._failed:
                logger.warning(
                    "%s: cannot be written: %s; training continues without a log", self.path, error.strerror
                )
            self._failed = True


def _step(line: bytes) -> float:
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):
        return float("inf")
