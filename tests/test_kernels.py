"""Kernels for GPUs against what PyTorch itself does; Triton's interpreter runs them where there is no GPU."""

import os
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F

from cyclecolor.ops.instance_norm import EPSILON

pytest.importorskip("triton", reason="PyTorch brings Triton along on Linux alone")

from cyclecolor.ops import triton_kernels as kernels

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SHAPES = [(1, 8, 20, 20), (4, 8, 20, 20), (2, 70, 9, 13), (3, 5, 16, 4), (1, 1, 40, 33)]


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    """Some tiles to an image, some parts to a sum."""
    monkeypatch.setattr(kernels, "PIXELS", 16)
    monkeypatch.setattr(kernels, "CHANNELS", 32)


def with_gradient(operation, image):
    image = image.clone().requires_grad_()
    output = operation(image)
    torch.manual_seed(1)
    output.backward(torch.randn(output.shape).to(output))
    return output.detach(), image.grad


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("slope", [1.0, 0.0, 0.2])
def test_instance_norm(shape, layout, slope):
    torch.manual_seed(0)
    far_from_zero = torch.randn(shape, device=DEVICE) * 3 + 50  # where sums of squares cancel
    image = far_from_zero.contiguous(memory_format=layout)
    ours = with_gradient(lambda x: kernels.instance_norm(x, EPSILON, slope), image)
    theirs = with_gradient(lambda x: F.leaky_relu(F.instance_norm(x, eps=EPSILON), slope), image.double())
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other.float(), rtol=1e-4, atol=2e-5)
    assert ours[0].is_contiguous(memory_format=torch.channels_last)


def test_a_flat_image_becomes_zero():
    output, gradient = with_gradient(
        lambda x: kernels.instance_norm(x, EPSILON), torch.full((2, 3, 8, 8), 7.0, device=DEVICE)
    )
    assert (output == 0).all()
    assert gradient.isfinite().all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("padding", [1, 3])
def test_reflection_pad(shape, padding):
    torch.manual_seed(0)
    image = torch.randn(shape, device=DEVICE)
    ours = with_gradient(lambda x: kernels.reflection_pad(x, padding), image)
    theirs = with_gradient(lambda x: F.pad(x, (padding,) * 4, mode="reflect"), image)
    assert torch.equal(ours[0], theirs[0])
    torch.testing.assert_close(ours[1], theirs[1], rtol=0, atol=2e-6)
    assert ours[0].is_contiguous(memory_format=torch.channels_last)


def test_padding_wider_than_the_image_is_refused():
    with pytest.raises(ValueError, match="3"):
        kernels.reflection_pad(torch.zeros(1, 1, 3, 9), 3)


COMPILE = """
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile
from cyclecolor.ops import triton_kernels as kernels

numbers = ("pixels", "channels", "each", "parts", "rows", "height", "width", "padding")
sizes = {"PARTS": kernels.PARTS, "PIXELS": kernels.PIXELS, "CHANNELS": kernels.CHANNELS}
images = dict.fromkeys(("values", "image", "gradient", "output"), "*bf16")
types = {
    **dict.fromkeys(numbers, "i32"), **images, **dict.fromkeys(("epsilon", "slope"), "fp32"),
    **dict.fromkeys(("sums", "gradient_sums"), "*fp32"),
}
for name, backward in (
    ("_add_up", True), ("_add_up", False), ("_normalize", None), ("_normalize_backward", None),
    ("_reflect", None), ("_reflect_backward", None),
):
    kernel = getattr(kernels, name)
    fixed = {**sizes, "BACKWARD": backward}
    signature = {x: "constexpr" if x in fixed else types[x] for x in kernel.arg_names}
    if name == "_add_up":
        signature["output"] = "*fp32"
    values = {(i,): fixed[x] for i, x in enumerate(kernel.arg_names) if x in fixed}
    source = ASTSource(fn=kernel, signature=signature, constexprs=values)
    assert compile(source, target=GPUTarget("cuda", 90, 32)).asm["cubin"]
"""


def test_they_compile_for_a_gpu_that_is_not_here():
    """The interpreter takes what the compiler does not."""
    environment = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
    subprocess.run([sys.executable, "-c", COMPILE], env=environment, check=True)
