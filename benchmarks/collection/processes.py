"""What processes use, as the system tells while they live."""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

EVERY = 0.2  # seconds from one look at all processes to the next
SHARE = 20  # times what a look takes, if that is more: those that are looked at need the processor
PAGE = os.sysconf("SC_PAGE_SIZE")


def fields_of(pid: int) -> list[str]:
    """What the system says of a process, from its state on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def cpu_seconds_of(pid: int) -> float:
    """What a process has used; 0 when it is gone."""
    try:
        return _cpu_seconds(fields_of(pid))
    except OSError:
        return 0


def _cpu_seconds(fields: list[str]) -> float:
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass
class Use:
    """What one process has used of a processor, and holds of memory."""

    name: str
    seconds: float = 0.0
    bytes: int = 0


class Watch(threading.Thread):
    """Looks at a process and at all that come of it, also at those whose parents have gone since.

    What a process does after the last look at it is not seen, nor one that lives shorter than from look to
    look.

    Parameters
    ----------
    pid : int
    after : callable
        Called after each look.
    """

    def __init__(self, pid: int, after: Callable[[Self], None] = lambda watch: None):
        super().__init__(daemon=True)
        self.pid, self.after = pid, after
        self.uses: dict[tuple[int, str], Use] = {}  # by id and time of start: ids come again
        self.living: dict[int, Use] = {}
        self.ended = threading.Event()

    def run(self) -> None:
        """Until `close`."""
        while not self.ended.is_set():
            begun = time.thread_time()
            self.look()
            self.after(self)
            time.sleep(max(EVERY, SHARE * (time.thread_time() - begun)))

    def look(self) -> None:
        """Take down what all of them have used."""
        found = {}
        for pid in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
            try:
                found[pid] = fields_of(pid)
            except OSError:
                continue
        living: dict[int, Use] = {}
        for pid in sorted(found, key=lambda pid: int(found[pid][19])):  # parents before their children
            fields = found[pid]
            key, parent = (pid, fields[19]), int(fields[1])
            if key in self.uses or pid == self.pid or parent in living:
                use = living[pid] = self.uses.setdefault(key, Use(""))
                use.name = _name_of(pid) or use.name
                use.seconds, use.bytes = _cpu_seconds(fields), int(fields[21]) * PAGE
        self.living = living

    def close(self) -> None:
        """Look no more."""
        self.ended.set()
        self.join()

    @property
    def seconds(self) -> float:
        """Of a processor, of all of them."""
        return sum(use.seconds for use in self.uses.values())


def _name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def watched(
    command: Sequence[object], after: Callable[[Watch], None] = lambda watch: None
) -> tuple[float, Watch]:
    """Run a command to its end and to that of all that it starts; its seconds, and what was seen.

    Raises
    ------
    subprocess.CalledProcessError
        If it fails.
    """
    begun = time.perf_counter()
    process = subprocess.Popen([*map(str, command)])
    watch = Watch(process.pid, after)
    watch.start()
    code = process.wait()
    seconds = time.perf_counter() - begun
    while watch.living:  # Ray's own end a little later
        time.sleep(EVERY)
    watch.close()
    if code:
        raise subprocess.CalledProcessError(code, process.args)
    return seconds, watch
