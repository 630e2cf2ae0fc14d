"""The watch: what goes wrong is noticed in time, named, and leaves no trace in the weights."""

import pytest
import torch
from conftest import tiny_experiment

from cyclecolor.data import UNREADABLE, render_scene
from cyclecolor.errors import CycleColorError
from cyclecolor.methods import METHODS, cyclegan, pix2pix, regression
from cyclecolor.training import Trainer
from cyclecolor.training.snapshot import Snapshot
from cyclecolor.training.state import state_tensors
from cyclecolor.training.step import backward
from cyclecolor.training.unreadable import Unreadable
from cyclecolor.training.watch import GIVE_UP, Watch

NETWORK = {"type": "resnet", "width": 4, "blocks": 1}
MODULES = {"cyclegan": cyclegan, "pix2pix": pix2pix, "regression": regression}
LOSSES = ("generator_loss", "discriminator_loss", "l1", "chroma_l1")


def small(**changes):
    every_loss = {"lambda_cycle_gray": 10.0, "lambda_identity": 5.0}
    least = {
        "G_color": NETWORK,
        "G_gray": NETWORK,
        "num_steps": 8,
        "data": {"size": 16},
        "weights": every_loss,
    }
    return tiny_experiment(**{**least, **changes})


def poison(monkeypatch, method: str, which: int) -> None:
    """Make the loss that is computed `which`-th in every step not a number."""
    calls = []

    def poisoned(loss):
        def compute(*arguments):
            calls.append(loss)
            value = loss(*arguments)
            return value * float("nan") if len(calls) - 1 == which else value

        return compute

    for name in LOSSES:
        if hasattr(MODULES[method], name):
            monkeypatch.setattr(MODULES[method], name, poisoned(getattr(MODULES[method], name)))


def names_of(method: str) -> list[str]:
    """The losses of a method in the order in which they are computed."""
    one = {name: torch.zeros(2, 3, 16, 16, dtype=torch.uint8) for name in ("gray", "color")}
    return list(backward(METHODS[method](small(method=method), device=torch.device("cpu")), one))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("method", "which"), [(m, i) for m in MODULES for i in range(len(names_of(m)))], ids=str
)
def test_a_loss_that_is_not_finite_is_named_and_leaves_no_trace(
    tmp_path, monkeypatch, method, which, precision, said
):
    fusion = {
        "type": "fusion",
        "stages": 1,
        "width": 4,
        "stride": 1,
    }  # batch statistics must not be touched either
    experiment = small(method=method, precision=precision, G_color=fusion)
    trainer = Trainer(experiment, tmp_path)
    steps = trainer._walk()
    trainer.advance(*next(steps))
    before = {name: t.clone() for name, t in state_tensors(trainer.method, trainer.averages).items()}
    name = names_of(method)[which]
    poison(monkeypatch, method, which)
    trainer.advance(*next(steps))
    after = state_tensors(trainer.method, trainer.averages)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert said[-1].startswith(f"step 2: the loss {name} is nan; the step is left out")
    trainer.advance(*next(steps))  # the poison is gone, training goes on
    moved = state_tensors(trainer.method, trainer.averages)
    assert any(not torch.equal(before[name], tensor) for name, tensor in moved.items())


def test_a_full_pool_is_put_back_in_its_place():
    """Where a recorded step looks for it; one that was not full yet is as it was."""
    method = METHODS["cyclegan"](small(discriminator={"pool_size": 2}), device=torch.device("cpu"))
    full, fresh = method.pools["color"], method.pools["gray"]
    full.query(torch.arange(2.0).view(2, 1, 1, 1))
    place, before = full.images, Snapshot(method)
    for pool in (full, fresh):
        pool.query(torch.full((4, 1, 1, 1), 5.0))
    before.restore()
    assert full.images is place
    assert full.images.flatten().tolist() == [0, 1]
    assert fresh.images is None


def test_gradients_that_are_not_finite_are_noticed():
    assert "gradient of G is nan" in Watch(small()).bad_step({"x": 1.0}, {"G": float("nan")})


def test_an_exploding_gradient_is_noticed_at_once():
    watch = Watch(small())
    for norm in [1.0, 2.0, 0.5] * 10:
        assert watch.bad_step({}, {"G": norm}) is None
    assert watch.bad_step({}, {"G": 50.0}) is None
    assert "gradient of G is over 100 times its usual size" in watch.bad_step({}, {"G": 500.0})


@pytest.mark.parametrize("usual", [1e-4, 1e4])
def test_a_gradient_explodes_beside_its_usual_size(usual):
    """Whatever that is: the geometric mean of 30 sizes that go up and down by a factor of 10."""
    for factor, explodes in ((90, False), (110, True)):
        watch = Watch(small())
        for swing in [10.0, 0.1] * 15:
            assert watch.bad_step({}, {"G": swing * usual}) is None
        assert bool(watch.bad_step({}, {"G": factor * usual})) is explodes


