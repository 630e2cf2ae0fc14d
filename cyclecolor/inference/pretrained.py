"""Checkpoints as folders that travel, here or on the Hugging Face Hub."""

import os
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..checkpoint import FORMAT, Checkpoint, export_checkpoint
from ..errors import CycleColorError, of_extra
from ..files import atomic_write, shown, write_json

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"
NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
COMMIT = re.compile(r"[0-9a-f]{40}", re.ASCII)

CARD_TEXT = """---
library_name: cyclecolor
pipeline_tag: image-to-image
tags:
- colorization
- {method}
---

# {name}

Colors gray photographs. Trained with cyclecolor by the method `{method}`, in {space}, for
{step:,} steps; {direction}.

```python
from cyclecolor import Colorizer

colorizer = Colorizer.from_pretrained("OWNER/NAME", revision="COMMIT")
colored = colorizer(image)  # a PIL image of any mode, of which only the lightness is used
```

| | |
|---|---|
| photos or scenes that it was trained on | {data} |
| short side that the network sees | {size} px |
| factor of chroma | {saturation:g} |
| written by | cyclecolor {version} |

Colors are inferred, not recorded: they are plausible, and can be wrong. Say here what the photos of the
training are, under which license they are, and what the checkpoint is not good for.
"""


def save_folder(checkpoint: Checkpoint, folder: Path) -> None:
    """Write the generators (in half precision), what they are in JSON, and a model card if there is none.

    Raises
    ------
    CycleColorError
        If the folder cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CycleColorError(f"{shown(folder)}: cannot be made: {error.strerror}") from None
    export_checkpoint(checkpoint, folder / WEIGHTS)
    experiment = checkpoint.experiment
    config = {"library_name": "cyclecolor", "format": FORMAT, "step": checkpoint.step}
    write_json(config | {"experiment": _public(checkpoint)}, folder / CONFIG)
    if not (folder / CARD).exists():  # somebody may have written on it
        directions = {"G_color": "gray to color", "G_gray": "color to gray"}
        text = CARD_TEXT.format(
            name=experiment.name,
            method=experiment.method,
            space=experiment.space,
            step=checkpoint.step,
            direction=" and ".join(words for g, words in directions.items() if checkpoint.averaged(g)),
            data=_data_in_words(checkpoint.data),
            size=experiment.working_size or experiment.data.size,
            saturation=experiment.saturation,
            version=version("cyclecolor"),
        )
        atomic_write(folder / CARD, lambda file: file.write(text.encode()))


def find_folder(name: str | os.PathLike[str], revision: str | None) -> Path:
    """The weights of a folder, or of a repository of the Hub, which are downloaded unless they are cached.

    Raises
    ------
    CycleColorError
        If there is no such folder or repository, no `revision` is given for a download, or it fails.
    """
    folder = Path(name)
    if folder.is_dir():
        if not (folder / WEIGHTS).is_file():
            raise CycleColorError(f"{shown(folder)}: no {WEIGHTS} in this folder", exit_code=2)
        return folder / WEIGHTS
    text = os.fspath(name)
    if not NAME.fullmatch(text):
        message = (
            f"{shown(text)}: no such folder, and no repository of the Hub, which is OWNER/NAME; "
            "files, runs and released checkpoints are opened by cyclecolor.load"
        )
        raise CycleColorError(message, exit_code=2)
    if revision is None or not COMMIT.fullmatch(revision):
        raise CycleColorError(
            f"{text}: no such folder; to download it, give revision=, the 40 digits of a commit of the "
            "repository (a branch or a tag can change)",
            exit_code=2,
        )
    return _downloaded(text, revision)


def _downloaded(repository: str, revision: str) -> Path:
    with of_extra("hub"):
        from huggingface_hub import hf_hub_download
    try:
        return Path(hf_hub_download(repository, WEIGHTS, revision=revision, library_name="cyclecolor"))
    except Exception as error:  # of the network, of the Hub, of the disk: it has a class for each
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise CycleColorError(f"{repository} at {revision[:12]}: cannot be downloaded: {reason}") from None


def _public(checkpoint: Checkpoint) -> dict[str, Any]:
    """The experiment where it differs from the defaults, without folders of this machine."""
    table = checkpoint.experiment.model_dump(exclude_defaults=True)
    table.pop("init", None)
    for key in ("root", "gray", "color"):
        table.get("data", {}).pop(key, None)
    return table


def _data_in_words(data: dict[str, Any]) -> str:
    """Of the fingerprints of the piles, how many photos or scenes they have."""
    piles = {name: pile for name, pile in data.items() if isinstance(pile, dict)}
    counts = {name: pile.get("photos", pile.get("scenes", "?")) for name, pile in piles.items()}
    return ", ".join(f"{name}: {count}" for name, count in counts.items()) or "unknown"
