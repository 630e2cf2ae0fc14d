"""Whole collections: photos of one store into another, by threads or by Ray, all of them accounted for."""

from .dispatch import Crew, Event
from .job import Collection, scope_of
from .threads import Threads
from .work import Item, Work
from .worker import Worker

__all__ = ["Collection", "Crew", "Event", "Item", "Threads", "Work", "Worker", "scope_of"]
