"""A sheet of photos, each above what a checkpoint makes of it: twelve, spread evenly over the names given.

python benchmarks/sheet_of_scans.py [--checkpoint CHECKPOINT] [--truth] SHEET.jpg PHOTO...
"""

import argparse

import numpy as np
from PIL import Image, ImageOps

from cyclecolor import load

PHOTOS, COLUMNS = 12, 6
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
    parser.add_argument("--truth", action="store_true", help="photos in color: show them below")
    parser.add_argument("sheet")
    parser.add_argument("photos", nargs="+")
    arguments = parser.parse_args()
    names = sorted(arguments.photos)
    picks = np.linspace(0, len(names) - 1, min(PHOTOS, len(names))).round().astype(int)
    colorizer = load(arguments.checkpoint)
    rows = 3 if arguments.truth else 2
    sheet = Image.new("RGB", (COLUMNS * WIDTH, rows * -(-len(picks) // COLUMNS) * HEIGHT), "white")
    for i, pick in enumerate(picks):
        left, top = i % COLUMNS * WIDTH, rows * (i // COLUMNS) * HEIGHT
        with Image.open(names[pick]) as photo:
            for row, image in enumerate((photo.convert("L"), colorizer(photo), photo)[:rows]):
                sheet.paste(cell(image), (left, top + row * HEIGHT))
    sheet.save(arguments.sheet, quality=90)


if __name__ == "__main__":
    main()
