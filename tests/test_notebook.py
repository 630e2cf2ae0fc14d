"""The notebook runs from top to bottom, and is a notebook."""

import json
from pathlib import Path

import numpy as np

NOTEBOOK = Path(__file__).parent.parent / "examples" / "first_steps.ipynb"


def test_it_runs_from_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    assert (tmp_path / "colored.png").is_file()
    assert names["difference"] < 0.5
    errors = names["errors"]
    assert np.isfinite(list(errors.values())).all()
    assert errors["after a reference"] < min(errors["colored"], errors["with a hint"])


def test_it_is_a_notebook_without_outputs():
    """Version 4.5 of the format: cells have identities, and what was computed is not kept."""
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
