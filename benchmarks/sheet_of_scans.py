"""A sheet of scans, each above what a checkpoint makes of it: ten, spread evenly over the names given.

python benchmarks/sheet_of_scans.py [--checkpoint CHECKPOINT] SHEET.jpg SCAN...
"""

import argparse

import numpy as np
from PIL import Image, ImageOps

from cyclecolor import load

PHOTOS, COLUMNS = 10, 5
WIDTH, HEIGHT = 240, 190  # pixels: the cell that each lies in, its aspect kept


def cell(image: Image.Image) -> Image.Image:
    """An image on white."""
    return ImageOps.pad(image.convert("RGB"), (WIDTH, HEIGHT), color="white")


def main() -> None:
    """Color them and write the sheet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkpoint")
    parser.add_argument("sheet")
    parser.add_argument("scans", nargs="+")
    arguments = parser.parse_args()
    names = sorted(arguments.scans)
    picks = np.linspace(0, len(names) - 1, min(PHOTOS, len(names))).round().astype(int)
    colorizer = load(arguments.checkpoint)
    sheet = Image.new("RGB", (COLUMNS * WIDTH, 2 * -(-len(picks) // COLUMNS) * HEIGHT), "white")
    for i, pick in enumerate(picks):
        left, top = i % COLUMNS * WIDTH, 2 * (i // COLUMNS) * HEIGHT
        with Image.open(names[pick]) as scan:
            sheet.paste(cell(scan.convert("L")), (left, top))
            sheet.paste(cell(colorizer(scan)), (left, top + HEIGHT))
    sheet.save(arguments.sheet, quality=90)


if __name__ == "__main__":
    main()
