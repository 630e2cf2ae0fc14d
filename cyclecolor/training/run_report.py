"""One page about one run or several side by side: it asks for nothing from elsewhere, and prints well."""

import base64
import io
from collections.abc import Callable, Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..errors import CycleColorError
from ..evaluation.charts import line_chart
from ..evaluation.inputs import to_tensor
from ..evaluation.scores import Score
from ..evaluation.tables import cell
from ..files import atomic_write
from ..inference import load
from .copies import at_hand
from .held_out import held_out
from .run_record import RunRecord

SAMPLES = 4  # held-out photos of a run that each of its checkpoints colors
SAMPLE_SIDE = 160  # pixels
QUALITY = 88

STYLE = """
:root { color-scheme: light dark; --page: #fff; --text: #1a1a1a; --faint: #8884;
  --line-1: #1668c7; --line-2: #d1495b; --line-3: #2a9d5c;
  --line-4: #8a5cd0; --line-5: #c77d0a; --line-6: #555 }
@media screen and (prefers-color-scheme: dark) { :root { --page: #17181a; --text: #e4e4e4;
  --line-1: #6fb1ff; --line-2: #ff8a98; --line-3: #67d39a;
  --line-4: #bd9cff; --line-5: #ffbe5c; --line-6: #bbb } }
@media print { :root { --page: #fff; --text: #000 }
  input { display: none } figure, tr { break-inside: avoid } div.wide { overflow-x: visible }
  table { font-size: 11px } th, td { overflow-wrap: anywhere }
  i.key { print-color-adjust: exact } h2 { break-after: avoid } }
body { font: 15px/1.45 system-ui, sans-serif; background: var(--page); color: var(--text); margin: 1rem auto;
  padding: 0 1rem; max-width: 72rem }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2rem } h1, h2 { overflow-wrap: anywhere }
div.charts { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)) }
div.wide { overflow-x: auto }
figure { margin: 0 } figcaption { font-weight: 600 } svg, img { width: 100%; height: auto }
svg text { fill: var(--text); font-size: 11px } svg .y { text-anchor: end } svg .x { text-anchor: middle }
svg .grid { stroke: var(--faint) } svg .line { fill: none; stroke-width: 1.6; stroke-linejoin: round;
  stroke-linecap: round }
table { border-collapse: collapse; font-variant-numeric: tabular-nums } th, td { text-align: left;
  padding: .2rem .9rem .2rem 0; border-bottom: 1px solid var(--faint); vertical-align: top }
i.key { display: inline-block; width: 1.2em; height: .35em; margin-right: .4em; vertical-align: middle }
input[type=range] { width: 100% }
@media screen and (max-width: 32rem) { table { font-size: 13px } th, td { padding-right: .5rem }
  td:first-child { overflow-wrap: anywhere; min-width: 6rem } }
"""
MOST_RUNS = 6  # as many as there are colors


def write_run_report(
    folders: Sequence[Path],
    output: Path,
    progress: Callable[[list[RunRecord]], Iterable[RunRecord]] = iter,
) -> None:
    """Write the page.

    Parameters
    ----------
    folders
        Of runs, at most `MOST_RUNS`; nothing in them is changed.
    output
        An HTML file.
    progress
        Wraps the list of runs while samples are made.

    Raises
    ------
    CycleColorError
        If a folder holds no whole checkpoint, or the file cannot be written.
    """
    if len(folders) > MOST_RUNS:
        message = f"{len(folders)} runs on one page are hard to tell apart; name at most {MOST_RUNS}"
        raise CycleColorError(message, exit_code=2)
    records = RunRecord.of(*folders)
    parts = [_runs(records), _losses(records), _scores(records)]
    parts += [_samples(record) for record in progress(records)]
    parts.append(_settings(records))
    title = escape(", ".join(record.name for record in records))
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{title}</title><style>{STYLE}</style>\n'
        f"<h1>{title}</h1>\n{''.join(parts)}</html>\n"
    )
    atomic_write(output, lambda file: file.write(page.encode("utf-8", "replace")))


def _runs(records: Sequence[RunRecord]) -> str:
    rows = [["run", "method", "steps", "images seen", "images/s"]]
    for number, record in enumerate(records, 1):
        experiment, rate = record.experiment, record.images_per_second
        seen = record.step * experiment.batch_size * experiment.accumulate
        rows.append(
            [
                _Raw(f'<i class="key" style="background:var(--line-{number})"></i>{escape(record.name)}'),
                f"{experiment.method} in {experiment.space}",
                f"{record.step:,} of {experiment.num_steps:,}",
                f"{seen:,}",
                "-" if rate is None else f"{rate:.1f}",
            ]
        )
    return _table(rows)


