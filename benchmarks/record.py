"""What the records of benchmarks say of their origin."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def commit() -> str:
    """The commit that is checked out, in short; with a plus if files that git knows were changed since."""
    git = ["git", "-C", str(ROOT)]
    head, changed = (
        subprocess.run([*git, *asked], capture_output=True, text=True).stdout.strip()
        for asked in (("rev-parse", "--short", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))
    )
    return head + ("+" if changed else "")
