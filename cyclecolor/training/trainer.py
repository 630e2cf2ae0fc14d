"""The training loop: walk the batches, step the method, average, log, save."""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from tqdm import tqdm

from ..checkpoint import Checkpoint, read_checkpoint, save_checkpoint
from ..config import Experiment
from ..data import batches, open_dataset, open_piles
from ..errors import CycleColorError
from ..methods import METHODS
from ..photos import atomic_write
from .ema import average_of
from .precision import keep_memory, lay_out, pick_device, use_bfloat16
from .state import restore, seed_step, state_tensors

# Settings that may differ between a run and its resumption.
FREE_SETTINGS = {"name", "num_steps", "save_every", "log_every", "keep"}


class Interrupted(Exception):
    """Ctrl-C was pressed; everything is saved."""


def rate_scale(progress: float, decay_from: float) -> float:
    """Learning rate as a share of its start, for progress in [0, 1]: flat, then a line to 0."""
    return 1.0 if progress < decay_from else (1 - progress) / max(1 - decay_from, 1e-9)


class Trainer:
    """A run: a method on its data in its folder.

    `run_dir` holds `checkpoints/step_*.safetensors`, the newest `keep` of them, and `log.jsonl`, a line
    every `log_every` steps. If there is a checkpoint, the run goes on from it, and ends with the same bits
    as a run that was never interrupted (on one machine, on CPU).
    """

    def __init__(self, experiment: Experiment, run_dir: Path, *, say: Callable[[str], None] = print):
        self.experiment, self.run_dir, self.say = experiment, Path(run_dir), say
        checkpoint = self._newest()
        device = pick_device()
        torch.manual_seed(experiment.seed)
        method = METHODS[experiment.method]
        keep_memory()
        self.method = method(experiment, device=device, bfloat16=use_bfloat16(experiment.precision, device))
        for network in self.method.networks.values():
            lay_out(network)
        self.ema = {
            name: average_of(network, experiment.ema)
            for name, network in self.method.networks.items()
            if name.startswith("G_")
        }
        self.step = 0
        if checkpoint:
            self._check_same(checkpoint.experiment)
            restore(self.method, self.ema, checkpoint)
            self.step = checkpoint.step
            say(f"resuming {self.run_dir} from step {self.step:,}")
        self._trim_log()
        self.piles = open_piles(experiment.data, paired=method.paired, progress=_reading)
        for name, pile in self.piles.items():
            for error in getattr(pile, "refused", []):
                say(f"set aside from the {name} pile: {error}")
        precision = "bfloat16" if self.method.bfloat16 else "float32"
        say(f"{experiment.method} in {experiment.space} on {device.type}, {precision}")

    def run(self) -> Path:
        """Train to `num_steps`; return the last checkpoint's path.

        Raises
        ------
        Interrupted
            After Ctrl-C, with the state saved.
        """
        experiment = self.experiment
        dataset = open_dataset(self.piles, experiment.data, paired=self.method.paired, seed=experiment.seed)
        walk = batches(
            dataset,
            start=self.step,
            stop=experiment.num_steps,
            batch_size=experiment.batch_size,
            workers=experiment.data.workers,
        )
        bar = tqdm(
            total=experiment.num_steps * experiment.batch_size,
            initial=self.step * experiment.batch_size,
            unit=" images",
            mininterval=1.0,
        )
        with _interruptible() as interrupted, bar:
            for batch in walk:
                losses = self.advance(batch)
                bar.update(experiment.batch_size)
                if self.step % experiment.log_every == 0:
                    self._log(losses, bar)
                if interrupted():
                    self.save()
                    raise Interrupted
                if self.step % experiment.save_every == 0 and self.step < experiment.num_steps:
                    self.save()
        return self.save()

    def advance(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """One step: seed, set the rate, update, average."""
        seed_step(self.experiment.seed, self.step)
        scale = rate_scale(self.step / self.experiment.num_steps, self.experiment.decay_from)
        for optimizer in self.method.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * scale
        losses = self.method.train_step(batch)
        for name, average in self.ema.items():
            average.update_parameters(self.method.networks[name])
        self.step += 1
        return losses

    def save(self) -> Path:
        """Write a checkpoint of now; drop those older than the newest `keep`."""
        path = self.run_dir / "checkpoints" / f"step_{self.step:08d}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        data = {name: pile.fingerprint() for name, pile in self.piles.items()}
        tensors = state_tensors(self.method, self.ema)
        save_checkpoint(Checkpoint(self.experiment, self.step, data, tensors), path)
        for old in checkpoints_in(self.run_dir)[: -self.experiment.keep]:
            old.unlink()
        return path

    def _newest(self) -> Checkpoint | None:
        """The newest checkpoint that is whole."""
        paths = checkpoints_in(self.run_dir)
        for path in reversed(paths):
            try:
                return read_checkpoint(path)
            except CycleColorError as error:
                self.say(f"{error}; trying the one before it")
        if paths:
            raise CycleColorError(f"{self.run_dir}: no checkpoint is whole; start over with --fresh")
        return None

    def _check_same(self, saved: Experiment) -> None:
        now, then = (e.model_dump(exclude=FREE_SETTINGS) for e in (self.experiment, saved))
        for free in ("workers", "cache_gb"):
            now["data"].pop(free), then["data"].pop(free)
        changed = [key for key in now if now[key] != then[key]]
        if changed:
            raise CycleColorError(
                f"{self.run_dir} was trained with other settings ({', '.join(changed)}); "
                "choose another --run-dir, or start over with --fresh",
                exit_code=2,
            )

    def _log(self, losses: dict[str, torch.Tensor], bar: tqdm) -> None:
        values = {name: loss.item() for name, loss in losses.items()}
        with open(self.run_dir / "log.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps({"step": self.step, **values}) + "\n")
        bar.set_description(f"step {self.step}", refresh=False)
        bar.set_postfix({name: f"{value:.3f}" for name, value in values.items()}, refresh=False)

    def _trim_log(self) -> None:
        """Drop the lines of steps that will be done again."""
        self.run_dir.mkdir(parents=True, exist_ok=True)
        log = self.run_dir / "log.jsonl"
        if log.is_file():
            lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [line for line in lines if json.loads(line)["step"] <= self.step]
            atomic_write(log, lambda file: file.write("".join(kept).encode()))


def train(experiment: Experiment, run_dir: Path, *, say: Callable[[str], None] = print) -> Path:
    """Train, or go on training, in `run_dir`; return the last checkpoint's path."""
    return Trainer(experiment, run_dir, say=say).run()


def checkpoints_in(run_dir: Path) -> list[Path]:
    """The checkpoints of a run, oldest first."""
    return sorted((Path(run_dir) / "checkpoints").glob("step_*.safetensors"))


def _reading(paths: list[Path]) -> Iterator[Path]:
    return tqdm(paths, desc="reading", unit=" photos", leave=False)


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C into a wish to stop after the step; the second one stops at once."""
    pressed = []

    def press(*_):
        pressed.append(True)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, press)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)
