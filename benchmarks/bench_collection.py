"""Whole collections on an engine: nothing lost whoever dies, how quick it is, and what a cluster would do.

    python benchmarks/bench_collection.py reliability [--images N] [--kills N] [--seed S] [--folder] [--forks]
    python benchmarks/bench_collection.py speed [--images N] [--side PIXELS] [--ways WAY...] [--workers N...]
    python benchmarks/bench_collection.py memory [--images N] [--side PIXELS] [--ways WAY] [--workers N]
    python benchmarks/bench_collection.py driver [--images N]
    python benchmarks/bench_collection.py model --seconds S [--files N] [--machines N] [--cores N] [--lists N]
    python benchmarks/bench_collection.py page

`reliability`: images in S3 (moto's server on this machine) or in a folder, five of which crash whoever
decodes them and fifty that cannot be read, are colored by two actors of Ray, or two processes that fork,
while these are killed at random times, and the driver once, which is started again. Then outputs, refused and
quarantined must be the inputs, and disjoint; a second run must do nothing; no note may be left; and each
output must be the local command's.
`speed`: photos of one size, by the local command, by threads from store to store, and by one and two actors;
processor time is that of all processes, Ray's own among them.
`memory`: what driver and workers hold at each quarter of the way.
`driver`: what a driver alone does with as many names, and what memory that takes; nothing is colored.
`page`: what a core needs to read an answer of S3 that lists 1,000 keys.
`model`: a cluster on paper, from what these measured.

What is printed is JSON; `--json FILE` keeps it, with where it comes from. docs/results/ROBUSTNESS.md and
docs/cluster.md have what was found.
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from collection.driver import driver
from collection.memory import memory
from collection.model import model, page
from collection.reliability import reliability, sentence
from collection.s3_server import serve
from collection.speed import WAYS, speed
from record import Origin

from cyclecolor.files import write_json


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    turns = ("reliability", "speed", "memory", "driver", "page", "model", "serve")
    parser.add_argument("what", choices=turns)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument(
        "--every", type=float, default=12.0, help="processor seconds of an actor that is killed"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", action="store_true", help="a folder in the place of S3")
    parser.add_argument("--forks", action="store_true", help="processes that fork in the place of Ray's")
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--ways", choices=WAYS, nargs="+", default=[*WAYS])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--files", type=int, default=10_000_000)
    parser.add_argument("--machines", type=int, default=100)
    parser.add_argument("--cores", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--before", type=float, default=40.0)
    parser.add_argument("--after", type=float, default=200.0)
    parser.add_argument("--page", type=float, default=0.15)
    parser.add_argument("--parse", type=float, default=0.06)
    parser.add_argument("--lists", type=int, default=16)
    parser.add_argument("--json", type=Path, help="a file for the figures")
    asked = parser.parse_args()
    origin = Origin()
    if asked.what == "serve":
        serve()
    size = (asked.side, asked.side)
    result = {
        "reliability": lambda: reliability(
            asked.images, asked.kills, asked.seed, asked.every, asked.folder, asked.forks
        ),
        "speed": lambda: speed(asked.images, size, asked.ways, asked.workers),
        "memory": lambda: memory(asked.images, size, asked.ways[-1], asked.workers[-1]),
        "driver": lambda: driver(asked.images),
        "page": page,
        "model": lambda: model(
            asked.files,
            asked.machines,
            asked.cores,
            asked.seconds,
            asked.before,
            asked.after,
            (asked.page, asked.parse),
            asked.lists,
        ),
    }[asked.what]()
    if asked.json:
        spoken = ("said", "again")  # last lines of what commands said, Ray's own words among them: not kept
        kept = {name: found for name, found in result.items() if name not in spoken}
        write_json(origin() | kept, asked.json)
    print(json.dumps(result, indent=2), flush=True)
    if asked.what == "reliability":
        print(sentence(result))
    failed = [key for key, value in result.items() if value is False]
    if failed:
        sys.exit(f"broken: {', '.join(failed)}")


if __name__ == "__main__":
    main()
