"""Write generated scenes that no training run sees, as a folder of color photos to evaluate or audit on.

python benchmarks/write_scenes.py OUTPUT COUNT SIZE
"""

import sys
from pathlib import Path

from PIL import Image

from cyclecolor.data import SCENES, render_scene


def main(output: Path, count: int, size: int) -> None:
    """Write `count` scenes of `size` x `size` pixels."""
    output.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        Image.fromarray(render_scene(SCENES["test"], i, size=size)).save(output / f"{i:04}.png")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
