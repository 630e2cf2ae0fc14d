"""Whether speed costs quality: each method with all of it on, with all of it off, and in bfloat16.

    python benchmarks/parity.py [METHOD ...] [--ways on off bfloat16] [--steps N] [--size PIXELS] [--seed N]

The same seed, generated scenes and number of images, one thread; errors on 64 scenes held out, with bootstrap
95% intervals. `off` is PyTorch's own convolutions, in NCHW, all in float32.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from unittest import mock

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"

import torch

from cyclecolor.config import Data, Experiment
from cyclecolor.evaluation import evaluate
from cyclecolor.inference import load
from cyclecolor.methods import METHODS
from cyclecolor.ops import winograd
from cyclecolor.training import Trainer
from cyclecolor.training.held_out import held_out

WAYS = ("on", "off", "bfloat16")


class PlainTrainer(Trainer):
    """Trains with PyTorch's own convolutions, in NCHW."""

    def run(self) -> Path:
        """Train to the end."""
        for network in self.method.networks.values():
            network.to(memory_format=torch.contiguous_format)
        with mock.patch.object(winograd, "LEAST_CHANNELS", 10**9):
            return super().run()


def main() -> None:
    """Train and score, a line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "methods", nargs="*", metavar="METHOD", default=list(METHODS), help=", ".join(METHODS)
    )
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--size", type=int, default=48)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = Data(size=options.size, min_scale=1.0)
    for method in options.methods:
        for way in options.ways:
            experiment = Experiment(
                method=method,
                seed=options.seed,
                num_steps=options.steps,
                batch_size=8,
                ema=0.95,
                precision="bfloat16" if way == "bfloat16" else "float32",
                data=data,
            )
            with tempfile.TemporaryDirectory() as folder:
                start = time.process_time()
                checkpoint = (PlainTrainer if way == "off" else Trainer)(experiment, Path(folder)).run()
                seconds = time.process_time() - start
                scores = evaluate(load(checkpoint), held_out(data, 64), only=("ciede2000",))["ciede2000"]
            ours = scores["ours"]
            print(
                f"{method:<11} {way:<9} CIEDE2000 {ours.value:.2f} [{ours.low:.2f}, {ours.high:.2f}], "
                f"doing nothing {scores['do_nothing'].value:.2f}; {seconds:.0f} s of processor time",
                flush=True,
            )


if __name__ == "__main__":
    main()
