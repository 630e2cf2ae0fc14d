"""What tensors the checkpoint of an experiment has: names, shapes and types."""

from collections.abc import Callable
from functools import lru_cache
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ..config import Experiment
from ..methods import METHODS
from .safetensors_file import Entry, TensorFileError

GENERATORS = ("G_color", "G_gray")
MOMENTS = ("exp_avg", "exp_avg_sq")


@lru_cache(maxsize=8)
def expected_tensors(experiment: Experiment, *, of_export: bool = False) -> dict[str, Tensor]:
    """Every tensor of a run of this experiment but its pools, by name, without memory (on `meta`).

    For what `export_checkpoint` wrote, the generators' alone: to make discriminators and optimizers takes a
    second, in which torch imports its compiler.
    """
    networks, optimizers = {}, {}
    method = METHODS[experiment.method]
    with torch.device("meta"), _WithoutValues():
        count, step = torch.tensor(0), torch.tensor(0.0)
        if of_export:
            networks = {name: method.build_generator(name, experiment) for name in GENERATORS}
        else:
            whole = method(experiment, device=torch.device("meta"))
            networks, optimizers = whole.networks, whole.optimizers
    tensors: dict[str, Tensor] = {}
    for name, network in networks.items():
        state = network.state_dict()
        tensors |= {f"networks/{name}/{key}": tensor for key, tensor in state.items()}
        if name in GENERATORS:
            tensors |= {f"ema/{name}/module.{key}": tensor for key, tensor in state.items()}
            tensors[f"ema/{name}/n_averaged"] = count
    for name, optimizer in optimizers.items():
        for i, parameter in enumerate(p for group in optimizer.param_groups for p in group["params"]):
            slots = {**dict.fromkeys(MOMENTS, parameter), "step": step}
            tensors |= {f"optimizers/{name}/{i}/{slot}": tensor for slot, tensor in slots.items()}
    return tensors


class _WithoutValues(TorchFunctionMode):
    """Leaves out initial values: there are none on `meta`, where torch imports its compiler to set them."""

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        name, kwargs = getattr(function, "__name__", ""), kwargs or {}
        if name.removeprefix("kaiming_") in ("normal_", "uniform_", "div_"):
            return args[0] if args else kwargs["tensor"]
        return function(*args, **kwargs)


def check_tensors(entries: list[Entry], experiment: Experiment) -> None:
    """Names, shapes and types must be those of the experiment; what is there must be complete.

    Raises
    ------
    TensorFileError
        Naming the first tensor that is not as it must be.
    """
    groups = {_group(entry.name) for entry in entries}
    expected = expected_tensors(experiment, of_export=all(group.startswith("ema/") for group in groups))
    pool = experiment.discriminator.pool_size * 3 * experiment.data.size**2
    for entry in entries:
        if entry.name.startswith("pools/"):
            fits = len(entry.shape) == 4 and prod(entry.shape) <= pool and entry.dtype == torch.float32
        else:
            fits = (like := expected.get(entry.name)) is not None and (
                entry.shape == tuple(like.shape)
                and entry.dtype.is_floating_point == like.dtype.is_floating_point
            )
        if not fits:
            raise TensorFileError(f"its tensor {entry.name[:80]!r} is not one of its experiment")
    present = {entry.name for entry in entries}
    missing = [n for n in expected if _group(n) in groups and n not in present]
    if missing:
        raise TensorFileError(f"its tensor {missing[0]!r} is missing")


def _group(name: str) -> str:
    return "/".join(name.split("/", 2)[:2])