@pytest.mark.parametrize(("objective", "guess"), [("least_squares", 0.25), ("hinge", 1), ("vanilla", 0.693)])
def test_a_discriminator_that_wins_is_noticed_within_320_steps(objective, guess):
    watch = Watch(small(discriminator={"objective": objective}))
    for _ in range(300):  # it was far worse than a guess before
        assert watch.winner({"D_color": 9 * guess, "D_gray": 0.5 * guess}) is None
    losses = {"D_color": 0.01 * guess, "D_gray": 0.5 * guess}
    noticed = [step for step in range(1, 400) if watch.winner(losses)]
    assert len(noticed) == 1
    assert 200 < noticed[0] <= 320


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda gray: torch.zeros(len(gray), 2, 4, 4), "no color"),
        (lambda gray: torch.full((len(gray), 2, 4, 4), 0.5), "all photos the same colors"),
        (lambda gray: 0.3 * torch.randn(len(gray), 2, 4, 4), None),
    ],
)
def test_collapse_is_noticed_at_the_third_look(made, says):
    class Generator(torch.nn.Module):
        stride = 4

        def forward(self, gray):
            return made(gray)

    method = METHODS["regression"](small(method="regression"), device=torch.device("cpu"))
    method.networks["G_color"] = Generator()
    photos = torch.stack([torch.from_numpy(render_scene(1, i, size=16)).permute(2, 0, 1) for i in range(4)])
    watch = Watch(small())
    looks = [watch.collapse(method, {"gray": photos, "color": photos}) for _ in range(3)]
    assert looks[:2] == [None, None]
    assert looks[2].startswith(f"G_color gives {says}: it has collapsed") if says else looks[2] is None


def test_a_training_sees_its_generator_collapse_and_its_discriminator_win(tmp_path, monkeypatch, said):
    experiment = small(learning_rate=1e-12, num_steps=6)
    trainer = Trainer(experiment, tmp_path)
    last = list(trainer.method.networks["G_color"].parameters())[-2:]
    with torch.no_grad():
        torch._foreach_zero_(last)  # no color from now on
    monkeypatch.setattr("cyclecolor.training.trainer.CHECK_EVERY", 2)
    monkeypatch.setattr("cyclecolor.training.watch.WINS", 0.99)
    trainer.watch.state["loss/D_color"] = trainer.watch.state["loss/D_gray"] = 0.0
    trainer.run()
    assert any(line.startswith("step 1: D_color wins outright") for line in said)
    assert any(line.startswith("step 6: G_color gives no color") for line in said)


@pytest.mark.parametrize("on_trouble", ["skip", "halve", "stop"])
def test_trouble_is_met_as_configured(tmp_path, monkeypatch, on_trouble):
    experiment = small(method="regression", on_trouble=on_trouble)
    trainer = Trainer(experiment, tmp_path)
    steps = trainer._walk()
    poison(monkeypatch, "regression", 0)
    if on_trouble == "stop":
        with pytest.raises(CycleColorError, match=r"step 1: the loss regression is nan.*step_00000001"):
            trainer.run()
        assert Trainer(experiment, tmp_path).step == 1
        return
    trainer.advance(*next(steps))
    trainer.advance(*next(steps))
    rate = trainer.method.optimizers["G"].param_groups[0]["lr"]
    assert rate == experiment.learning_rate * (0.5 if on_trouble == "halve" else 1)
    trainer.save()
    assert Trainer(experiment, tmp_path).watch.state == trainer.watch.state


@pytest.mark.parametrize("good", [0, 1])
def test_a_run_that_leaves_out_every_step_stops(good):
    watch = Watch(small())
    for _ in range(good):
        watch.bad_step({"x": 1.0}, {})
    for _ in range(GIVE_UP - 1):
        watch.bad_step({"x": float("nan")}, {})
    assert not watch.hopeless
    watch.bad_step({"x": float("nan")}, {})
    assert watch.hopeless


def test_what_went_missing_is_said_again_in_the_end(tmp_path, caplog):
    """Each photo once, each death counted."""
    missing = Unreadable({}, tmp_path)
    batches = [{UNREADABLE: ["", "b.png: gone"]}, {UNREADABLE: ["b.png: gone", "a.png: broken"]}]
    assert list(missing.noting(iter(batches))) == [{}, {}]
    for _ in range(2):
        missing.worker_died("a loader process died")
    caplog.clear()
    missing.summarize()
    assert [record.getMessage() for record in caplog.records] == [
        "photos that became unreadable during the training: 2",
        "  a.png: broken",
        "  b.png: gone",
        "loader processes that died and were started again: 2",
    ]
