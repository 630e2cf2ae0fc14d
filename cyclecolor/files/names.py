"""Names of files in messages, and in commands to be pasted."""

import os
import shlex
import subprocess


def shown(path: str | os.PathLike[str]) -> str:
    """Name of `path` for a one-line message: newlines and bytes that are not UTF-8 are escaped."""
    name = os.fspath(path)
    if name.isprintable():
        return name
    return name.encode("unicode_escape").decode()


def quoted(word: object) -> str:
    """A word of a command as the user's shell takes it, spaces and all."""
    return subprocess.list2cmdline([str(word)]) if os.name == "nt" else shlex.quote(str(word))
