"""Records of inputs from which nothing comes."""

from ..translation.manifest import Record
from .work import Item


def refused(code: str, reason: object) -> Record:
    """Of an input that cannot be done: a word for the manifest, and a line for people."""
    return {"status": "refused", "code": code, "reason": str(reason)}


def quarantined(item: Item, deaths: int, what_died: str) -> Record:
    """Of an input that is not touched again."""
    return {
        "input": item.name,
        "status": "quarantined",
        "code": "died",
        "reason": f"{item.name}: {what_died} with it alone in hand",
        "bytes": item.bytes,
        "version": item.version,
        "deaths": deaths,
    }
