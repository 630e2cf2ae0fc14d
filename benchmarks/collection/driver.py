"""What a driver alone does: workers that have colored everything at once."""

import hashlib
import resource
import tempfile
import time
from pathlib import Path

from cyclecolor.collection import Collection, Event, Work
from cyclecolor.storage import Entry
from cyclecolor.translation import Options


class Instant:
    """A pool that has colored everything at once."""

    size = 100

    def __init__(self):
        self.started, self.done, self.names = 0, [], []

    def start_worker(self):
        """Ready at once."""
        self.started += 1
        self.done.append(Event(self.started))

    def submit(self, worker, batch):
        """Done at once."""
        self.names += [item.output for item in batch]
        self.done.append(Event(worker, tuple(map(a_record, batch))))

    def events(self):
        """All at once."""
        found, self.done = self.done, []
        return found

    def close(self):
        """Nothing is open."""


def a_record(item) -> dict:
    """What a worker would say."""
    digest = hashlib.sha256(item.name.encode()).hexdigest()
    return {
        "input": item.name, "bytes": item.bytes, "version": item.version, "status": "translated",
        "output": item.output, "sha256": digest, "output_sha256": digest, "output_bytes": 1 << 20,
        "width": 4000, "height": 3000, "pages": 1, "seconds": 1.5, "at": "2026-11-29T12:00:00+00:00",
        "checkpoint": f"default.safetensors sha256:{digest}", "settings": "0123456789abcdef",
    }  # fmt: skip


def driver(images: int) -> dict:
    """Time and memory of all that one process does for all: listing, naming, handing out, writing down."""
    with tempfile.TemporaryDirectory() as name:
        work = Work(Path(name) / "in", Path(name) / "out", "whole", Options(workers=1), {}, {}, ("", b""))
        pool, times = Instant(), [time.process_time()]
        collection = Collection(work, lambda name: "0123456789abcdef", lambda: pool)
        usual = collection.output.entries
        listed = (Entry(f"box-{i // 1000:05}/scan-{i:08}.jpg", 1 << 20, f"{i:032x}") for i in range(images))
        collection.source.entries = lambda under="": listed
        collection.output.entries = lambda under="": (
            usual(under) if under else (Entry(name, 1) for name in pool.names)
        )
        idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        run = collection.run()
        next(run)
        times.append(time.process_time())
        count = 1 + sum(1 for _ in run)
        times.append(time.process_time())
        assert count == collection.total == images
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        size = (Path(name) / "out/manifest.parquet").stat().st_size
    return {
        "images": images,
        "CPU seconds to the first record": round(times[1] - times[0], 1),
        "CPU microseconds a file before": round(1e6 * (times[1] - times[0]) / images, 1),
        "CPU microseconds a file after": round(1e6 * (times[2] - times[1]) / images, 1),
        "MiB above idle": (peak - idle) >> 10,
        "bytes a file in the manifest": round(size / images),
    }
