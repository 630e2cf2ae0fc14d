"""`log.jsonl`: a line of losses every `log_every` steps."""

import json
from collections.abc import Callable
from pathlib import Path

from ..photos import atomic_write


class RunLog:
    """The log of a run. A full disk costs lines of it, never the training."""

    def __init__(self, run_dir: Path, say: Callable[[str], None]):
        self.path, self.say = Path(run_dir) / "log.jsonl", say
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
                self.say(f"{self.path}: cannot be written: {error.strerror}; training goes on without it")
            self._failed = True


def _step(line: bytes) -> float:
    try:
        return json.loads(line)["step"]
    except ValueError:
        return float("inf")
