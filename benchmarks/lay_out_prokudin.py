"""Lay out glass plates for `cyclecolor evaluate`: one folder of truths, one for each kind of plate.

Plates come as NAME_color.png (the truth), NAME_blue_plate.png and NAME_green_plate.png in one folder (real
old film with known colors: S. M. Prokudin-Gorskii, 1905-15, Library of Congress). This makes OUTPUT/color,
OUTPUT/blue_plate and OUTPUT/green_plate with equal names, by symbolic links:

    python benchmarks/lay_out_prokudin.py PLATES OUTPUT
    cyclecolor evaluate CHECKPOINT --color OUTPUT/color --gray OUTPUT/blue_plate
"""

import sys
from pathlib import Path

KINDS = ("color", "blue_plate", "green_plate")


def lay_out(plates: Path, output: Path) -> dict[str, int]:
    """Link the plates of each kind; return how many there are."""
    counts = {}
    for kind in KINDS:
        found = sorted(plates.glob(f"*_{kind}.png"))
        (output / kind).mkdir(parents=True, exist_ok=True)
        for plate in found:
            (output / kind / plate.name.replace(f"_{kind}", "")).symlink_to(plate.resolve())
        counts[kind] = len(found)
    return counts


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    print(lay_out(Path(sys.argv[1]), Path(sys.argv[2])))
