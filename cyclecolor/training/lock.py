"""One training at a time in a run's folder."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

from ..errors import CycleColorError
from ..files import Busy, hold_file


class RunLock:
    """Held until `release` or the end of the process, however it ends.

    Raises
    ------
    CycleColorError
        If another process holds it, or the folder cannot be written.
    """

    def __init__(self, run_dir: Path):
        self.path = Path(run_dir) / ".lock"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._release: Callable[[], None] | None = hold_file(
                self.path, f"process {os.getpid()} on {socket.gethostname()}\n"
            )
        except OSError as error:
            raise CycleColorError(f"{run_dir}: cannot be written: {error.strerror}") from None
        except Busy as busy:
            raise CycleColorError(
                f"{run_dir}: another training is running there ({busy}); stop it, or choose another --run-dir"
            ) from None

    def release(self) -> None:
        """Let another training in; once is enough."""
        if self._release is not None:
            self._release()
            self._release = None
