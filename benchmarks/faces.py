"""Colors of faces: how far skin is from its true color, for light and dark skin apart.

python benchmarks/faces.py --find PHOTOS FACES.csv     lists faces, for a look by eye
python benchmarks/faces.py PHOTOS FACES.csv CHECKPOINT... [--json docs/results/faces.json]

The cascade of scikit-image finds frontal faces and some that are none: strike those from the list. Skin is
what has its hue in the ellipse within a box. How dark it is, the photo says, with its light: the individual
typology angle (Chardon et al., 1991), where below 10 degrees is brown and dark.

docs/results/RESULTS.md has the table, and the card of `default` a line of it; tests/test_numbers.py compares
both with the JSON.
"""

import argparse
import csv
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from record import commit
from torch import Tensor

from cyclecolor import load
from cyclecolor.color import rgb_to_lab, rgb_to_lightness
from cyclecolor.evaluation.inputs import to_tensor
from cyclecolor.evaluation.metrics import chroma_of, ciede2000, hue_agreement
from cyclecolor.evaluation.scores import Score, mean, ratio, score
from cyclecolor.evaluation.tables import cell
from cyclecolor.files import write_json
from cyclecolor.photos import find_photos, read_rgb8

COLUMNS = ("name", "top", "left", "side")
SMALLEST = 28  # pixels: side of a box
SKIN_HUES = (15, 90)  # degrees in Lab, red to yellow
SKIN_CHROMA = 8  # below, a face in gray or in shadow has no hue
SKIN_SHARE = 0.4  # of the ellipse: with less, a box is no face in color
DARK = 10  # degrees of the typology angle


def find(photos: Path, faces: Path) -> None:
    """List the boxes in which the cascade sees a face."""
    from skimage.data import lbp_frontal_face_cascade_filename
    from skimage.feature import Cascade

    cascade = Cascade(lbp_frontal_face_cascade_filename())
    sides = {"min_size": (SMALLEST, SMALLEST), "max_size": (400, 400)}
    with faces.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(COLUMNS)
        for path in find_photos(photos):
            for box in cascade.detect_multi_scale(read_rgb8(path), scale_factor=1.15, step_ratio=1, **sides):
                lines.writerow([path.relative_to(photos).as_posix(), box["r"], box["c"], box["height"]])


def skin_of(lab: Tensor) -> Tensor:
    """Where a box of Lab (1, 3, side, side) shows skin: (side, side)."""
    side = lab.shape[-1]
    place = torch.linspace(-1, 1, side)
    ellipse = place[:, None] ** 2 + (place[None] / 0.75) ** 2 < 0.8
    hue = torch.rad2deg(torch.atan2(lab[0, 2], lab[0, 1]))
    skin = ellipse & (SKIN_HUES[0] < hue) & (hue < SKIN_HUES[1]) & (chroma_of(lab)[0] > SKIN_CHROMA)
    return skin if skin.sum() > SKIN_SHARE * ellipse.sum() else torch.zeros_like(skin)


def typology_angle(skin: Tensor) -> float:
    """Of Lab (1, 3, 1, pixels) in degrees: 90 is the lightest skin."""
    lightness, _, yellow = skin.median(dim=-1).values.flatten().tolist()
    return float(np.degrees(np.arctan2(lightness - 50, yellow)))


def read_faces(photos: Path, faces: Path) -> list[tuple[np.ndarray, slice, slice, Tensor, bool]]:
    """Photo, rows and columns of a box, where its skin is, and whether that is dark."""
    found = []
    with faces.open(encoding="utf-8") as file:
        for line in csv.DictReader(file):
            photo = read_rgb8(photos / line["name"])
            top, left, side = (int(line[name]) for name in COLUMNS[1:])
            rows, columns = slice(top, top + side), slice(left, left + side)
            lab = rgb_to_lab(to_tensor([photo]))[..., rows, columns]
            if (skin := skin_of(lab)).any():
                found.append((photo, rows, columns, skin, typology_angle(lab[..., skin][:, :, None]) < DARK))
    return found


def measured(colorizer, photo: np.ndarray, rows: slice, columns: slice, skin: Tensor) -> Tensor:
    """Of ours and of gray, each: CIEDE2000, sum of hue errors, pixels that have one (6,)."""
    rgb = to_tensor([photo])
    lightness = rgb_to_lightness(rgb)
    ours = rgb_to_lab(colorizer.colorize_lightness(lightness / 50 - 1))
    gray = torch.cat([lightness, torch.zeros_like(ours[:, 1:])], dim=1)
    truth, ours, gray = (
        image[..., rows, columns][..., skin][:, :, None] for image in (rgb_to_lab(rgb), ours, gray)
    )
    parts = []
    for image in (ours, gray):
        hue, _, count = hue_agreement(image, truth)[0]
        parts += [ciede2000(image, truth).mean(), hue, count]
    return torch.stack(parts)


def scored(checkpoint: str, faces: list[tuple[np.ndarray, slice, slice, Tensor, bool]]) -> Iterator[dict]:
    """A record of each kind of skin."""
    colorizer = load(checkpoint)
    for skin in ("light", "dark"):
        of_kind = [measured(colorizer, *face[:4]) for face in faces if face[4] is (skin == "dark")]
        if of_kind:
            values = torch.stack(of_kind)
            scores = {
                "CIEDE2000": score(values[:, :1], mean),
                "gray": score(values[:, 3:4], mean),
                "hue error, degrees": score(values[:, 1:3], ratio),
            }
            named = {name: one and asdict(one) for name, one in scores.items()}
            yield {"checkpoint": Path(checkpoint).stem, "skin": skin, "faces": len(of_kind), "scores": named}


def table(record: dict[str, Any]) -> str:
    """A row for each checkpoint and kind of skin."""
    lines = ["| | skin | faces | CIEDE2000 | gray | hue error, degrees |", "|---|---|--:|--:|--:|--:|"]
    for row in record["rows"]:
        cells = " | ".join(cell(one and Score(**one)) for one in row["scores"].values())
        lines.append(f"| `{row['checkpoint']}` | {row['skin']} | {row['faces']} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    """Find faces, or score checkpoints on them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--find", action="store_true")
    parser.add_argument("photos", type=Path)
    parser.add_argument("faces", type=Path)
    parser.add_argument("checkpoints", nargs="*")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    arguments = parser.parse_args()
    if arguments.find:
        find(arguments.photos, arguments.faces)
        return
    faces = read_faces(arguments.photos, arguments.faces)
    rows = [row for checkpoint in arguments.checkpoints for row in scored(checkpoint, faces)]
    record = {"commit": commit(), "folder": arguments.photos.name, "rows": rows}
    if arguments.json:
        write_json(record, arguments.json)
    print(table(record))


if __name__ == "__main__":
    main()
