"""The command line: parses, calls, prints. Heavy imports wait inside the commands."""

from .main import main

__all__ = ["main"]
