"""Random numbers hang on the run's seed, on what they are for and on the place in the run alone."""

import numpy as np
import pytest
import torch
from conftest import tiny_experiment

from cyclecolor.data import PairedDataset, ScenePile, UnpairedDataset
from cyclecolor.data.augment import Augment
from cyclecolor.data.seeds import Stream, mixed_seed
from cyclecolor.methods import METHODS, bottleneck, cyclegan
from cyclecolor.training import Trainer, TrainingStep
from cyclecolor.training.seeding import seed_start, seed_step

SEEDS = (0, 1, 2, 12345, (1 << 31) - 1)
CPU = torch.device("cpu")


def test_seeds_streams_and_positions_share_no_draw():
    """Of 12,500 places, in the low 32 bits, which are all that the CPU's generator takes."""
    places = [(seed, stream, at) for seed in SEEDS for stream in Stream for at in range(500)]
    low = {mixed_seed(*place) % (1 << 32) for place in places}
    assert len(low) == len(places)
    bits = (np.array(list(low))[:, None] >> np.arange(32)) & 1
    assert bits.mean(axis=0) == pytest.approx(np.full(32, 0.5), abs=0.02)  # four deviations


def test_steps_of_two_seeds_share_no_draw():
    drawn = []
    for seed in SEEDS:
        seed_start(seed)
        drawn.append(torch.rand(8, dtype=torch.float64))
        for step in (0, 1, 2, (1 << 32) - 1):
            seed_step(seed, step)
            drawn.append(torch.rand(8, dtype=torch.float64))
    assert len(torch.cat(drawn).unique()) == 8 * len(drawn)


def test_a_step_draws_the_same_whatever_was_drawn_before():
    drawn = []
    for before in (0, 7):
        torch.rand(before)
        seed_step(3, 5)
        drawn.append(torch.rand(8))
    assert torch.equal(*drawn)


def seen_noise(monkeypatch, seed: int, **changes) -> torch.Tensor:
    """The noise of the bottleneck in two steps of a run."""
    seen, normal = [], bottleneck.normal
    monkeypatch.setattr(bottleneck, "normal", lambda *a: seen.append(normal(*a)) or seen[-1])
    trained = METHODS["cyclegan"](tiny_experiment(seed=seed, **changes), device=CPU)
    images = {name: torch.zeros(2, 3, 32, 32, dtype=torch.uint8) for name in ("gray", "color")}
    take_step = TrainingStep(trained)
    for step in (0, 1):
        take_step(step, images)
    monkeypatch.setattr(bottleneck, "normal", normal)
    return torch.stack(seen)


def test_the_seed_of_the_run_reaches_its_steps(monkeypatch):
    one, again, other = (seen_noise(monkeypatch, seed) for seed in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.isin(one, other).any()
    assert not torch.isin(one[0], one[1]).any()


def test_the_seed_of_the_run_reaches_the_start(tmp_path, monkeypatch):
    """Films are born alike, whatever the seed, and then see other crops and other noise."""
    monkeypatch.setattr(cyclegan, "MATCH_BATCH", 8)
    films = []
    for seed in (0, 0, 1):
        experiment = tiny_experiment(seed=seed, G_gray={"type": "film"}, match_steps=2, data={"size": 32})
        trainer = Trainer(experiment, tmp_path / str(len(films)))
        films.append(trainer.method.networks["G_gray"].mean.detach().clone())
        trainer.close()
    assert torch.equal(films[0], films[1])
    assert not torch.equal(films[0], films[2])


class Seeds(Augment):
    """Shows the seed that it was given."""

    def __init__(self):
        pass

    def __call__(self, image, seed):
        return np.full((1, 1, 3), seed % 251, np.uint8)


def crops(seed: int, position: int = 0) -> tuple[int, int]:
    pile = ScenePile(1, 5, size=16)
    sample = UnpairedDataset(pile, pile, augment=Seeds(), seed=seed)[position]
    return int(sample["gray"][0, 0, 0]), int(sample["color"][0, 0, 0])


def test_crops_of_the_two_piles_of_two_seeds_and_of_two_places_differ():
    """By chance, a pair of some 40 crops would be like: 40 x 39 / 2 / 251 are 3."""
    drawn = [crop for seed in (0, 1) for position in range(10) for crop in crops(seed, position)]
    assert drawn == [crop for seed in (0, 1) for position in range(10) for crop in crops(seed, position)]
    assert len(set(drawn)) > 30


@pytest.mark.parametrize(("film", "same"), [("panchromatic", True), ("generic", False)])
def test_a_photo_has_one_scan_a_run_but_ever_new_augmentation(film, same):
    pile = ScenePile(1, 1, size=16)

    def scan(seed: int, position: int) -> torch.Tensor:
        return PairedDataset(pile, augment=lambda image, _: image, seed=seed, film=film)[position]["gray"]

    assert torch.equal(scan(0, 0), scan(0, 1)) is same
    assert not torch.equal(scan(0, 0), scan(1, 0))
