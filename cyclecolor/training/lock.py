"""One training at a time in a run's folder."""

import fcntl
import os
import socket
from pathlib import Path

from ..errors import CycleColorError


class RunLock:
    """Held until `release` or the end of the process, however it ends.

    A record lock (`lockf`), not `flock`: loader processes, which may outlive a killed trainer by some
    seconds, do not inherit it.

    Raises
    ------
    CycleColorError
        If another process holds it, or the folder cannot be written.
    """

    def __init__(self, run_dir: Path):
        self.path = Path(run_dir) / ".lock"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor: int | None = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise CycleColorError(f"{run_dir}: cannot be written: {error.strerror}") from None
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(self._descriptor, 200).decode(errors="replace").strip()
            os.close(self._descriptor)
            raise CycleColorError(
                f"{run_dir}: another training is running there ({holder}); "
                "stop it, or choose another --run-dir"
            ) from None
        os.truncate(self._descriptor, 0)
        os.write(self._descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode())

    def release(self) -> None:
        """Let another training in; once is enough."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
