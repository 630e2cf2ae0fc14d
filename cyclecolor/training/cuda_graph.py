"""Losses and gradients of a batch without Python in between: recorded once by the GPU, then replayed.

A step of small networks is some thousand operations, which take the GPU less time than it takes Python to
ask for them (CUDA graphs: https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs).
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ..distributed import world_size
from ..methods import Method

Batch = dict[str, Tensor]
Backward = Callable[[Method, Batch], dict[str, Tensor]]

PLAIN_STEPS = 3  # before the recording: kernels are built, constants moved, moments made


def can_record(method: Method) -> bool:
    """Whether every step is the same operations on one GPU, with no gradients to be added to."""
    experiment = method.experiment
    return (
        method.device.type == "cuda"
        and world_size() == experiment.accumulate == 1
        and not experiment.checkpointing
    )


class RecordedBackward:
    """`backward` of a method, whose losses and gradients these are to the last bit.

    Gradients must be None when it is called. The first steps, and those before the pools are full, are not
    yet the same operations as all others, and are left to Python.
    """

    def __init__(self, method: Method, backward: Backward):
        self.method, self.backward = method, backward
        self.plain_steps = 0
        self.graph: torch.cuda.CUDAGraph | None = None
        self.stream = torch.cuda.Stream()

    def __call__(self, _method: Method, batch: Batch) -> dict[str, Tensor]:
        """From `gray` and `color`, each uint8 (N, 3, H, W), to losses, which the next step overwrites."""
        if self.graph is None and (self.plain_steps < PLAIN_STEPS or not self._settled()):
            self.plain_steps += 1
            return self._beside(batch)
        if self.graph is None:
            self._record(batch)
        for name, images in self.images.items():
            images.copy_(batch[name])
        assert self.graph is not None
        self.graph.replay()
        for parameter, gradient in self.gradients:
            parameter.grad = gradient
        return self.losses

    def _settled(self) -> bool:
        return all(pool.full for pool in self.method.pools.values())

    def _beside(self, batch: Batch) -> dict[str, Tensor]:
        """A plain pass on a stream of its own, which recording asks of those before it."""
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            losses = self.backward(self.method, batch)
        torch.cuda.current_stream().wait_stream(self.stream)
        return losses

    def _record(self, batch: Batch) -> None:
        self.images = {name: batch[name].to(self.method.device) for name in ("gray", "color")}
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph, stream=self.stream):
            self.losses = self.backward(self.method, self.images)
        parameters = [p for network in self.method.networks.values() for p in network.parameters()]
        self.gradients = [(p, p.grad) for p in parameters if p.grad is not None]
