"""From a TOML file and what the command line says, to checked settings."""

import difflib
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from ..errors import CycleColorError
from .schema import Experiment


def load_experiment(path: Path, overrides: tuple[str, ...] = ()) -> Experiment:
    """Read an experiment file and apply `key=value` overrides (`data.size=96`).

    Raises
    ------
    CycleColorError
        Naming the file, the key and the nearest valid key.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CycleColorError(
            f"{path}: cannot read the experiment ({error.strerror}); see experiments/ for examples",
            exit_code=2,
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CycleColorError(f"{path}: not valid TOML: {error}", exit_code=2) from None
    for override in overrides:
        _apply(table, override)
    return parse_experiment({"name": path.stem, **table}, source=str(path))


def parse_experiment(table: dict[str, Any], *, source: str) -> Experiment:
    """Check a table of settings against the defaults; errors name `source` and the key."""
    try:
        return Experiment.model_validate(table)
    except ValidationError as error:
        raise CycleColorError(f"{source}: {_explain(error)}", exit_code=2) from None


def _apply(table: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    *parents, last = key.strip().split(".")
    if not equals or not last:
        raise CycleColorError(f"--set {override}: write it as KEY=VALUE", exit_code=2)
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise CycleColorError(f"--set {override}: {parent} is a setting, not a table", exit_code=2)
    table[last] = _parse_value(value, text_wanted=key.strip() in _text_keys())


def _parse_value(text: str, *, text_wanted: bool) -> object:
    """A TOML value; what is none (`lab`, a path) is a string as it stands, like a folder called `1911`."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return text if text_wanted and not isinstance(value, str) else value


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if not key:
        return first["msg"].removeprefix("Value error, ")
    if first["type"] != "extra_forbidden":
        return f"{key} = {first['input']!r}: {first['msg'][0].lower()}{first['msg'][1:]}"
    near = difflib.get_close_matches(key, valid_keys(), n=1, cutoff=0.4)
    return f"unknown key {key!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def valid_keys() -> list[str]:
    """Every key of an experiment file, dotted."""
    return list(_types(Experiment))


def _text_keys() -> list[str]:
    """The keys whose values are any text: names and paths."""
    return [key for key, kind in _types(Experiment).items() if kind in (str, str | None)]


def _types(section: type[BaseModel], prefix: str = "") -> dict[str, object]:
    """The type of each key of a table and of those within, dotted."""
    types: dict[str, object] = {}
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            types |= _types(field.annotation, f"{prefix}{name}.")
        else:
            types[prefix + name] = field.annotation
    return types
