"""Controls of the audit: a cycle that is paid to hide color, and what parts of the bottleneck do about it.

    python benchmarks/controls.py docs/results/controls.json [--steps 600] [--scenes 64]

Trains `experiments/control_no_guard.toml` with three bottlenecks, audits each on generated scenes that no
training sees, writes the figures as JSON, and prints the table that docs/results/AUDIT.md has of them.
tests/test_numbers.py compares the two.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import write_scenes
from record import ROOT, commit

from cyclecolor import load
from cyclecolor.config import load_experiment
from cyclecolor.evaluation.folders import audit_folder
from cyclecolor.files import write_json
from cyclecolor.training import train

CLOSED = ["bottleneck.quantize=true", "bottleneck.noise=0.01"]
BOTTLENECKS = {
    "none, gradient passed": [],
    "8 bits and noise of 0.01, gradient passed": CLOSED,
    "the same, no gradient: the default": [*CLOSED, "bottleneck.gradient=false"],
}


def audited(changes: list[str], steps: int, scenes: Path, run: Path) -> dict[str, Any]:
    """Train one control, and what its audit finds."""
    changes = [*changes, f"num_steps={steps}"]
    path = train(load_experiment(ROOT / "experiments/control_no_guard.toml", changes), run)
    audit_folder(load(path), scenes, json_path=run / "audit.json")
    record = json.loads((run / "audit.json").read_text(encoding="utf-8"))
    return {name: record[name] for name in ("passed", "figures")}


def table(record: dict[str, Any]) -> str:
    """All figures, a column a bottleneck; a bold one is above its limit."""
    controls = record["controls"]
    lines = [f"| bottleneck | {' | '.join(controls)} | limit |", f"|---|{'--:|' * (len(controls) + 1)}"]
    for name, figure in next(iter(controls.values()))["figures"].items():
        cells = [cell(control["figures"][name]) for control in controls.values()]
        limit = "" if figure["limit"] is None else f"{figure['limit']}"
        lines.append(f"| {name} | {' | '.join(cells)} | {limit} |")
    verdicts = ["passes" if control["passed"] else "**fails**" for control in controls.values()]
    return "\n".join([*lines, f"| verdict | {' | '.join(verdicts)} | |"])


def cell(figure: dict[str, Any]) -> str:
    """A figure and its 95% interval over scenes."""
    score = figure["score"]
    text = f"{score['value']:.2f} [{score['low']:.2f}, {score['high']:.2f}]" if score else "undefined"
    return f"**{text}**" if figure["verdict"] == "fails" else text


def main() -> None:
    """Train, audit, write, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("json", type=Path)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--scenes", type=int, default=64)
    arguments = parser.parse_args()
    record = {"commit": commit(), "steps": arguments.steps, "scenes": arguments.scenes, "controls": {}}
    with tempfile.TemporaryDirectory() as folder:
        write_scenes.main(Path(folder) / "scenes", arguments.scenes, 32)
        for number, (name, changes) in enumerate(BOTTLENECKS.items()):
            run = Path(folder) / str(number)
            record["controls"][name] = audited(changes, arguments.steps, Path(folder) / "scenes", run)
    write_json(record, arguments.json)
    print(table(record))


if __name__ == "__main__":
    main()
