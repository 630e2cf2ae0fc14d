"""The figures on a checkpoint's card: measured, kept as JSON beside the checkpoint, and written on the card.

    python benchmarks/card.py checkpoints/default.safetensors \
        --scores "everyday photos" broad_test lightness --scores landscapes landscapes_test lightness \
        --audit landscapes landscapes_test lightness
    python benchmarks/card.py checkpoints/scans-a.safetensors \
        --scores "orthochromatic film" landscapes_test orthochromatic --scores plates color blue_plate

A name for the card, a folder of color photos, and what the network sees of them: `lightness`, a built-in
film, or a folder of scans of the same names. Scores are those of `cyclecolor evaluate`, audits those of
`cyclecolor audit`. They go to checkpoints/default.json and, as rows, into checkpoints/default.md, in place
of those that are there; tests/test_numbers.py compares the two, and the file that was measured with the one
that is there.
"""

import argparse
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from record import commit

from cyclecolor import load
from cyclecolor.evaluation.evaluate import AT_TRUE_LIGHTNESS
from cyclecolor.evaluation.folders import audit_folder, evaluate_folder
from cyclecolor.files import write_json
from cyclecolor.inference import Colorizer

# Metrics that are kept, of these columns.
COLUMNS = ("ours", "do_nothing", "mean_color", "truth")
METRICS = {
    *("ciede2000", "ciede2000_gain", "hue_error", "hue_cosine", "colorfulness_ratio", "cast_ratio"),
    *("near_gray_share", "checkerboard_peak", "lightness_error_max"),
}
ROWS = ("| scores", "| audit")  # how those of a card begin that come from here


def source(gray: str) -> dict[str, Any]:
    """What is seen of color photos, as `evaluate_folder` and `audit_folder` are told."""
    if gray == "lightness":
        return {}
    return {"gray": Path(gray)} if Path(gray).is_dir() else {"film": gray}


def recorded(measure: Callable[..., Any], colorizer: Colorizer, color: str, gray: str) -> dict[str, Any]:
    """The JSON of a command; folders by their names alone."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "record.json"
        measure(colorizer, Path(color), **source(gray), json_path=path)
        record = json.loads(path.read_text(encoding="utf-8"))
    folders = {name: Path(record[name]).name for name in ("color", "gray") if record[name]}
    kept = {
        name: record[name] for name in ("film", "photos", "passed", "scores", "figures") if name in record
    }
    return {**folders, **kept}


def of_card(scores: dict[str, Any]) -> dict[str, Any]:
    """Of all scores, those that are kept."""
    return {
        name: {column: row[column] for column in COLUMNS if column in row}
        for name, row in scores.items()
        if name.removesuffix(AT_TRUE_LIGHTNESS) in METRICS
    }


def measured(path: Path, scores: list[list[str]], audits: list[list[str]]) -> dict[str, Any]:
    """What is known of a checkpoint: which file it was, at which commit, and its figures by name."""
    colorizer = load(path)
    sets = {name: recorded(evaluate_folder, colorizer, *of) for name, *of in scores}
    return {
        "checkpoint": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "commit": commit(),
        "scores": {name: {**record, "scores": of_card(record["scores"])} for name, record in sets.items()},
        "audits": {name: recorded(audit_folder, colorizer, *of) for name, *of in audits},
    }


def score_row(name: str, record: dict[str, Any]) -> str:
    """The row of a set of photos."""
    scores = {metric.removesuffix(AT_TRUE_LIGHTNESS): row for metric, row in record["scores"].items()}
    ours = {metric: row.get("ours") for metric, row in scores.items()}
    gray, gain = scores["ciede2000"]["do_nothing"], scores["ciede2000_gain"]["do_nothing"]
    parts = [
        f"CIEDE2000 {with_interval(ours['ciede2000'])}, left gray {with_interval(gray)}",
        f"gain over gray {with_interval(gain)}",
        f"hue error {plain(ours['hue_error'], 0)} degrees",
        f"cosine of hue {plain(ours['hue_cosine'])}",
        f"colorfulness ratio {plain(ours['colorfulness_ratio'])}",
        f"lightness error at most {plain(ours['lightness_error_max'])} of an 8-bit level",
    ]
    return f"| scores, {name} ({record['photos']}) | {', '.join(parts)} |"


def audit_row(name: str, record: dict[str, Any]) -> str:
    """The row of an audit."""
    figures = record["figures"]
    parts = [
        f"`R_swap` {with_interval(figures['R_swap']['score'])}",
        *(f"`{of}` {plain(figures[of]['score'])}" for of in ("R_noise_0.005", "R_8_bit", "fine_power_ratio")),
    ]
    failed = [f"`{of}` **fails**" for of, figure in figures.items() if figure["verdict"] == "fails"]
    verdict = ", ".join(failed) or "nothing fails"
    return f"| audit, {name} ({record['photos']}) | {', '.join(parts)}: {verdict} |"


def with_interval(score: dict[str, float] | None) -> str:
    """A score and its 95% interval, to two digits."""
    return f"{score['value']:.2f} [{score['low']:.2f}, {score['high']:.2f}]" if score else "undefined"


def plain(score: dict[str, float] | None, digits: int = 2) -> str:
    """A score alone."""
    return f"{score['value']:.{digits}f}" if score else "undefined"


def rows(record: dict[str, Any]) -> Iterator[str]:
    """All rows of a card that come from its record."""
    yield from (score_row(*item) for item in record["scores"].items())
    yield from (audit_row(*item) for item in record["audits"].items())


def with_rows(card: str, new: list[str]) -> str:
    """A card with its rows replaced, where the first of them stood, or at its end."""
    lines = card.splitlines()
    place = next((i for i, line in enumerate(lines) if line.startswith(ROWS)), len(lines))
    kept = [[line for line in part if not line.startswith(ROWS)] for part in (lines[:place], lines[place:])]
    return "\n".join([*kept[0], *new, *kept[1]]) + "\n"


def main() -> None:
    """Measure, write both files, say the rows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    for option in ("--scores", "--audit"):
        parser.add_argument(option, nargs=3, action="append", default=[], metavar=("NAME", "COLOR", "GRAY"))
    arguments = parser.parse_args()
    record = measured(arguments.checkpoint, arguments.scores, arguments.audit)
    write_json(record, arguments.checkpoint.with_suffix(".json"))
    card = arguments.checkpoint.with_suffix(".md")
    if card.exists():
        text = with_rows(card.read_text(encoding="utf-8"), list(rows(record)))
        card.write_text(text, encoding="utf-8")
    print("\n".join(rows(record)))


if __name__ == "__main__":
    main()
