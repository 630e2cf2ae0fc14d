"""Whole collections: photos of one store into another, by threads or by Ray, all of them accounted for."""

from .dispatch import Event, WorkerPool
from .job import Collection, scope_of
from .threads import Threads
from .work import Item, Work
from .worker import Worker

__all__ = ["Collection", "Event", "Item", "Threads", "Work", "Worker", "WorkerPool", "scope_of"]
