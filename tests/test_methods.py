"""Methods: every one with every generator in every space, and that something is learned."""

import copy
import math

import pytest
import torch
from conftest import tiny_experiment

from cyclecolor.methods import METHODS
from cyclecolor.methods.bottleneck import bottleneck
from cyclecolor.methods.image_pool import ImagePool
from cyclecolor.methods.losses import chroma_l1, discriminator_loss, generator_loss
from cyclecolor.methods.method import make_generator
from cyclecolor.training import TrainingStep

CPU = torch.device("cpu")


def batch(size: int = 32) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return {name: torch.randint(256, (2, 3, size, size), dtype=torch.uint8) for name in ("gray", "color")}


@pytest.mark.parametrize(
    ("method", "generator"),
    [(m, g) for m in METHODS for g in ("resnet", "fusion") if (m, g) != ("paper_cyclegan", "fusion")],
)
@pytest.mark.parametrize("space", ["lab", "luv"])
def test_every_combination_trains(method, generator, space):
    options = {"type": generator, "width": 4, "blocks": 1, "stages": 2}
    everything = {"lambda_cycle_gray": 10.0, "lambda_identity": 5.0}
    taught = {"teachers": ["default"]} if method == "distillation" else {}
    experiment = tiny_experiment(
        method=method, space=space, G_color=options, G_gray=options, weights=everything, **taught
    )
    trained = METHODS[method](experiment, device=CPU)
    if taught:
        trained.teachers = [copy.deepcopy(trained.networks["G_color"])]
    before = {name: [p.clone() for p in net.parameters()] for name, net in trained.networks.items()}
    losses = TrainingStep(trained)(0, batch()).losses
    assert all(math.isfinite(loss) for loss in losses.values())
    assert trained.optimizers.keys() == {name[0] for name in trained.networks}
    for name, network in trained.networks.items():
        pairs = zip(before[name], network.parameters(), strict=True)
        assert any(not torch.equal(old, new) for old, new in pairs), name


def test_settings_of_a_generator_reach_it():
    """Each in a way that is seen from outside: sides of the output, channels, depth, and the rate."""
    settings = {"encoder": "resnet18", "stages": 2, "width": 8, "stride": 2, "pretrained": True}
    generator = make_generator(tiny_experiment(G_color={**settings, "encoder_rate": 0.3}).G_color, 1, 2)
    assert generator(torch.zeros(1, 1, 32, 48)).shape == (1, 2, 16, 24)
    assert generator.features(torch.zeros(1, 1, 32, 48)).shape == (1, 8, 16, 24)
    assert (len(generator.stages), generator.encoder_name, generator.encoder_rate) == (2, "resnet18", 0.3)
    resnet = {"type": "resnet", "width": 8, "blocks": 3}
    generator = make_generator(tiny_experiment(G_color=resnet).G_color, 1, 2)
    assert len(generator.blocks) == 3


@pytest.mark.parametrize("space", ["lab", "luv"])
def test_a_film_is_learned_by_its_discriminator_alone(space):
    """Whatever `cycle_color` says, it does not reach `G_gray`: there is no way to be taught to hide."""
    for lambda_gan, moves in ((0.0, False), (1.0, True)):
        experiment = tiny_experiment(space=space, G_gray={"type": "film"}, weights={"lambda_gan": lambda_gan})
        trained = METHODS["cyclegan"](experiment, device=CPU)
        before = trained.G_gray.mean.detach().clone()
        losses = TrainingStep(trained)(0, batch()).losses
        assert torch.equal(before, trained.G_gray.mean) is not moves
    assert set(losses) == {"gan_color", "gan_gray", "cycle_color", "D_color", "D_gray"}


@pytest.mark.parametrize(("match_steps", "film_step"), [(2, 2.5e-4), (0, 1e-3)])
def test_a_matched_film_learns_at_its_share_of_the_rate(match_steps, film_step):
    """Adam's first step is as long as the learning rate, whatever the gradient."""
    changes = {"learning_rate": 1e-3, "film_rate": 0.25, "match_steps": match_steps}
    trained = METHODS["cyclegan"](tiny_experiment(G_gray={"type": "film"}, **changes), device=CPU)
    steps = {trained.G_gray.mean: film_step, trained.networks["G_color"].output.weight: 1e-3}
    before = [p.detach().clone() for p in steps]
    TrainingStep(trained)(0, batch())
    for old, (new, step) in zip(before, steps.items(), strict=True):
        assert (new - old).abs().max().item() == pytest.approx(step, rel=1e-2)


def two_steps(**changes) -> tuple[list, dict[str, torch.Tensor], int]:
    """Losses, what the networks have become, and how many values were kept for backward passes."""
    torch.manual_seed(0)
    trained, kept = METHODS["cyclegan"](tiny_experiment(**changes), device=CPU), []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        losses = [TrainingStep(trained)(0, batch()).losses for _ in range(2)]
    state = {f"{n}.{k}": v for n, net in trained.networks.items() for k, v in net.state_dict().items()}
    return losses, state, sum(kept)


