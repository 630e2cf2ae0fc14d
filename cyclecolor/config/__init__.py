"""Experiments: TOML files, each a short diff against typed defaults."""

from .loading import load_experiment, parse_experiment, valid_keys
from .schema import Data, Experiment, FilmName, Generator

__all__ = [
    "Data",
    "Experiment",
    "FilmName",
    "Generator",
    "load_experiment",
    "parse_experiment",
    "valid_keys",
]
