"""What comes with the extras `archive` and `jxl`, imported where it is needed."""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from .guard import Refused

INSTALL = "pip install 'cyclecolor[archive]'"


def archive(module: str, what: str, install: str = INSTALL) -> ModuleType:
    """Import an optional `module`, which `install` brings.

    Raises
    ------
    Refused
        It is not installed: `what` cannot be read or written without it.
    """
    try:
        return import_module(module)
    except ImportError:
        raise Refused("unsupported", f"{what} cannot be read here; {install} brings what it takes") from None


def installed(module: str) -> bool:
    """Whether an optional `module` can be imported."""
    return find_spec(module) is not None
