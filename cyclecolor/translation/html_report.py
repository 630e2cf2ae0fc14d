"""`report.html`: every photo before and after, the most doubtful first, on one page that needs no network."""

import hashlib
import math
import os
from collections import Counter
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
SIDE = 960  # pixels, the long side of a preview
QUALITY = 85
FILTERS = {
    "refused": "Refused",
    "doubtful": "Most doubtful",
    "lost": "Lost metadata",
    "warnings": "Warnings",
}
DOUBTFUL = 0.1  # share of the photos, those with the most doubt

# By how it begins, an older page of ours is known.
HEAD = """<!doctype html>
<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>cyclecolor</title>
<style>
"""
STYLE = """:root { color-scheme: light dark; --page: #fff; --text: #1a1a1a; --faint: #767676 }
@media screen and (prefers-color-scheme: dark) { :root { --page: #1b1b1b; --text: #ddd; --faint: #999 } }
body { font: 15px/1.4 system-ui, sans-serif; margin: 1rem; background: var(--page); color: var(--text) }
a { color: inherit }
h1 { font-size: 1.2rem }
#large, [name=kind] { position: absolute; opacity: 0 }
label { display: inline-block; padding: .3rem .8rem; margin: .2rem .1rem; border: 1px solid var(--faint);
        border-radius: 1rem }
:checked + label { background: var(--text); color: var(--page) }
:focus-visible + label { outline: 2px solid }
ol { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); gap: 1.2rem;
     list-style: none; padding: 0 }
#large:checked ~ ol { grid-template-columns: minmax(0, 64rem) }
li { content-visibility: auto; contain-intrinsic-size: 20rem 18rem; overflow-wrap: anywhere }
figure { position: relative; margin: 0; overflow: hidden; background: #000 }
figure img { position: absolute; width: 200%; height: 100% }
figure img + img { left: -100%; clip-path: inset(0 0 0 calc(50% + var(--cut, 50%) / 2)) }
figure::after { content: ""; position: absolute; left: var(--cut, 50%); top: 0; bottom: 0;
                border-left: 1px solid #fff }
figure input { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0;
               cursor: ew-resize; touch-action: pan-y }
figure input:focus-visible { opacity: .4 }
small { color: var(--faint); display: block }
@media print { :root { --page: #fff; --text: #000; --faint: #444 }
  label, input, p span, figure::after, figure img + img { display: none }
  body { font-size: 8pt } ol { display: block }
  li { content-visibility: visible; break-inside: avoid; display: inline-block; vertical-align: top;
       width: 31%; margin: 0 1% .6rem }
  figure { aspect-ratio: auto !important } figure img { position: static; display: block; width: 100%;
                                                       height: auto } }
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
    refuse_foreign(output / NAME, HEAD.encode())
    records = list(records)
    shown = [record for record in records if record["status"] == "translated"]
    shown.sort(key=lambda record: (-record.get("doubt", 0), record["input"]))
    (output / PREVIEWS).mkdir(exist_ok=True)
    doubtful = _doubtful(shown)
    items = []
    for record in progress(shown):
        preview = output / PREVIEWS / preview_name(record)
        try:
            if not preview.exists():
                _write_preview(source / record["input"], output / record["output"], preview)
        except PhotoError:
            continue  # moved away since: the page shows what there is
        kinds = [*(name for name in ("lost", "warnings") if record.get(name))]
        kinds += ["doubtful"] if record["input"] in doubtful else []
        items.append((kinds, _item(record, preview, output)))
    refused = [record for record in records if record["status"] == "refused"]
    items += [(["refused"], _refusal(record)) for record in refused]
    page = HEAD + _page(items)
    atomic_write(output / NAME, lambda file: file.write(page.encode("utf-8", "replace")))
    return output / NAME


def preview_name(record: Record) -> str:
    """Of what the photo was and became, so that a preview is never out of date."""
    both = f"{SIDE} {record['input']} {record['sha256']} {record['output_sha256']}"
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


def _doubtful(records: list[Record]) -> set[str]:
    """Inputs of those with the most doubt, of records that are sorted by it."""
    doubted = [record["input"] for record in records if "doubt" in record]
    return set(doubted[: math.ceil(len(doubted) * DOUBTFUL)])


def _page(items: list[tuple[list[str], str]]) -> str:
    """What follows the head: a choice of kinds that needs no script, and the photos."""
    counts = Counter(kind for kinds, _ in items for kind in kinds)
    chosen = [kind for kind in FILTERS if counts[kind]]
    rules = "".join(f"#{kind}:checked ~ ol li:not(.{kind}) {{ display: none }}\n" for kind in chosen)
    radio = '<input type="radio" name="kind" id="{0}"{1}><label for="{0}">{2}</label>\n'
    choice = radio.format("all", " checked", f"All ({len(items):,})")
    choice += "".join(radio.format(kind, "", f"{FILTERS[kind]} ({counts[kind]:,})") for kind in chosen)
    made = len(items) - counts["refused"]
    photos = "".join(f'<li class="{" ".join(kinds)}">{text}</li>\n' for kinds, text in items)
    return (
        f"{STYLE}{rules}</style>\n<h1>{made:,} photos translated, {counts['refused']:,} refused</h1>\n"
        "<p><small>Left: before. Right: after. "
        "<span>Move the line. A name opens the photo.</span></small></p>\n"
        f'{choice}<input type="checkbox" id="large"><label for="large">Large</label>\n<ol>\n{photos}</ol>\n'
    )


def _item(record: Record, preview: Path, output: Path) -> str:
    width, height = record["width"], record["height"]
    numbers = [f"{width} × {height}", f"{record['seconds']:.1f} s"]
    numbers += [f"{record['pages']} pages"] if record["pages"] > 1 else []
    numbers += [f"doubt {record['doubt']:.1f}"] if "doubt" in record else []
    notes = [f"not carried over: {', '.join(record['lost'])}"] if record.get("lost") else []
    notes += [f"warning: {warning}" for warning in record.get("warnings", ())]
    image = f'<img loading="lazy" alt="" src="{_link(preview, output)}">'
    slide = "this.parentNode.style.setProperty('--cut',this.value+'%')"
    name = escape(_printable(record["input"]))
    said = "".join(f"<small>{escape(_printable(note))}</small>" for note in (", ".join(numbers), *notes))
    return (
        f'<figure style="aspect-ratio:{width}/{height}">{image}{image}'
        f'<input type="range" value="50" aria-label="before and after of {name}" oninput="{slide}"></figure>'
        f'<a href="{_link(output / record["output"], output)}">{name}</a>{said}'
    )


def _refusal(record: Record) -> str:
    return f"Refused: {escape(_printable(record['reason']))}"


def _link(path: Path, output: Path) -> str:
    return quote(os.fsencode(path.relative_to(output).as_posix()))


def _printable(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "replace")
