"""Every loss of every method is the one that NumPy computes, and reaches the networks that it should."""

import numpy as np
import pytest
import torch
from by_hand import WEIGHTS, ByHand, Pointwise
from conftest import tiny_experiment

from cyclecolor.methods import METHODS, Method, cyclegan
from cyclecolor.training.seeding import seed_step
from cyclecolor.training.step import backward

CPU = torch.device("cpu")
LAMBDAS = {
    "lambda_gan": 0.3,
    "lambda_cycle_color": 11.0,
    "lambda_cycle_gray": 7.0,
    "lambda_identity": 3.0,
    "lambda_regression": 5.0,
    "lambda_distillation": 2.0,
}
HONEST = {"quantize": False, "noise": 0.0, "gradient": False}
COUNTS = {"cyclegan": 4, "pix2pix": 2, "regression": 1, "distillation": 1}  # networks

rng = np.random.default_rng(0)
IMAGES = {name: rng.integers(0, 256, (2, 3, 8, 8), np.uint8) for name in ("gray", "color")}
BATCH = {name: torch.from_numpy(images) for name, images in IMAGES.items()}


def pointwise(kind: str = "cyclegan", *, pool_size: int = 0, objective: str = "hinge", **changes) -> Method:
    """A method whose networks are those of `by_hand`."""
    judges = {"layers": 1, "width": 4, "pool_size": pool_size, "objective": objective}
    defaults = {"weights": LAMBDAS, "bottleneck": HONEST, "discriminator": judges}
    if kind == "distillation":
        defaults["teachers"] = ["default"]
    method = METHODS[kind](tiny_experiment(method=kind, **{**defaults, **changes}), device=CPU)
    assert len(method.networks) == COUNTS[kind]
    for name in method.networks:
        method.networks[name] = Pointwise(name)
        setattr(method, name, method.networks[name])
    if kind == "distillation":
        method.teachers = [Pointwise("first_teacher"), Pointwise("second_teacher")]
    return method


