"""The time of the released network, beside one like the first that was released.

    python benchmarks/bench_network.py [--turns 200] [--json docs/results/network.json]

On one thread, in turns, at the working size and aspect 4:3: the first one, a ResNet-10 at 96 pixels, stands
for what the network may cost (1.5 times as much). Medians of processor time, of random lightness.

docs/results/TRANSLATE.md has the table, docs/results/network.json its figures; tests/test_numbers.py compares
them.
"""

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from record import Origin, told

from cyclecolor.files import write_json
from cyclecolor.hardware import keep_memory
from cyclecolor.inference import load
from cyclecolor.networks import FusionGenerator, fold_norms

FIRST, RELEASED = "the first, a ResNet-10", "`default`"  # the first is that of commit e6abaa2
GOAL = 1.5  # times as long as the first
WARM_UP = 20


def main() -> None:
    """Print the table; write its figures, where they are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=200)
    parser.add_argument("--json", type=Path, help="a file for the figures")
    options = parser.parse_args()
    origin = Origin()
    torch.set_num_threads(1)  # this and memory as `cyclecolor translate` has them
    keep_memory(giant_blocks=False)
    record = {"turns": options.turns, "ms": measured(options.turns)} | origin()
    if options.json:
        write_json(record, options.json)
    print(table(record))


@torch.inference_mode()
def measured(turns: int) -> dict[str, dict[str, float]]:
    """Milliseconds by the network, and by the height of its image."""
    released = load("default", device=torch.device("cpu"))
    first = fold_norms(FusionGenerator(1, 2).eval()).to(memory_format=torch.channels_last)
    rivals = [
        (FIRST, first, 96),
        *((RELEASED, released.generators["G_color"], side) for side in (128, released.size)),
    ]
    images = [torch.rand(1, 1, side, side * 4 // 3 // 16 * 16) * 2 - 1 for *_, side in rivals]
    times: list[list[float]] = [[] for _ in rivals]
    for turn in range(WARM_UP + turns):
        for (_, network, _), image, spent in zip(rivals, images, times, strict=True):
            begun = time.process_time()
            network(image)
            if turn >= WARM_UP:
                spent.append(1000 * (time.process_time() - begun))
    found: dict[str, dict[str, float]] = {}
    for (name, _, side), spent in zip(rivals, times, strict=True):
        found.setdefault(name, {})[str(side)] = statistics.median(spent)
    return found


def table(record: dict[str, Any]) -> str:
    """Where the figures come from, and a row a network and size."""
    (first,) = record["ms"][FIRST].values()
    lines = [
        f"{told(record)}.",
        "",
        "| network | height of its image | ms | beside the first |",
        "|---|--:|--:|--:|",
    ]
    for name, sizes in record["ms"].items():
        lines += [f"| {name} | {side} | {ms:.1f} | {ms / first:.2f} |" for side, ms in sizes.items()]
    *_, at_working_size = record["ms"][RELEASED].values()
    verdict = "met" if at_working_size / first <= GOAL else "missed"
    return "\n".join([*lines, "", f"Goal at the working size: at most {GOAL} times the first; {verdict}."])


if __name__ == "__main__":
    main()
