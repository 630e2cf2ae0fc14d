"""The training step: the one place where losses become gradients, and gradients new weights."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from ..distributed import all_mean, world_size
from ..methods import Method
from ..methods.losses import weighted_sum
from .cuda_graph import RecordedBackward, can_record
from .seeding import seed_step
from .snapshot import Snapshot
from .watch import Watch


class StepResult(NamedTuple):
    """Mean losses by name, and why the step was left out, if it was."""

    losses: dict[str, float]
    refused: str | None


class TrainingStep:
    """One update of a method's networks, and of their averages.

    Parameters
    ----------
    method : Method
    averages : mapping of str to AveragedModel
        Of the generators, by name.
    watch : Watch, optional
        Looks at losses and gradients before any weight changes.
    """

    def __init__(
        self, method: Method, averages: Mapping[str, AveragedModel] = {}, watch: Watch | None = None
    ):
        self.method, self.averages = method, averages
        self.watch = watch or Watch(method.experiment)
        self.backward = RecordedBackward(method, backward) if can_record(method) else backward

    def __call__(self, step: int, *batches: dict[str, Tensor]) -> StepResult:
        """Step number `step`, down the mean gradient of some batches."""
        method, before, losses = self.method, Snapshot(self.method), []
        for i, batch in enumerate(batches):
            seed_step(method.experiment.seed, step * len(batches) + i)
            losses.append(self.backward(method, batch))
        norms = mean_numbers([average_gradients(method, len(batches))])
        means = mean_numbers(losses)

        refused = self.watch.bad_step(means, norms)
        if refused:
            before.restore()
        else:
            for optimizer in method.optimizers.values():
                optimizer.step()
            for name, average in self.averages.items():
                average.update_parameters(method.networks[name])
        for optimizer in method.optimizers.values():
            optimizer.zero_grad()
        return StepResult(means, refused)


def backward(method: Method, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add the gradients of a batch to those of the parameters; return its losses by name."""
    generators, discriminators = method.losses(batch)
    weighted = weighted_sum(generators, method.lambdas)
    (weighted + sum(discriminators.values())).backward()
    return {name: loss.detach() for name, loss in (generators | discriminators).items()}


def average_gradients(method: Method, batches: int) -> dict[str, Tensor]:
    """Turn sums over batches into means over batches and processes; return each optimizer's norm."""
    return {name: _average(_gradients(o), batches) for name, o in method.optimizers.items()}


def mean_numbers(parts: list[dict[str, Tensor]]) -> dict[str, float]:
    """The mean of named numbers over batches and processes; waits for the device once."""
    stacked = torch.stack([torch.stack([value.float() for value in part.values()]) for part in parts])
    return dict(zip(parts[0], all_mean(stacked.mean(dim=0)).tolist(), strict=True))


def _gradients(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [p.grad for g in optimizer.param_groups for p in g["params"] if p.grad is not None]


@torch.no_grad()
def _average(gradients: list[Tensor], batches: int) -> Tensor:
    if world_size() > 1:
        flat = all_mean(torch.cat([g.reshape(-1) for g in gradients]))
        parts = flat.split([g.numel() for g in gradients])
        torch._foreach_copy_(gradients, [p.view_as(g) for p, g in zip(parts, gradients, strict=True)])
    if batches > 1:
        torch._foreach_div_(gradients, batches)
    return torch.nn.utils.get_total_norm(gradients)
