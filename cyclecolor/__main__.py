"""`python -m cyclecolor`: the command line."""

from .cli.main import main

if __name__ == "__main__":  # not in a process that a loader spawned
    main()
