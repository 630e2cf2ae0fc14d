"""Names of files in messages."""

import os


def shown(path: str | os.PathLike[str]) -> str:
    """Name of `path` for a one-line message: newlines and bytes that are not UTF-8 are escaped."""
    name = os.fspath(path)
    if name.isprintable():
        return name
    return name.encode("unicode_escape", "surrogatepass").decode("ascii")
