"""The training loop: walk the batches, step the method, average, log, save."""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from .. import share
from ..checkpoint import Checkpoint, read_checkpoint, save_checkpoint
from ..config import Experiment
from ..data import batches, open_dataset, open_piles
from ..errors import CycleColorError
from ..methods import held_back, method_of
from . import processes
from .ema import average_of
from .gradients import Rollback, average_gradients, take_step
from .held_out import chroma_error, held_out
from .keeping import checkpoint_path, drop_old, drop_temporaries, newest_of
from .lock import RunLock
from .precision import (
    describe,
    keep_memory,
    lay_out,
    loader_processes,
    pick_device,
    sum_in_one_order,
    use_bfloat16,
)
from .recorded import RecordedStep, can_record
from .runlog import RunLog
from .set_aside import SetAside
from .state import check_same, restore, seed_step, start, state_tensors
from .stopping import Interrupted, Stop
from .watch import CHECK_EVERY, Watch

SCORED = 16  # held-out photos whose error says which checkpoint is best


class Trouble(Exception):
    """The watch noticed something for which the run is to stop."""


def rate_scale(progress: float, decay_from: float) -> float:
    """Learning rate as a share of its start, for progress in [0, 1]: flat, then a line to 0."""
    return 1.0 if progress < decay_from else (1 - progress) / max(1 - decay_from, 1e-9)


