"""Everything a run must remember, as named tensors, and back again."""

from os.path import expanduser
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from ..checkpoint import Checkpoint, open_checkpoint
from ..config import Experiment, Generator
from ..errors import CycleColorError
from ..methods import METHODS, Distillation, Method
from ..networks import fold_norms, stride_of

# Settings that may differ between a run and its resumption.
FREE_SETTINGS: dict[str, bool | set[str]] = {
    "name": True,
    "num_steps": True,
    "save_every": True,
    "save_every_minutes": True,
    "log_every": True,
    "keep": True,
    "tensorboard": True,
    "on_trouble": True,
    "working_size": True,
    "saturation": True,
    "emphasis": True,
    "balance": True,
    # Where the piles lie is free; that they hold the same photos is looked at elsewhere.
    "data": {"workers", "cache_gb", "copy_gb", "root", "gray", "color"},
}


def state_tensors(method: Method, averages: dict[str, AveragedModel]) -> dict[str, Tensor]:
    """Networks, averaged generators, optimizers and pools, flattened to path: tensor."""
    tensors: dict[str, Tensor] = {}
    for group, modules in (("networks", method.networks), ("ema", averages)):
        for name, module in modules.items():
            tensors |= {f"{group}/{name}/{key}": t for key, t in module.state_dict().items()}
    for name, optimizer in method.optimizers.items():
        for index, slots in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizers/{name}/{index}/{key}": t for key, t in slots.items()}
    for name, pool in method.pools.items():
        if pool.images is not None:
            tensors[f"pools/{name}/images"] = pool.images
    return tensors


def restore(method: Method, averages: dict[str, AveragedModel], checkpoint: Checkpoint) -> None:
    """Put the tensors of a checkpoint where `state_tensors` found them.

    Random states need no place in it: every step seeds its own.

    Raises
    ------
    CycleColorError
        If they do not fit, or an earlier version wrote it whose optimizers were other ones.
    """
    if not checkpoint.resumable:
        raise CycleColorError(
            "this checkpoint is from an earlier version: it can color photos, but training cannot "
            "continue from it; start over with --fresh"
        )
    try:
        for group, modules in (("networks", method.networks), ("ema", averages)):
            for name, module in modules.items():
                module.load_state_dict(checkpoint.below(f"{group}/{name}"))
        for name, optimizer in method.optimizers.items():
            state = _unflatten(checkpoint.below(f"optimizers/{name}"))
            optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
            _lay_out_like_parameters(optimizer)
    except (RuntimeError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise CycleColorError(
            f"the checkpoint does not fit this experiment ({reason}); start over with --fresh"
        ) from None
    for name, pool in method.pools.items():
        images = checkpoint.below(f"pools/{name}").get("images")
        pool.images = None if images is None else images.to(method.device)


def start(method: Method) -> None:
    """Give generators the weights that the experiment has them start from, before the first step.

    Raises
    ------
    CycleColorError
        If they cannot be had, or are those of another network.
    """
    if method.experiment.init:
        start_from(method, Path(expanduser(method.experiment.init)))
        method.load_pretrained(["G_gray"])
    else:
        method.load_pretrained()


def start_from(method: Method, path: Path) -> None:
    """Give `G_color` the averaged weights of another run's.

    Raises
    ------
    CycleColorError
        If there is no such checkpoint, or its `G_color` is another network or emits another color space.
    """
    path, checkpoint = open_checkpoint(path)
    ours, theirs = (
        {"space": _space(e), **_shape(e.G_color)} for e in (method.experiment, checkpoint.experiment)
    )
    other = {key: value for key, value in theirs.items() if ours[key] != value}
    if other:
        raise CycleColorError(
            f"init = {str(path)!r}: its G_color was made with {other}; use the same settings", exit_code=2
        )
    method.networks["G_color"].load_state_dict(checkpoint.averaged("G_color"))


def call_teachers(method: Method) -> None:
    """Give a `Distillation` its teachers: the averaged `G_color` of each checkpoint that is named.

    Raises
    ------
    CycleColorError
        If there is no such checkpoint, or what it emits is of another color space or size.
    """
    if not isinstance(method, Distillation):
        return
    ours = {"space": _space(method.experiment), "stride": stride_of(method.networks["G_color"])}
    for name in method.experiment.teachers:
        path, checkpoint = open_checkpoint(Path(expanduser(name)))
        theirs_method = METHODS[checkpoint.experiment.method]
        teacher = theirs_method.build_generator("G_color", checkpoint.experiment)
        theirs = {"space": _space(checkpoint.experiment), "stride": stride_of(teacher)}
        if theirs != ours:
            raise CycleColorError(
                f"teachers: the colors of {path} are {theirs}; those of G_color are {ours}", exit_code=2
            )
        teacher.load_state_dict(checkpoint.averaged("G_color"))
        teacher = fold_norms(teacher.eval()).to(method.device)
        method.teachers.append(teacher.to(memory_format=torch.channels_last))


def _space(experiment: Experiment) -> str:
    return METHODS[experiment.method].color_space(experiment).name


def _shape(generator: Generator) -> dict[str, Any]:
    return generator.model_dump(exclude={"pretrained", "encoder_rate"})


def check_same(now: Experiment, then: Experiment, run_dir: Path) -> None:
    """Refuse to go on with other settings than a run began with.

    Raises
    ------
    CycleColorError
        Naming the settings.
    """
    ours, theirs = (experiment.model_dump(exclude=FREE_SETTINGS) for experiment in (now, then))
    changed = [key for key in ours if ours[key] != theirs[key]]
    if changed:
        raise CycleColorError(
            f"{run_dir} was trained with other settings ({', '.join(changed)}); "
            "choose another --run-dir, or start over with --fresh",
            exit_code=2,
        )


def _lay_out_like_parameters(optimizer: torch.optim.Optimizer) -> None:
    """Give moments the memory layout of their weights, as the optimizer itself does: sums round alike."""
    for parameter, slots in optimizer.state.items():
        for key, tensor in slots.items():
            if tensor.shape == parameter.shape:
                slots[key] = torch.empty_like(parameter, requires_grad=False).copy_(tensor)


def _unflatten(flat: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    state: dict[int, dict[str, Tensor]] = {}
    for path, tensor in flat.items():
        index, key = path.split("/")
        state.setdefault(int(index), {})[key] = tensor
    return state
