"""`python -m cyclecolor`: the command line."""

from .cli import main

main()
