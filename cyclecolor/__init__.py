"""cyclecolor: color photographs without pairs.

>>> import cyclecolor
>>> colorizer = cyclecolor.load()  # the released checkpoint
>>> colored = colorizer(image)  # a PIL image in, a PIL image of the same size out
"""

from typing import Any

from .errors import CycleColorError

__all__ = ["Colorizer", "CycleColorError", "Hint", "load"]


def __getattr__(name: str) -> Any:
    # Lazily, so that the command line answers before torch is loaded.
    if name in ("Colorizer", "Hint", "load"):
        from . import inference

        return getattr(inference, name)
    raise AttributeError(f"module 'cyclecolor' has no attribute {name!r}")
