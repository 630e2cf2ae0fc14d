"""What tests do to decoders: a picture that holds `CRASH` ends the process that reads it.

One that holds `CRASH_ONCE` and a path does so until that file exists: as when a machine is taken away.
"""

import os
import signal
from pathlib import Path

CRASH, CRASH_ONCE = b"cyclecolor test: crash", b"cyclecolor test: crash once: "


def plug() -> None:
    """Prepare this process, and those that it starts for a photo alone."""
    from cyclecolor.collection import apart
    from cyclecolor.photos import reading

    apart.serve, usual = serve, reading._read

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


def serve(pipe, work):
    """What runs in such a process."""
    from cyclecolor.collection.apart import serve

    plug()
    serve(pipe, work)


def serve_and_die(pipe, work):
    """One that dies with the photo, whatever that is."""
    pipe.send("")
    pipe.recv()
    os.kill(os.getpid(), signal.SIGKILL)


def serve_nothing(pipe, work):
    """One that does not come up."""
