"""Event files for TensorBoard: what the log says, once for each step, also after a resumption."""

import json
import sys

import pytest
from conftest import tiny_experiment

from cyclecolor.errors import CycleColorError
from cyclecolor.training import Trainer, train
from cyclecolor.training.event_files import FOLDER

accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


def events_of(run_dir):
    events = accumulator.EventAccumulator(str(run_dir / FOLDER))
    events.Reload()
    return events


def test_each_step_counts_once_after_a_resumption(tmp_path):
    """A process that dies at step 5 has saved step 3: steps 4 and 5 are done, and told, again."""
    experiment = tiny_experiment(num_steps=6, save_every=3, tensorboard=True, G_gray={"type": "film"})
    died = Trainer(experiment, tmp_path)
    for step, batches in enumerate(died._walk(), 1):
        died._log(died.advance(*batches), died._bar())
        if step == 3:
            died._save_if_possible()
        if step == 5:
            break
    died.close()
    train(experiment, tmp_path)
    events = events_of(tmp_path)
    logged = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    for name in ("cycle_color", "D_color"):
        told = [(event.step, event.value) for event in events.Scalars(f"loss/{name}")]
        assert [step for step, _ in told] == [1, 2, 3, 4, 5, 6]
        assert [value for _, value in told] == pytest.approx([line[name] for line in logged], rel=1e-6)
    assert [event.step for event in events.Images("held-out photos")] == [3, 6]
    assert {"film/contrast", "learning rate/G", "held-out photos/chroma error"} <= set(
        events.Tags()["scalars"]
    )
    rates = [event.value for event in events.Scalars("learning rate/G")]
    assert rates[0] == pytest.approx(5e-4)  # of G_color; a film learns at a share of it
    assert events.Tags()["histograms"] == ["chroma"]


def test_only_if_asked_for(tmp_path):
    train(tiny_experiment(num_steps=1), tmp_path)
    assert not (tmp_path / FOLDER).exists()


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(CycleColorError, match=r"pip install .cyclecolor\[tensorboard\]"):
        train(tiny_experiment(num_steps=1, tensorboard=True), tmp_path)