class Trainer:
    """A run: a method on its data in its folder.

    `run_dir` holds `checkpoints/step_*.safetensors`, the newest `keep` of them and the best, and
    `log.jsonl`, a line every `log_every` steps. If there is a checkpoint, the run goes on from it, and ends
    with the same bits as a run that was never interrupted (on one machine, on CPU).

    Raises
    ------
    CycleColorError
        If another training is at work in `run_dir`, none of its checkpoints is whole, or it was trained
        with other settings.
    """

    def __init__(self, experiment: Experiment, run_dir: Path, *, say: Callable[[str], None] = print):
        self.experiment, self.run_dir = experiment, Path(run_dir)
        self.say = say if processes.first() else lambda text: None
        self.lock = RunLock(self.run_dir) if processes.first() else None
        checkpoint = self._newest()
        if checkpoint:
            check_same(experiment, checkpoint.experiment, self.run_dir)
        if experiment.deterministic:
            sum_in_one_order()
        device = pick_device()
        torch.manual_seed(experiment.seed)
        make = method_of(experiment)
        keep_memory()
        self.method = make(experiment, device=device, bfloat16=use_bfloat16(experiment.precision, device))
        self.workers = loader_processes(experiment.data.workers, device)
        chosen = describe(device, bfloat16=self.method.bfloat16, workers=self.workers)
        self.say(f"{experiment.method} in {experiment.space} on {chosen}")
        if experiment.batch_size > share.count() or device.type == "cuda":
            # Not for single images on CPU: PyTorch's gradient of a convolution after an instance
            # normalization is then wrong in this layout (seen in 2.14).
            for network in self.method.networks.values():
                lay_out(network)
        if not checkpoint:
            start(self.method)
        self.piles = open_piles(experiment.data, paired=self.method.paired, progress=_reading)
        if not checkpoint:
            seed_step(experiment.seed, 0)
            if said := self.method.prepare(self._dataset(), _matching):
                self.say(said)
        self.ema = {
            name: average_of(network, experiment.ema)
            for name, network in self.method.networks.items()
            if name.startswith("G_")
        }
        self.watch = Watch(experiment)
        self.step, self._saved = 0, None
        self._train_step = RecordedStep(self.method) if can_record(self.method) else self.method.train_step
        if checkpoint:
            restore(self.method, self.ema, checkpoint)
            self.watch.state = dict(checkpoint.watch)
            self.step = self._saved = checkpoint.step
            self.say(f"resuming {self.run_dir} from step {self.step:,}")
        processes.share_batch_norms(self.method)
        self.set_aside = SetAside(self.piles, self.run_dir, self.say)
        self.log = RunLog(self.run_dir, self.say)
        if processes.first():
            self.log.trim(self.step)
        self.held_out = held_out(experiment.data, SCORED) if processes.first() else []

    def run(self) -> Path:
        """Train to `num_steps`; return the last checkpoint's path.

        Raises
        ------
        Interrupted
            After SIGINT, SIGTERM or SIGUSR1, with the state saved.
        CycleColorError
            After trouble, with the state saved; or if the state cannot be saved.
        """
        experiment = self.experiment
        saved_at = time.monotonic()
        with Stop(patient=share.count() > 1) as stop, self._bar() as bar:
            for step_batches in self._walk():
                try:
                    losses = self.advance(*step_batches)
                except Trouble as trouble:
                    raise CycleColorError(f"{trouble}; stopped, all is saved in {self.save()}") from None
                bar.update(experiment.batch_size * experiment.accumulate)
                if self.step % experiment.log_every == 0:
                    self._log(losses, bar)
                if signal := processes.largest(stop.signal):
                    self.save()
                    raise Interrupted(signal)
                late = time.monotonic() - saved_at >= 60 * experiment.save_every_minutes
                if (late or self.step % experiment.save_every == 0) and self.step < experiment.num_steps:
                    self._save_if_possible()
                    saved_at = time.monotonic()
            path = self.save(score=self._score())
        self.set_aside.summarize()
        return path

    def advance(self, *step_batches: dict[str, Tensor]) -> dict[str, float]:
        """One step, of `accumulate` batches; returns the mean losses.

        Every gradient is looked at before any weight changes, so that a bad step is left out without trace.

        Raises
        ------
        Trouble
            After the step, if the experiment wants to stop for what the watch noticed.
        """
        self._set_rate()
        rollback = Rollback(self.method)
        with held_back():
            losses = [self._gradients(i, batch) for i, batch in enumerate(step_batches)]
        norms = average_gradients(self.method, len(step_batches))
        losses, norms = _mean(losses), _mean([norms])
        troubles = [self.watch.bad_step(losses, norms)]
        if troubles[0]:
            rollback.leave_out()
        else:
            take_step(self.method)
            for name, average in self.ema.items():
                average.update_parameters(self.method.networks[name])
            troubles.append(self.watch.winner(losses))
        self.step += 1
        if self.step % CHECK_EVERY == 0:
            troubles.append(self.watch.collapse(self.method, step_batches[0]))
        for trouble in filter(None, troubles):
            self._meet(trouble)
        return losses

    def save(self, score: float | None = None) -> Path:
        """Write a checkpoint of now, unless there is one; then drop the old ones."""
        path = checkpoint_path(self.run_dir, self.step)
        if self._saved != self.step and processes.first():
            path.parent.mkdir(parents=True, exist_ok=True)
            data = {name: pile.fingerprint() for name, pile in self.piles.items()}
            tensors = state_tensors(self.method, self.ema)
            save_checkpoint(
                Checkpoint(self.experiment, self.step, data, tensors, self.watch.state, score), path
            )
            drop_old(self.run_dir, self.experiment.keep)
        self._saved = self.step
        return path

    def close(self) -> None:
        """Let another training into the folder."""
        if self.lock:
            self.lock.release()

    def _newest(self) -> Checkpoint | None:
        """The checkpoint to go on from: process 0 finds it, the others read the same."""
        checkpoint = None
        if processes.first():
            drop_temporaries(self.run_dir)
            checkpoint = newest_of(self.run_dir, self.say)
        step = processes.of_first(checkpoint.step if checkpoint else -1)
        if step >= 0 and not processes.first():
            checkpoint = read_checkpoint(checkpoint_path(self.run_dir, step))
        return checkpoint

    def _dataset(self) -> Dataset:
        experiment = self.experiment
        return open_dataset(self.piles, experiment.data, paired=self.method.paired, seed=experiment.seed)

    def _walk(self) -> Iterator[tuple[dict[str, Tensor], ...]]:
        """The batches of each step to come, `accumulate` of them."""
        experiment, each = self.experiment, self.experiment.accumulate
        walk = batches(
            self._dataset(),
            start=self.step * each,
            stop=experiment.num_steps * each,
            batch_size=experiment.batch_size,
            workers=self.workers,
            share=(share.rank(), share.count()),
            say=self.set_aside.worker_died,
        )
        return zip(*[self.set_aside.noting(walk)] * each, strict=True)

    def _gradients(self, index: int, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Add the gradients of a step's batch `index`."""
        seed_step(self.experiment.seed, self.step * self.experiment.accumulate + index)
        return self._train_step(batch)

    def _set_rate(self) -> None:
        scale = rate_scale(self.step / self.experiment.num_steps, self.experiment.decay_from)
        for optimizer in self.method.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * scale * self.watch.rate

    def _meet(self, trouble: str) -> None:
        """Say what the watch noticed, and do what the experiment asks for."""
        if self.experiment.on_trouble == "stop" or self.watch.hopeless:
            raise Trouble(f"step {self.step:,}: {trouble}")
        self.say(f"step {self.step:,}: {trouble}")
        if self.experiment.on_trouble == "halve":
            self.watch.halve_rate()

    def _save_if_possible(self) -> None:
        """A checkpoint on the way; a full disk is said, and perhaps gone by the next time."""
        try:
            self.save(score=self._score())
        except CycleColorError as error:
            self.say(f"{error}; training goes on, the checkpoint before stays")

    def _score(self) -> float | None:
        if not self.held_out:
            return None
        return chroma_error(self.method, self.ema["G_color"], self.held_out)

    def _bar(self) -> tqdm:
        each = self.experiment.batch_size * self.experiment.accumulate
        return tqdm(
            total=self.experiment.num_steps * each,
            initial=self.step * each,
            unit=" images",
            mininterval=1.0,
            disable=not processes.first(),
        )

    def _log(self, losses: dict[str, float], bar: tqdm) -> None:
        if processes.first():
            self.log.append(self.step, losses)
        bar.set_description(f"step {self.step}", refresh=False)
        bar.set_postfix({name: f"{value:.3f}" for name, value in losses.items()}, refresh=False)


def train(experiment: Experiment, run_dir: Path, *, say: Callable[[str], None] = print) -> Path:
    """Train, or go on training, in `run_dir`; return the last checkpoint's path."""
    trainer = Trainer(experiment, run_dir, say=say)
    try:
        return trainer.run()
    finally:
        trainer.close()


def _mean(parts: list[dict[str, Tensor]]) -> dict[str, float]:
    """The mean of named numbers over batches and processes; waits for the device once."""
    stacked = torch.stack([torch.stack([v.detach().float() for v in p.values()]) for p in parts])
    return dict(zip(parts[0], share.mean(stacked.mean(dim=0)).tolist(), strict=True))


def _matching(steps: Iterable) -> Iterator:
    return tqdm(steps, desc="matching films", leave=False, disable=not processes.first())


def _reading(paths: list[Path]) -> Iterator[Path]:
    return tqdm(paths, desc="reading", unit=" photos", leave=False, disable=not processes.first())
