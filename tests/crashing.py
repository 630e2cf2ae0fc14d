"""What tests do to decoders: a picture that holds `CRASH` ends the process that reads it.

One that holds `CRASH_ONCE` and a path does so until that file exists: as when a machine is taken away.
"""

import os
import signal
from pathlib import Path

CRASH, CRASH_ONCE = b"cyclecolor test: crash", b"cyclecolor test: crash once: "


def plug() -> None:
    """Prepare this process."""
    from cyclecolor.photos import reading

    usual = reading._read

    def read(file, *arguments, **options):
        file.seek(0)
        content = file.read()
        if CRASH_ONCE in content:
            flag = Path(os.fsdecode(content.partition(CRASH_ONCE)[2]))
            if not flag.exists():
                flag.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        elif CRASH in content:
            os.kill(os.getpid(), signal.SIGKILL)
        return usual(file, *arguments, **options)

    reading._read = read
