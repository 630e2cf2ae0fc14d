"""The training loop: walk the batches, take the steps, log, save."""

import logging
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from ..checkpoint import Checkpoint, checkpoint_path, drop_old, save_checkpoint
from ..config import Experiment
from ..data import batches, open_dataset, open_piles
from ..distributed import all_max, is_first, rank, synchronize_batch_norms, world_size
from ..errors import CycleColorError
from ..hardware import describe, loader_workers, pick_device, sum_in_one_order, use_bfloat16
from ..methods import METHODS
from .copies import at_hand, copy_piles
from .ema import average_of
from .event_files import EventFiles
from .held_out import chroma_error, held_out
from .lock import RunLock
from .newest import newest_for_all
from .piles import check_same_piles, say_what_is_odd
from .progress import progress_bar
from .run_log import RunLog
from .schedule import rate_scale, set_rates
from .seeding import seed_start
from .state import call_teachers, check_same, restore, start, state_tensors
from .step import TrainingStep
from .stopping import Interrupted, Stop
from .unreadable import Unreadable
from .watch import CHECK_EVERY, Trouble, Watch

SCORED = 16  # held-out photos whose error says which checkpoint is best

logger = logging.getLogger("cyclecolor")


class Trainer:
    """A run: a method on its data in its folder.

    `run_dir` holds `checkpoints/step_*.safetensors`, the newest `keep` of them and the best, and
    `log.jsonl`, a line every `log_every` steps. If there is a checkpoint, the run goes on from it, and ends
    with the same bits as a run that was never interrupted (on one machine, on CPU).

    Parameters
    ----------
    experiment : Experiment
    run_dir : Path
    device : torch.device, optional
        By default a GPU, if there is one.
    allow_changed_data : bool
        Go on from a checkpoint also with piles that have changed since.

    Raises
    ------
    CycleColorError
        If another training is at work in `run_dir`, none of its checkpoints is whole, or it was trained
        with other settings or photos.
    """

    def __init__(
        self,
        experiment: Experiment,
        run_dir: Path,
        *,
        device: torch.device | None = None,
        allow_changed_data: bool = False,
    ):
        self.experiment, self.run_dir = experiment, Path(run_dir)
        self.lock = RunLock(self.run_dir) if is_first() else None
        self.events: EventFiles | None = None
        try:
            self._open(device or pick_device(), allow_changed_data=allow_changed_data)
        except BaseException:
            self.close()
            raise

    def _open(self, device: torch.device, *, allow_changed_data: bool) -> None:
        """All that a run has in memory: as at its start, or as its newest checkpoint says."""
        experiment = self.experiment
        checkpoint = newest_for_all(self.run_dir)
        if checkpoint:
            check_same(experiment, checkpoint.experiment, self.run_dir)
        copy_piles(experiment.data, self.run_dir, begun=checkpoint is not None, accepted=allow_changed_data)
        self.data = at_hand(experiment.data, self.run_dir)
        self.step = 0
        self._saved: tuple[int, float | None] | None = None  # step and score of the newest checkpoint
        self._build(device, new=checkpoint is None)
        if checkpoint:
            check_same_piles(self.piles, checkpoint, self.run_dir, accepted=allow_changed_data)
            restore(self.method, self.averages, checkpoint)
            self.watch.state = dict(checkpoint.watch)
            self.step, self._saved = checkpoint.step, (checkpoint.step, checkpoint.score)
            logger.info("resuming %s from step %s", self.run_dir, f"{self.step:,}")
        for network in self.method.networks.values():
            synchronize_batch_norms(network)
        if is_first():
            say_what_is_odd(self.piles, self.data)
        self.unreadable = Unreadable(self.piles, self.run_dir)
        self.log = RunLog(self.run_dir)
        if is_first():
            self.log.trim(self.step)
        self.held_out = held_out(self.data, SCORED) if is_first() else []
        self.events = EventFiles(self.run_dir, self.step) if experiment.tensorboard and is_first() else None

    def _build(self, device: torch.device, *, new: bool) -> None:
        """Networks and piles; at the start of a run also what comes before the first step."""
        experiment = self.experiment
        if experiment.deterministic:
            sum_in_one_order()
        torch.manual_seed(experiment.seed)
        bfloat16 = use_bfloat16(experiment.precision, device)
        self.method = METHODS[experiment.method](experiment, device=device, bfloat16=bfloat16)
        self.workers = loader_workers(experiment.data.workers, device)
        chosen = describe(device, bfloat16=bfloat16, workers=self.workers)
        logger.info("%s in %s on %s", experiment.method, self.method.space.name, chosen)
        if experiment.batch_size > world_size() or device.type == "cuda":
            # Not for single images on CPU: PyTorch's gradient of a convolution after an instance
            # normalization is then wrong in this layout (seen in 2.14).
            for network in self.method.networks.values():
                network.to(memory_format=torch.channels_last)
        if new:
            start(self.method)
        call_teachers(self.method)
        reading = partial(progress_bar, desc="reading", unit=" photos", leave=False)
        self.piles = open_piles(self.data, paired=self.method.paired, progress=reading)
        if new:
            seed_start(experiment.seed)
            matching = partial(progress_bar, desc="matching a film", unit=" steps", leave=False)
            self.method.before_training(self._dataset(), matching)
        self.averages = {
            name: average_of(network, experiment.ema)
            for name, network in self.method.networks.items()
            if name.startswith("G_")
        }
        self.watch = Watch(experiment)
        self.take_step = TrainingStep(self.method, self.averages, self.watch)

    def run(self) -> Path:
        """Train to `num_steps`; return the last checkpoint's path.

        Raises
        ------
        Interrupted
            After SIGINT, SIGTERM or SIGUSR1, with the state saved.
        CycleColorError
            After trouble, with the state saved; or if the state cannot be saved.
        """
        experiment, saved_at = self.experiment, time.monotonic()
        with Stop(patient=world_size() > 1) as stop, self._bar() as bar:
            for step_batches in self._walk():
                try:
                    losses = self.advance(*step_batches)
                except Trouble as trouble:
                    raise CycleColorError(
                        f"{trouble}; stopped; everything is saved in {self._save_at_once()}"
                    ) from None
                bar.update(experiment.batch_size * experiment.accumulate)
                if self.step % experiment.log_every == 0:
                    self._log(losses, bar)
                if signal := all_max(stop.signal):
                    self._save_at_once()
                    raise Interrupted(signal)
                late = time.monotonic() - saved_at >= 60 * experiment.save_every_minutes
                if (late or self._due()) and self.step < experiment.num_steps:
                    self._save_if_possible()
                    saved_at = time.monotonic()
            path = self.save(score=self._score())
        self.unreadable.summarize()
        return path

    def advance(self, *step_batches: dict[str, Tensor]) -> dict[str, float]:
        """One step, of `accumulate` batches; returns the mean losses.

        Raises
        ------
        Trouble
            After the step, if the experiment wants to stop for what the watch noticed.
        """
        scale = rate_scale(self.step / self.experiment.num_steps, self.experiment.decay_from)
        set_rates(self.method.optimizers.values(), scale * self.watch.rate)
        losses, refused = self.take_step(self.step, *step_batches)
        troubles = [refused or self.watch.winner(losses)]
        self.step += 1
        if self.step % CHECK_EVERY == 0:
            troubles.append(self.watch.collapse(self.method, step_batches[0]))
        for trouble in filter(None, troubles):
            self._meet(trouble)
        return losses

    def save(self, score: float | None = None) -> Path:
        """Write a checkpoint of now, unless there is one of that score; then drop the old ones."""
        path = checkpoint_path(self.run_dir, self.step)
        if self._saved != (self.step, score) and is_first():
            path.parent.mkdir(parents=True, exist_ok=True)
            data = {name: pile.fingerprint() for name, pile in self.piles.items()}
            tensors = state_tensors(self.method, self.averages)
            save_checkpoint(
                Checkpoint(self.experiment, self.step, data, tensors, self.watch.state, score), path
            )
            drop_old(self.run_dir, self.experiment.keep)
        self._saved = self.step, score
        return path

    def close(self) -> None:
        """Let another training into the folder."""
        if self.events:
            self.events.close()
        if self.lock:
            self.lock.release()

    def _dataset(self) -> Dataset[Any]:
        return open_dataset(self.piles, self.data, paired=self.method.paired, seed=self.experiment.seed)

    def _walk(self) -> Iterator[tuple[dict[str, Tensor], ...]]:
        """The batches of each step to come, `accumulate` of them."""
        experiment, each = self.experiment, self.experiment.accumulate
        walk = batches(
            self._dataset(),
            start=self.step * each,
            stop=experiment.num_steps * each,
            batch_size=experiment.batch_size,
            workers=self.workers,
            rank=rank(),
            world_size=world_size(),
            worker_died=self.unreadable.worker_died,
        )
        return zip(*[self.unreadable.noting(walk)] * each, strict=True)

    def _meet(self, trouble: str) -> None:
        """Say what the watch noticed, and do what the experiment asks for."""
        if self.experiment.on_trouble == "stop" or self.watch.hopeless:
            raise Trouble(f"step {self.step:,}: {trouble}")
        logger.warning("step %s: %s", f"{self.step:,}", trouble)
        if self.experiment.on_trouble == "halve":
            self.watch.halve_rate()

    def _due(self) -> bool:
        """Whether this step has a checkpoint, and so a score, in a run that nothing interrupts."""
        return self.step % self.experiment.save_every == 0 or self.step == self.experiment.num_steps

    def _save_at_once(self) -> Path:
        """A checkpoint; scored if one of this step always is: what is best must not depend on the clock."""
        return self.save(score=self._score() if self._due() else None)

    def _save_if_possible(self) -> None:
        """A checkpoint on the way; a full disk is said, and perhaps gone by the next time."""
        try:
            self._save_at_once()
        except CycleColorError as error:
            logger.warning("%s; training continues, and the checkpoint before is kept", error)

    def _score(self) -> float | None:
        if not self.held_out:
            return None
        generator = self.averages["G_color"]
        error = chroma_error(self.method, generator, self.held_out)
        if self.events:
            self.events.look(self.step, self.method, generator, self.held_out, error)
        return error

    def _bar(self) -> tqdm:
        each = self.experiment.batch_size * self.experiment.accumulate
        return progress_bar(total=self.experiment.num_steps * each, initial=self.step * each, unit=" images")

    def _log(self, losses: dict[str, float], bar: tqdm) -> None:
        if is_first():
            self.log.append(self.step, losses)
        if self.events:
            self.events.losses(self.step, losses)
        bar.set_description(f"step {self.step}", refresh=False)
        bar.set_postfix({name: f"{value:.3f}" for name, value in losses.items()}, refresh=False)


def train(experiment: Experiment, run_dir: Path, **options: Any) -> Path:
    """Train, or go on training, in `run_dir`; return the last checkpoint's path.

    Options are those of `Trainer`.
    """
    trainer = Trainer(experiment, run_dir, **options)
    try:
        return trainer.run()
    finally:
        trainer.close()
