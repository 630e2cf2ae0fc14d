"""Whatever settings an experiment has, it trains a step, or is refused when it is read."""

import re
from itertools import product

import pytest
import torch
from conftest import PAPER, tiny_experiment

from cyclecolor.config import parse_experiment
from cyclecolor.errors import CycleColorError
from cyclecolor.methods import METHODS
from cyclecolor.training import train
from cyclecolor.training.step import backward

LEAST, MOST = 16, 4096  # that the schema allows
FILM = {"type": "film"}
RESNET = {"type": "resnet", "width": 2, "blocks": 1}
FUSION = {"type": "fusion", "width": 4}


def smallest(**changes) -> int:
    """The smallest `data.size` with which settings are allowed, as the refusal of `LEAST` says."""
    try:
        tiny_experiment(**changes, data={"size": LEAST})
    except CycleColorError as error:
        size = int(re.search(r"data.size = 16 is too small for .*: use (\d+) or more, or ", str(error))[1])
        with pytest.raises(CycleColorError, match=f"use {size} or more"):
            tiny_experiment(**changes, data={"size": size - 1})
        return size
    return LEAST


def step_at(size: int, **changes) -> None:
    """Losses and gradients of a batch."""
    torch.manual_seed(0)
    experiment = tiny_experiment(**changes, data={"size": size})
    method = METHODS[experiment.method](experiment, device=torch.device("cpu"))
    shape = experiment.batch_size, 3, size, size
    batch = {name: torch.randint(256, shape, dtype=torch.uint8) for name in ("gray", "color")}
    assert all(loss.isfinite() for loss in backward(method, batch).values())


@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize(("layers", "scales"), [(1, 1), (2, 1), (3, 1), (1, 2), (2, 2)])
def test_discriminators_have_something_to_see(layers, scales, stride):
    changes = {
        "method": "pix2pix",
        "batch_size": 2,
        "G_color": {**FUSION, "stages": 1, "stride": stride},
        "discriminator": {"layers": layers, "scales": scales, "width": 2, "spectral_norm": False},
    }
    size = smallest(**changes)
    step_at(size, **changes)
    # And it is the smallest: a map of one pixel less is nothing after its layers.
    if size > LEAST:
        side = -(-(size - 1) // stride) >> (scales - 1)
        network = METHODS["pix2pix"](
            tiny_experiment(**changes, data={"size": size}), device=torch.device("cpu")
        )
        with pytest.raises(RuntimeError, match="Kernel size can't be greater"):
            network.D_color.discriminators[-1](torch.zeros(1, 3, side, side))


def test_most_layers_are_refused_or_fit():
    sizes = {
        (layers, scales, stride): smallest(
            G_color={**FUSION, "stride": stride}, discriminator={"layers": layers, "scales": scales}
        )
        for layers, scales, stride in product(range(1, 6), range(1, 5), (1, 2, 4))
    }
    assert max(sizes.values()) <= MOST
    assert sizes[2, 1, 4] == 45  # the defaults


@pytest.mark.parametrize("stages", [1, 2, 3, 4])
@pytest.mark.parametrize("encoder", ["resnet10", "efficientnet_lite0"])
@pytest.mark.parametrize("batch_size", [1, 2])
def test_batch_norms_have_something_to_measure(encoder, stages, batch_size):
    changes = {
        "method": "regression",
        "batch_size": batch_size,
        "G_color": {**FUSION, "encoder": encoder, "stages": stages},
    }
    size = smallest(**changes)
    assert size == (max(LEAST, 2 ** (stages + 1) + 1) if batch_size == 1 else LEAST)
    step_at(size, **changes)
    if size > LEAST:
        network = METHODS["regression"](
            tiny_experiment(**changes, data={"size": size}), device=torch.device("cpu")
        )
        with pytest.raises(ValueError, match="more than 1 value per channel"):
            network.G_color(torch.zeros(1, 1, size - 1, size - 1))


PATCHES = {"layers": 1, "width": 2, "pool_size": 3}
OTHERS = {
    "film": {"G_gray": FILM},
    "fusion both ways": {"G_gray": {**FUSION, "stages": 4}},
    "resnet both ways": {"G_color": RESNET, "G_gray": RESNET},
    "damage": {"G_gray": FILM, "damage": True},
    "luv": {"G_gray": RESNET, "space": "luv"},
    "identity": {"G_gray": RESNET, "weights": {"lambda_identity": 1.0, "lambda_cycle_gray": 1.0}},
    "stages and identity": {"G_color": {**FUSION, "stages": 4}, "weights": {"lambda_identity": 1.0}},
    "no weights": {"weights": {"lambda_gan": 0.0, "lambda_cycle_color": 0.0}},
    "no pool": {"discriminator": {**PATCHES, "pool_size": 0}},
    "vanilla": {"discriminator": {**PATCHES, "objective": "vanilla"}},
    "least squares": {"discriminator": {**PATCHES, "objective": "least_squares", "spectral_norm": False}},
    "checkpointing": {"checkpointing": True},
    "everything through": {"bottleneck": {"quantize": False, "noise": 0.0, "gradient": True}},
    "paper": {"method": "paper_cyclegan", "G_color": RESNET, "G_gray": RESNET},
    "pix2pix": {"method": "pix2pix", "G_color": RESNET},
}


@pytest.mark.parametrize("changes", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("batch_size", [1, 2])
def test_what_is_allowed_trains(changes, batch_size):
    changes = {
        "G_color": {**FUSION, "stages": 1},
        "discriminator": PATCHES,
        "batch_size": batch_size,
        **changes,
    }
    step_at(smallest(**changes), **changes)


def test_a_film_is_matched_on_the_smallest_crops(tmp_path):
    patches = {"discriminator": PATCHES, "batch_size": 1, "num_steps": 1}
    changes = {"G_color": RESNET, "G_gray": FILM, "match_steps": 2, **patches}
    train(tiny_experiment(**changes, data={"size": smallest(**changes)}), tmp_path)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"data": {"tones": 0.3}}, "data.tones is for paired methods"),
        ({"data": {"film": "blue_plate"}}, "data.film = 'blue_plate' makes pairs"),
        ({**PAPER, "data": {"film": "blue_plate"}}, "data.film = 'blue_plate' makes pairs"),
        ({"G_gray": {"type": "resnet", "pretrained": True}}, "pretrained = true is for type = 'fusion'"),
    ],
)
def test_settings_that_would_do_nothing_are_refused(settings, reason):
    with pytest.raises(CycleColorError, match=reason):
        parse_experiment(settings, source="here")
