"""Whether the page's server grows: photos colored one after another by requests, and its memory.

    python benchmarks/demo_memory.py PHOTO [--checkpoint default] [--requests 100]

The memory is what the server holds (resident, in MB), before the first request and after each tenth part.
Each request gives another hint, so that nothing is answered from what was kept. Needs the extra `demo`.
"""

import argparse
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from page_client import PageClient, served


def main() -> None:
    """Print a line for each tenth part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo", type=Path)
    parser.add_argument("--checkpoint", type=Path, default=Path("default"))
    parser.add_argument("--requests", type=int, default=100)
    options = parser.parse_args()
    with served(options.checkpoint) as (address, process):
        print(f"{0:>6} {resident(process):8.1f}", flush=True)
        for done in range(1, options.requests + 1):
            page = PageClient(address)  # another visitor each
            given = page.press("go", photos=[page.upload(options.photo)], hints=f"{done % 16},0=#a03020")
            assert page.file(given[2]["value"]), "no file came"
            if done % max(1, options.requests // 10) == 0:
                print(f"{done:>6} {resident(process):8.1f}", flush=True)


def resident(process: int) -> float:
    """MB of memory that a process holds."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1000


if __name__ == "__main__":
    main()
