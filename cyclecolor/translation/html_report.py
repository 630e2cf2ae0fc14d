"""`report.html`: every photo before and after, the most doubtful first, on one page that needs no network."""

import hashlib
import os
from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path
from urllib.parse import quote

import numpy as np
from PIL import Image

from ..files import atomic_write
from ..photos import PhotoError, read_rgb8
from .manifest import Record
from .refusals import refuse_foreign

NAME = "report.html"
PREVIEWS = "report_files"
SIDE = 480  # pixels, the long side of a preview
QUALITY = 85

PAGE = """<!doctype html>
<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>cyclecolor</title>
<style>
body { font: 15px/1.4 system-ui, sans-serif; margin: 1.5rem; background: #1b1b1b; color: #ddd }
a { color: inherit }
h1 { font-size: 1.2rem }
ol { display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: 1.2rem;
     list-style: none; padding: 0 }
li { content-visibility: auto; contain-intrinsic-size: 20rem 18rem; overflow-wrap: anywhere }
figure { position: relative; margin: 0; overflow: hidden; background: #000 }
figure img { position: absolute; width: 200%; height: 100% }
figure img + img { left: -100%; clip-path: inset(0 0 0 calc(50% + var(--cut, 50%) / 2)) }
figure::after { content: ""; position: absolute; left: var(--cut, 50%); top: 0; bottom: 0;
                border-left: 1px solid #fff }
figure input { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0;
               cursor: ew-resize }
figure input:focus-visible { opacity: .4 }
small { color: #999 }
</style>
"""


def write_report(
    output: Path,
    source: Path,
    records: Iterable[Record],
    progress: Callable[[list[Record]], Iterable[Record]] = iter,
) -> Path:
    """Write the page of a translated folder, and a preview of each photo that has none yet.

    Parameters
    ----------
    output, source : Path
        The two folders.
    records : iterable of dict
        As in the manifest.
    progress : callable
        Wraps the list of records that previews are made of.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    CycleColorError
        If another page has its name, or it cannot be written.
    """
    refuse_foreign(output / NAME, PAGE.encode())
    records = list(records)
    shown = [record for record in records if record["status"] == "translated"]
    shown.sort(key=lambda record: (-record.get("doubt", 0), record["input"]))
    (output / PREVIEWS).mkdir(exist_ok=True)
    items = []
    for record in progress(shown):
        preview = output / PREVIEWS / preview_name(record)
        try:
            if not preview.exists():
                _write_preview(source / record["input"], output / record["output"], preview)
        except PhotoError:
            continue  # moved away since: the page shows what there is
        items.append(_item(record, preview, output))
    refused = [record for record in records if record["status"] == "refused"]
    page = (
        PAGE + _heading(len(items), len(refused)) + "<ol>\n" + "".join(items) + "</ol>\n" + _refused(refused)
    )
    atomic_write(output / NAME, lambda file: file.write(page.encode("utf-8", "replace")))
    return output / NAME


def preview_name(record: Record) -> str:
    """Of what the photo was and became, so that a preview is never out of date."""
    both = f"{record['input']} {record['sha256']} {record['output_sha256']}"
    return hashlib.sha256(both.encode("utf-8", "surrogateescape")).hexdigest()[:20] + ".jpg"


def _write_preview(before: Path, after: Path, preview: Path) -> None:
    """Both pictures in one file, side by side."""
    second = _small(after)
    first = _small(before, size=second.size)
    both = Image.fromarray(np.hstack([np.asarray(first), np.asarray(second)]))
    atomic_write(preview, lambda file: both.save(file, "JPEG", quality=QUALITY))


def _small(path: Path, size: tuple[int, int] | None = None) -> Image.Image:
    image = Image.fromarray(read_rgb8(path, short_side=SIDE))
    if size is None:
        scale = SIDE / max(image.size)
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size)


def _item(record: Record, preview: Path, output: Path) -> str:
    width, height = record["width"], record["height"]
    numbers = [f"{width} × {height}", f"{record['seconds']:.1f} s"]
    numbers += [f"{record['pages']} pages"] if record["pages"] > 1 else []
    numbers += [f"doubt {record['doubt']:.1f}"] if "doubt" in record else []
    image = f'<img loading="lazy" alt="" src="{_link(preview, output)}">'
    slide = "this.parentNode.style.setProperty('--cut',this.value+'%')"
    name = escape(_printable(record["input"]))
    return (
        f'<li><figure style="aspect-ratio:{width}/{height}">{image}{image}'
        f'<input type="range" value="50" aria-label="before and after of {name}" oninput="{slide}"></figure>'
        f'<a href="{_link(output / record["output"], output)}">{name}</a> '
        f"<small>{', '.join(numbers)}</small></li>\n"
    )


def _heading(count: int, refused: int) -> str:
    counts = f"{count:,} photos translated, {refused:,} refused"
    return f"<h1>{counts}</h1><p><small>Left of the line: before.</small></p>"


def _refused(records: list[Record]) -> str:
    rows = "".join(f"<p>{escape(_printable(record['reason']))}</p>\n" for record in records)
    return f"<h1>Refused</h1>\n{rows}" if rows else ""


def _link(path: Path, output: Path) -> str:
    return quote(os.fsencode(path.relative_to(output).as_posix()))


def _printable(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "replace")
