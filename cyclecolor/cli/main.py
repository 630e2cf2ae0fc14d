"""The group of all commands."""

import click

from .checkpoints import export, import_, info
from .demo import demo
from .evaluation import audit, evaluate
from .group import Group
from .piles import doctor, prepare
from .report import report
from .train import train
from .translate import translate


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cyclecolor")
def main() -> None:
    """Color black-and-white photographs, and learn how from your own photos.

    Start with: cyclecolor translate FOLDER
    """


for command in (train, translate, demo, prepare, evaluate, audit, report, doctor, info, export, import_):
    main.add_command(command)
