"""On a GPU: the numbers of the CPU in every method, bfloat16 near them, sums in one order if asked for."""

import pytest
import torch
from conftest import KINDS, tiny_experiment

from cyclecolor.checkpoint import export_checkpoint, read_checkpoint
from cyclecolor.color import SPACES
from cyclecolor.inference import ChromaColorizer
from cyclecolor.methods import METHODS
from cyclecolor.ops.instance_norm import InstanceNorm
from cyclecolor.training import Trainer, step, train
from cyclecolor.training.step import backward

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")

CPU, GPU = torch.device("cpu"), torch.device("cuda")
NO_NOISE = {"bottleneck": {"noise": 0.0, "quantize": False}}  # noise is another on each device


@pytest.fixture(autouse=True)
def exact(monkeypatch):
    """Float32 of 24 bits (by default, cuDNN multiplies 11 of them); one order of sums ends with the test."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    yield
    torch.use_deterministic_algorithms(False)


def first_step(kind: str, device: torch.device, *, count: int = 2, bfloat16: bool = False, **changes):
    """Losses and gradients of a first step from the same weights and images, brought to the CPU."""
    torch.manual_seed(0)
    experiment = tiny_experiment(**{**KINDS[kind], **NO_NOISE, **changes})
    images = {name: torch.randint(256, (count, 3, 32, 32), dtype=torch.uint8) for name in ("gray", "color")}
    method = METHODS[experiment.method](experiment, device=device, bfloat16=bfloat16)
    for network in method.networks.values():
        network.to(memory_format=torch.channels_last)
    losses = backward(method, images)
    networks = method.networks.items()
    gradients = {f"{n}.{k}": p.grad for n, network in networks for k, p in network.named_parameters()}
    return ({k: v.detach().float().cpu() for k, v in x.items() if v is not None} for x in (losses, gradients))


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_has_the_losses_and_gradients_of_the_cpu(kind):
    (losses, gradients), (expected, slopes) = (first_step(kind, device) for device in (GPU, CPU))
    torch.testing.assert_close(losses, expected, rtol=1e-4, atol=1e-5)
    assert gradients.keys() == slopes.keys()
    size = torch.cat([g.flatten() for g in slopes.values()]).norm()
    assert max((gradients[name] - slopes[name]).norm() for name in slopes) < 1e-3 * size


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_is_near(kind):
    ways = (True, False)
    (losses, gradients), (expected, slopes) = (first_step(kind, GPU, count=16, bfloat16=b) for b in ways)
    torch.testing.assert_close(losses, expected, rtol=0.05, atol=0.02)
    ours, theirs = (torch.cat([g[name].flatten() for name in slopes]) for g in (gradients, slopes))
    assert torch.cosine_similarity(ours, theirs, dim=0) > 0.95  # networks this small, of values of 8 bits


def test_checkpointing_changes_memory_alone():
    (plain, _), (again, _) = (first_step("cyclegan", GPU, checkpointing=value) for value in (False, True))
    torch.testing.assert_close(again, plain, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 8, 20, 20), (4, 8, 20, 20)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_instance_norm_and_its_gradient_are_those_of_the_cpu(shape, layout):
    torch.manual_seed(0)
    features, towards = torch.randn(2, *shape) * 3 + 1
    found = []
    for device in (GPU, CPU):
        image = features.to(device).contiguous(memory_format=layout).requires_grad_()
        normed = InstanceNorm()(image)
        normed.backward(towards.to(device).contiguous(memory_format=layout))
        found.append((normed.detach().cpu(), image.grad.cpu()))
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("space", SPACES)
def test_colors_are_those_of_the_cpu(space):
    torch.manual_seed(0)
    rgb, space = torch.rand(2, 3, 40, 40), SPACES[space]
    lightness, chroma = space.split(rgb.to(GPU))
    torch.testing.assert_close(
        torch.cat([lightness, chroma], dim=1).cpu(), space.color(rgb), rtol=0, atol=1e-5
    )
    vivid = space.merge(lightness, 2 * chroma)
    expected = space.merge(lightness.cpu(), 2 * chroma.cpu())
    torch.testing.assert_close(vivid.cpu(), expected, rtol=0, atol=5e-4)  # a step of the bisection


@pytest.mark.parametrize("bfloat16", [False, True])
@pytest.mark.parametrize("kind", [*KINDS, "film"])
def test_a_recorded_step_is_the_step(tmp_path, kind, bfloat16, monkeypatch):
    """The pools (3 images) are full after 2 steps; of 8, the last 5 are replayed, with ever new images."""
    film = {"G_gray": {"type": "film"}, "match_steps": 2}
    changes = {**KINDS.get(kind, film), "precision": "bfloat16" if bfloat16 else "float32"}
    experiment = tiny_experiment(**changes, deterministic=True, num_steps=8)
    recorded, ends = [], []
    for record in (True, False):
        monkeypatch.setattr(step, "can_record", lambda method, record=record: record)
        run = Trainer(experiment, tmp_path / str(record))
        ends.append(read_checkpoint(run.run()).tensors)
        run.close()
        recorded.append(getattr(run.take_step.backward, "graph", None) is not None)
    assert recorded == [True, False]
    assert all(torch.equal(ends[1][name], tensor) for name, tensor in ends[0].items())


def test_a_step_left_out_leaves_a_recorded_one_whole(tmp_path, monkeypatch):
    """What is put back is put where the recording looks for it."""
    experiment = tiny_experiment(deterministic=True, num_steps=8, precision="float32")
    ends = []
    for record in (True, False):
        monkeypatch.setattr(step, "can_record", lambda method, record=record: record)
        run = Trainer(experiment, tmp_path / str(record))
        bad_step = run.watch.bad_step
        run.watch.bad_step = lambda *a, bad=bad_step, run=run: "bad" if run.step == 6 else bad(*a)
        ends.append(read_checkpoint(run.run()).tensors)
        run.close()
    assert all(torch.equal(ends[1][name], tensor) for name, tensor in ends[0].items())


@pytest.mark.parametrize("kind", KINDS)
def test_stopped_equals_never_stopped_in_one_order(tmp_path, kind):
    network = {"type": "resnet", "width": 4, "blocks": 1}
    changes = {"G_color": network, "G_gray": network, **KINDS[kind]}
    experiment = tiny_experiment(**changes, deterministic=True, num_steps=9, data={"size": 32})
    whole = read_checkpoint(train(experiment, tmp_path / "whole"))
    parts = Trainer(experiment, tmp_path / "parts")
    walk = parts._walk()
    for _ in range(6):
        parts.advance(*next(walk))
    parts.save()
    parts.close()
    resumed = read_checkpoint(train(experiment, tmp_path / "parts"))
    assert all(torch.equal(resumed.tensors[name], tensor) for name, tensor in whole.tensors.items())


def test_the_default_networks_have_one_order(tmp_path):
    networks = {"G_color": {"type": "fusion"}, "G_gray": {"type": "film"}}
    experiment = tiny_experiment(deterministic=True, num_steps=6, match_steps=3, **networks)
    runs = [read_checkpoint(train(experiment, tmp_path / str(i))) for i in range(2)]
    assert all(torch.equal(runs[1].tensors[name], tensor) for name, tensor in runs[0].tensors.items())


def test_what_a_gpu_trained_colors_alike_on_cpu(tmp_path, monkeypatch):
    checkpoint = read_checkpoint(train(tiny_experiment(precision="auto"), tmp_path / "run"))
    export_checkpoint(checkpoint, tmp_path / "small.safetensors")
    exported = read_checkpoint(tmp_path / "small.safetensors")
    lightness = torch.rand(1, 1, 40, 40) * 2 - 1
    on_gpu = ChromaColorizer(exported).chroma(lightness.to(GPU)).cpu()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    torch.testing.assert_close(on_gpu, ChromaColorizer(exported).chroma(lightness), rtol=0, atol=1e-4)
