"""`python -m cyclecolor`: the command line."""

from .cli.main import main

main()