def _losses(records: Sequence[RunRecord]) -> str:
    names = dict.fromkeys(name for record in records for name in record.losses)
    charts = [
        line_chart(name, {record.name: record.losses.get(name, []) for record in records}) for name in names
    ]
    if any(record.held_out for record in records):
        lines = {record.name: record.held_out for record in records}
        charts.insert(0, line_chart("chroma error on held-out photos", lines))
    return f'<h2>Losses by step</h2>\n<div class="charts">{"".join(charts)}</div>\n' if charts else ""


def _scores(records: Sequence[RunRecord]) -> str:
    """Of each file of scores a table; scores of several runs by the same file name are one."""
    parts = []
    for name in dict.fromkeys(name for record in records for name in record.evaluations):
        found = {record.name: record.evaluations.get(name, {}) for record in records}
        rows = {run: _cells(evaluation) for run, evaluation in found.items()}
        metrics = dict.fromkeys(metric for cells in rows.values() for metric in cells)
        table = [["", *rows], *([metric, *(c.get(metric, "-") for c in rows.values())] for metric in metrics)]
        parts.append(f"<h2>{escape(name)}</h2>\n{_table(table)}")
    return "".join(parts)


def _cells(evaluation: dict[str, Any]) -> dict[str, str]:
    """Metric to text, of a file that `evaluate` or `audit` wrote; what is otherwise is passed over."""
    cells: dict[str, str] = {}
    try:
        for metric, row in evaluation.get("scores", {}).items():
            cells |= {f"{metric}, {who}": cell(s and Score(**s)) for who, s in row.items()}
        for metric, figure in evaluation.get("figures", {}).items():
            score = figure["score"] and Score(**figure["score"])
            cells[metric] = f"{cell(score)}, {figure['verdict']}"
    except (AttributeError, KeyError, TypeError, ValueError):
        pass  # of another version, or another program
    return cells


def _samples(record: RunRecord) -> str:
    """Held-out photos as the checkpoints that are kept color them, under a slider."""
    try:
        photos = held_out(at_hand(record.experiment.data, record.folder), SAMPLES)
        rows = {step: _colored(path, photos) for step, path in record.checkpoints.items()} if photos else {}
    except CycleColorError:  # the photos are not on this machine, or a checkpoint is damaged
        return ""
    if not rows:
        return ""
    last = len(rows) - 1
    hidden = [" hidden"] * last + [""]
    images = "".join(
        f"<figure{attribute}>{_image(row)}<figcaption>step {step:,}</figcaption></figure>"
        for attribute, (step, row) in zip(hidden, rows.items(), strict=True)
    )
    show = "[...this.parentNode.querySelectorAll('.steps figure')].forEach((f,i)=>f.hidden=i!=this.value)"
    slider = f'<input type="range" max="{last}" value="{last}" aria-label="checkpoint" oninput="{show}">'
    truth = f"<figure>{_image(_row(photos))}<figcaption>as they are</figcaption></figure>"
    return (
        f"<h2>Held-out photos: {escape(record.name)}</h2>\n"
        f'<section>{truth}<div class="steps">{images}</div>{slider if last else ""}</section>\n'
    )


def _colored(checkpoint: Path, photos: Sequence[np.ndarray]) -> Image.Image:
    colorizer = load(checkpoint)
    made = []
    for photo in photos:
        with torch.inference_mode():
            rgb = colorizer.colorize_lightness(
                colorizer.space.lightness(to_tensor([photo])).to(colorizer.device)
            )
        made.append((rgb[0] * 255).round().byte().permute(1, 2, 0).cpu().numpy())
    return _row(made)


def _row(photos: Iterable[np.ndarray]) -> Image.Image:
    """Photos (H, W, 3) side by side, at equal height."""
    images = [Image.fromarray(photo) for photo in photos]
    images = [im.resize((max(1, round(im.width * SAMPLE_SIDE / im.height)), SAMPLE_SIDE)) for im in images]
    return Image.fromarray(np.concatenate([np.asarray(image) for image in images], axis=1))


def _image(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY)
    return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}">'


def _settings(records: Sequence[RunRecord]) -> str:
    keys = dict.fromkeys(key for record in records for key in record.changes)
    rows = [["setting", "default", *(record.name for record in records)]]
    for key in keys:
        default = next(record.changes[key][0] for record in records if key in record.changes)
        values = [record.changes[key][1] if key in record.changes else default for record in records]
        rows.append([key, *(_shown(value) for value in (default, *values))])
    return f"<h2>Settings that are not the defaults</h2>\n{_table(rows)}"


def _shown(value: object) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


class _Raw(str):
    """Text that is HTML already."""


def _table(rows: Sequence[Sequence[str]]) -> str:
    """The first row is the heading."""
    lines = []
    for i, row in enumerate(rows):
        tag = "td" if i else "th"
        cells = (text if isinstance(text, _Raw) else escape(text) for text in row)
        lines.append("<tr>" + "".join(f"<{tag}>{text}</{tag}>" for text in cells) + "</tr>\n")
    return f'<div class="wide"><table>{"".join(lines)}</table></div>\n'