@pytest.mark.parametrize("types", [("fusion", "film"), ("resnet", "fusion")])
def test_checkpointing_changes_memory_alone(types):
    options = [{"type": name, "width": 8, "blocks": 2, "stages": 2} for name in types]
    plain, again = (
        two_steps(checkpointing=value, G_color=options[0], G_gray=options[1]) for value in (False, True)
    )
    assert plain[0] == again[0]
    assert plain[1].keys() == again[1].keys()
    assert all(torch.equal(plain[1][name], again[1][name]) for name in plain[1])
    assert again[2] < plain[2] / 2


@pytest.mark.parametrize("bfloat16", [False, True])
def test_regression_learns_a_color_it_is_shown(bfloat16):
    torch.manual_seed(0)
    experiment = tiny_experiment(method="regression", learning_rate=5e-3)
    method = METHODS["regression"](experiment, device=CPU, bfloat16=bfloat16)
    images = batch()
    images["color"][:, 0], images["color"][:, 1:] = 200, 60
    losses = [TrainingStep(method)(0, images).losses["regression"] for _ in range(30)]
    assert losses[-1] < 0.2 * losses[0]


@pytest.mark.parametrize(
    ("objective", "generator", "discriminator"),
    [
        ("least_squares", (0.25 - 1) ** 2, ((0.5 - 1) ** 2 + 0.25**2) / 2),
        ("hinge", -0.25, ((1 - 0.5) + (1 + 0.25)) / 2),
        ("vanilla", 0.5759394, (0.4740770 + 0.8259394) / 2),  # log(1 + exp(-x))
    ],
)
def test_gan_losses_by_closed_form(objective, generator, discriminator):
    real, fake = [torch.full((2, 1, 3, 3), 0.5)], [torch.full((2, 1, 3, 3), 0.25)]
    assert generator_loss(fake, objective).item() == pytest.approx(generator, abs=1e-6)
    assert discriminator_loss(real, fake, objective).item() == pytest.approx(discriminator, abs=1e-6)


def test_scales_of_another_discriminator_are_not_left_out():
    with pytest.raises(ValueError, match="zip"):
        discriminator_loss([torch.zeros(1)], [torch.zeros(1), torch.ones(1)], "hinge")


def test_chroma_loss_by_closed_form():
    target, output = torch.zeros(1, 2, 1, 2), torch.zeros(1, 2, 1, 2)
    target[0, :, 0, 0] = torch.tensor([0.3, 0.4])  # of norm 0.5; the other pixel is gray and missed by 0.1
    output[0, 0, 0, 1] = 0.1
    assert chroma_l1(output, target, 0.0).item() == pytest.approx((0.3 + 0.4 + 0.1) / 4)
    weighted = (0.7 * (1 + 10 * 0.5) + 0.1) / 4 / (1 + 10 * 0.14)
    assert chroma_l1(output, target, 10.0).item() == pytest.approx(weighted)


def test_bottleneck_leaves_256_levels_and_the_gradient():
    gray = torch.linspace(-1.2, 1.2, 5000).view(1, 1, 50, 100).requires_grad_()
    passed = bottleneck(gray, quantize=True, noise=0, gradient=True)
    assert len(passed.detach().round(decimals=4).unique()) == 256
    passed.sum().backward()
    assert torch.equal(gray.grad, torch.ones_like(gray))


def test_bottleneck_noise_has_the_stated_size():
    torch.manual_seed(0)
    noise = bottleneck(torch.zeros(1, 1, 200, 200), quantize=False, noise=0.05, gradient=False) / 2
    assert noise.std().item() == pytest.approx(0.05, rel=0.02)


def test_pool_returns_past_images_half_of_the_time():
    torch.manual_seed(0)
    pool = ImagePool(10)
    for i in range(10):
        assert pool.query(torch.full((1, 1, 1, 1), float(i))).item() == i
    returned = [pool.query(torch.full((1, 1, 1, 1), float(i))).item() == i for i in range(100, 500)]
    assert 0.4 < sum(returned) / 400 < 0.6
    assert len(pool.images) == 10


@pytest.mark.parametrize("batch", [1, 3, 7, 12])
def test_pool_loses_and_doubles_nothing(batch):
    torch.manual_seed(0)
    pool, number = ImagePool(5), 0
    for _ in range(6):
        held = [] if pool.images is None else pool.images.flatten().tolist()
        fresh = [float(i) for i in range(number, number + batch)]
        kept = fresh[: 5 - len(held)]  # and shown as well
        number += batch
        shown = pool.query(torch.tensor(fresh).view(-1, 1, 1, 1)).flatten().tolist()
        assert shown[: len(kept)] == kept
        assert sorted(shown + pool.images.flatten().tolist()) == sorted(held + fresh + kept)
    assert pool.full
