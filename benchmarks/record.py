"""What the records of benchmarks say of their origin."""

import os
import platform
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from cyclecolor.hardware import cores

ROOT = Path(__file__).resolve().parent.parent


def commit() -> str:
    """The commit that is checked out, in short; with a plus if files that git knows were changed since."""
    git = ["git", "-C", str(ROOT)]
    head, changed = (
        subprocess.run([*git, *asked], capture_output=True, text=True).stdout.strip()
        for asked in (("rev-parse", "--short", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))
    )
    return head + ("+" if changed else "")


class Origin:
    """Where figures come from; to be made when measuring begins, and asked when it ends."""

    def __init__(self):
        self.begun, self.waited, self.commit = time.perf_counter(), waited_for_cores(), commit()

    def __call__(self) -> dict[str, Any]:
        """Commit, command, machine, minutes, and the share of them in which a process waited for a core."""
        seconds = time.perf_counter() - self.begun
        return {
            "commit": self.commit,
            "command": command(),
            "machine": machine(),
            "minutes": seconds / 60,
            "waiting": (waited_for_cores() - self.waited) / seconds,
        }


def told(origin: dict[str, Any]) -> str:
    """An origin as it stands on a page."""
    return (
        f"Commit {origin['commit']}, {origin['machine']}; {origin['minutes']:.1f} minutes, in "
        f"{origin['waiting']:.0%} of which some process waited for a core"
    )


def command() -> str:
    """The command line; of a path outside of the repository, the name alone."""
    script, *words = sys.argv
    return shlex.join(["python", f"benchmarks/{Path(script).name}", *map(_shown, words)])


def _shown(word: str) -> str:
    path = Path(word)
    if path.is_relative_to(ROOT):
        return path.relative_to(ROOT).as_posix()
    return path.name if path.is_absolute() else word


def machine() -> str:
    """Processor, graphics processor, memory, and what computes."""
    model = next((x for x in lines_of("/proc/cpuinfo") if x.startswith("model name")), platform.processor())
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return (
        f"{cores()} of {os.cpu_count()} cores, {model.split(': ')[-1]} "
        f"({torch.backends.cpu.get_cpu_capability()}){gpu}, {gigabytes:.0f} GB, "
        f"PyTorch {torch.__version__.partition('+')[0]}, Python {platform.python_version()}"
    )


def waited_for_cores() -> float:
    """Seconds, since the start of the machine, in which some process could run and had no core (Linux)."""
    lines = lines_of("/proc/pressure/cpu")
    return int(lines[0].rsplit("=", 1)[1]) / 1e6 if lines else 0.0


def lines_of(path: str) -> list[str]:
    """The lines of a file, none if there is no such file."""
    return Path(path).read_text().splitlines() if Path(path).is_file() else []
