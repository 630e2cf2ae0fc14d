"""Write configuration.md and command-line.md from the code; a test compares the pages with it.

python docs/generate.py
"""

import ast
import inspect
import io
import re
import tokenize
from pathlib import Path

import click
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from cyclecolor import config
from cyclecolor.cli import main as cyclecolor

DOCS = Path(__file__).parent
NOTE = "<!-- Written by docs/generate.py: change the code, then run it. -->"
INTRODUCTION = """\
An experiment is a TOML file. It says only what differs from the defaults below. `cyclecolor train` reads it,
and `--set KEY=VALUE` changes one setting on the command line. A key that does not exist is an error, and the
message names the nearest one that does.

    cyclecolor train experiments/photos.toml --set data.size=96 --set method=regression

Keys with a dot belong to a table: `data.size = 96`, or `size = 96` below a line `[data]`.
"""


def comments_of(section: type[BaseModel]) -> dict[str, str]:
    """The comment of each setting in its class: behind it, or on the lines above it."""
    source = inspect.getsource(section)
    comments = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            comments[token.start[0]] = token.string.removeprefix("#").strip()
    lines, found = source.splitlines(), {}
    for node in ast.parse(source).body[0].body:
        if not isinstance(node, ast.AnnAssign):
            continue
        above, number = [], node.lineno - 1
        while number in comments and lines[number - 1].lstrip().startswith("#"):
            above.insert(0, comments[number])
            number -= 1
        behind = [comments[node.end_lineno]] if node.end_lineno in comments else []
        found[node.target.id] = " ".join(above + behind)
    return found


def shown_type(annotation: object, metadata: list) -> str:
    """A type and its bounds as a reader of TOML knows them."""
    text = inspect.formatannotation(annotation).replace("typing.", "")
    optional = "None" in text or "Optional" in text
    text = re.sub(r"^Optional\[(.*)\]$", r"\1", text.removesuffix(" | None"))
    text = re.sub(r"Literal\[(.*?)\]", r"\1", text).replace("'", "`")
    bounds = [f"{SIGNS[name]} {getattr(m, name):,}" for m in metadata for name in SIGNS if hasattr(m, name)]
    return ", ".join([WORDS.get(text, text), *bounds]) + (", or left out" if optional else "")


WORDS = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}
SIGNS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def shown_default(value: object) -> str:
    """A default as TOML has it."""
    if value is None or value is PydanticUndefined:
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else repr(value)}`".replace("'", '"')


def rows_of(section: type[BaseModel], prefix: str) -> list[str]:
    """A row for each setting that is no table."""
    comments, rows = comments_of(section), []
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            continue
        cells = (
            f"`{prefix}{name}`",
            shown_type(field.annotation, field.metadata),
            shown_default(field.default),
        )
        rows.append(f"| {' | '.join(cells)} | {comments[name] or 'see above'} |")
    return rows


def table(section: type[BaseModel], prefix: str) -> str:
    """The settings of a table of the file, in Markdown."""
    return "\n".join(["| key | value | default | meaning |", "|---|---|---|---|", *rows_of(section, prefix)])


def configuration() -> str:
    """The page of all settings."""
    parts = [f"# Configuration\n\n{NOTE}\n\n{INTRODUCTION}", table(config.Experiment, "")]
    sections: dict[type[BaseModel], list[str]] = {}
    for name, field in config.Experiment.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            sections.setdefault(field.annotation, []).append(name)
    for section, names in sections.items():
        prefix = f"{names[0]}." if len(names) == 1 else ""
        title = ", ".join(f"[{name}]" for name in names)
        parts.append(f"\n## {title}\n\n{inspect.cleandoc(section.__doc__)}\n\n{table(section, prefix)}")
    return "\n".join(parts) + "\n"


def command_line() -> str:
    """The page of all commands: what `--help` says."""
    parts = [f"# Command line\n\n{NOTE}\n\nThis is what `cyclecolor COMMAND --help` says.\n"]
    for name, command in cyclecolor.commands.items():
        settings = {**command.context_settings, "terminal_width": 100}
        context = click.Context(command, info_name=f"cyclecolor {name}", **settings)
        parts.append(f"## cyclecolor {name}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


PAGES = {"configuration.md": configuration, "command-line.md": command_line}

if __name__ == "__main__":
    for name, write in PAGES.items():
        (DOCS / name).write_text(write(), encoding="utf-8")