def assert_same(method: Method, by_hand: ByHand) -> None:
    losses = backward(method, BATCH)
    expected = getattr(by_hand, method.experiment.method)(**IMAGES)
    assert losses.keys() == expected.keys()
    # Matrices of sRGB are rounded differently in scikit-image.
    assert {name: loss.item() for name, loss in losses.items()} == pytest.approx(expected, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("objective", ["hinge", "least_squares", "vanilla"])
@pytest.mark.parametrize("kind", COUNTS)
def test_losses_are_those_by_hand(kind, objective):
    assert_same(pointwise(kind, objective=objective), ByHand(objective))


@pytest.mark.parametrize("kind", COUNTS)
def test_losses_in_the_other_space_without_emphasis(kind):
    weights = {**LAMBDAS, "chroma_emphasis": 0.0}
    assert_same(pointwise(kind, space="luv", weights=weights), ByHand(space="luv", emphasis=0.0))


def test_damage_lies_over_real_and_fake_gray(monkeypatch):
    """In the place of specks, the square of gray in [0, 1]."""
    monkeypatch.setattr(cyclegan, "damaged", lambda gray, noise: gray**2)
    assert_same(pointwise(damage=True), ByHand(damage=lambda gray: 2 * ((gray + 1) / 2) ** 2 - 1))


@pytest.mark.parametrize("quantize", [False, True])
def test_the_noise_of_the_guard_is_that_of_the_step(quantize):
    method = pointwise(bottleneck={"quantize": quantize, "noise": 0.05, "gradient": False})
    seed_step(0, 3)
    noise = 2 * 0.05 * torch.randn(2, 1, 8, 8).numpy()
    seed_step(0, 3)
    assert_same(method, ByHand(quantize=quantize, noise=noise))
    seed_step(1, 3)
    with pytest.raises(AssertionError):
        assert_same(method, ByHand(quantize=quantize, noise=noise))


@pytest.mark.parametrize("kind", ["cyclegan", "pix2pix"])
def test_discriminators_are_shown_what_the_pools_give(kind):
    """Pools that give a half of what they are given, and remember it."""
    taken, method = {}, pointwise(kind)
    for domain, pool in method.pools.items():
        pool.query = lambda fake, domain=domain: taken.setdefault(domain, fake.detach()) / 2
    assert_same(method, ByHand(past=lambda _, fake: fake / 2))
    assert {name: tuple(fake.shape) for name, fake in taken.items()} == {
        domain: {"color": (2, 3, 4, 4), "gray": (2, 1, 8, 8)}[domain] for domain in method.pools
    }


def test_a_pool_is_full_of_what_it_was_given():
    method = pointwise(pool_size=2)
    method.losses(BATCH)
    lightness, _ = ByHand().read(IMAGES["gray"])
    fakes = np.concatenate(
        [lightness.reshape(2, 1, 4, 2, 4, 2).mean(axis=(3, 5)), ByHand().G_color(lightness)], 1
    )
    np.testing.assert_allclose(method.pools["color"].images.numpy(), fakes, atol=1e-3)


def test_what_has_no_weight_is_not_computed():
    method = pointwise(weights={**LAMBDAS, "lambda_cycle_gray": 0.0, "lambda_identity": 0.0})
    assert set(method.losses(BATCH).generators) == {"gan_color", "gan_gray", "cycle_color"}


REACHES = {
    "gan_color": {"G_color"},
    "gan_gray": {"G_gray"},
    "cycle_color": {"G_color"},
    "cycle_gray": {"G_color", "G_gray"},
    "identity_gray": {"G_gray"},
    "identity_color": {"G_color"},
    "regression": {"G_color"},
    "distillation": {"G_color"},
    "D_color": {"D_color"},
    "D_gray": {"D_gray"},
}


def reached(method: Method) -> dict[str, set[str]]:
    """The networks that the gradient of each loss comes to."""
    losses, networks = method.losses(BATCH), method.networks
    found = {}
    for name, loss in (losses.generators | losses.discriminators).items():
        weights = [network.weights for network in networks.values()]
        slopes = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
        pairs = zip(networks, slopes, strict=True)
        found[name] = {n for n, slope in pairs if slope is not None and slope.any()}
    return found


@pytest.mark.parametrize("kind", COUNTS)
def test_a_loss_reaches_its_own_networks_alone(kind):
    found = reached(pointwise(kind))
    assert found == {name: REACHES[name] for name in found}


def test_the_cycle_teaches_the_gray_generator_where_it_is_let():
    found = reached(pointwise(bottleneck={**HONEST, "gradient": True}))
    assert found == {**{name: REACHES[name] for name in found}, "cycle_color": {"G_color", "G_gray"}}


FACTORS = {
    "gan_color": 0.3,
    "gan_gray": 0.3,
    "cycle_color": 11.0,
    "cycle_gray": 7.0,
    "identity_gray": 3.0,
    "identity_color": 3.0,
    "regression": 5.0,
    "distillation": 2.0,
}


@pytest.mark.parametrize("kind", COUNTS)
def test_gradients_are_the_slopes_of_the_weighted_sum_by_hand(kind):
    method = pointwise(kind, objective="vanilla", bottleneck={**HONEST, "gradient": True})
    backward(method, BATCH)

    def total(side: str, weights: dict[str, np.ndarray]) -> float:
        losses = getattr(ByHand("vanilla", weights=weights), kind)(**IMAGES)
        return sum(
            FACTORS.get(n, 1.0) * loss for n, loss in losses.items() if n.startswith("D_") is (side == "D")
        )

    for name, network in method.networks.items():
        slopes = np.zeros_like(WEIGHTS[name])
        for place in np.ndindex(slopes.shape):
            ends = []
            for step in (1e-5, -1e-5):
                weights = {n: np.array(rows) for n, rows in WEIGHTS.items()}
                weights[name][place] += step
                ends.append(total(name[0], weights))
            slopes[place] = (ends[0] - ends[1]) / 2e-5
        np.testing.assert_allclose(network.weights.grad.numpy(), slopes, rtol=5e-3, atol=2e-3, err_msg=name)
