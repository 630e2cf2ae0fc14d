"""Whether speed costs quality: each method with all of it on and with all of it off.

    python experiments/parity.py [--steps N] [--size PIXELS]

The same seed, the same generated scenes, one thread; errors on 64 scenes held out, with bootstrap intervals.
"""

import argparse
import tempfile
import time
from pathlib import Path
from unittest import mock

import torch
import torch.nn.functional as F

from cyclecolor.config import Data, Experiment
from cyclecolor.evaluation import evaluate
from cyclecolor.inference import load
from cyclecolor.methods import METHODS
from cyclecolor.networks import norm, winograd
from cyclecolor.training import Trainer, trainer
from cyclecolor.training.held_out import held_out

OFF = (
    mock.patch.object(winograd, "LEAST_CHANNELS", 10**9),
    mock.patch.object(norm.InstanceNorm, "forward", lambda self, x: F.instance_norm(x)),
    mock.patch.object(trainer, "lay_out", lambda network: network),
)


def main() -> None:
    """Train and score, on and off."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--size", type=int, default=48)
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = Data(size=options.size, min_scale=1.0)
    for method in METHODS:
        for speed in ("on", "off"):
            experiment = Experiment(
                method=method, num_steps=options.steps, batch_size=8, learning_rate=5e-4, ema=0.9, data=data
            )
            if speed == "off":
                for patch in OFF:
                    patch.start()
            with tempfile.TemporaryDirectory() as folder:
                start = time.process_time()
                checkpoint = Trainer(experiment, Path(folder), say=lambda text: None).run()
                seconds = time.process_time() - start
                scores = evaluate(load(checkpoint), held_out(data, 64), only=("ciede2000",))["ciede2000"]
            mock.patch.stopall()
            ours = scores["ours"]
            print(
                f"{method:<11} {speed:<4} CIEDE2000 {ours.value:.3f} [{ours.low:.3f}, {ours.high:.3f}] "
                f"(doing nothing {scores['do_nothing'].value:.2f}), {seconds:.0f} s of processor time",
                flush=True,
            )


if __name__ == "__main__":
    main()
