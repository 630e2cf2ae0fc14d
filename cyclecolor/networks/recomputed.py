"""Memory for time: a network whose maps are computed again when their gradients are wanted."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class Recomputed(nn.Module):
    """A network that keeps its inputs alone for the backward pass (Chen et al., 2016).

    Outputs, gradients and buffers are those of the network itself.
    """

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> Tensor:
        """What the network makes of its inputs."""
        from torch.utils.checkpoint import checkpoint  # here, as translation has no use for it

        return checkpoint(self.network, *inputs, use_reentrant=False, context_fn=self._contexts)

    def _contexts(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        """Around the first pass, nothing; around the second, still statistics."""
        return nullcontext(), _still(self.network)


@contextmanager
def _still(network: nn.Module) -> Iterator[None]:
    """Let a pass leave the running statistics of batch normalizations as they are."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    before = [(norm.momentum, norm.get_buffer("num_batches_tracked").clone()) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, (momentum, batches) in zip(norms, before, strict=True):
            norm.momentum = momentum
            norm.get_buffer("num_batches_tracked").copy_(batches)
