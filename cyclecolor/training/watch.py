"""The watch over a run: notices when training goes wrong, and says the likely cause in a line.

====================  =======================================================  ============================
what                  sign                                                     noticed within
====================  =======================================================  ============================
loss or gradient      not finite                                               the step, before weights
exploding gradient    its norm 100 times the usual (geometric mean)            the step, before weights, once
                                                                               20 steps were taken
discriminator wins    its loss under 1% of a guess's (averaged: under 5%)      320 steps
collapse              chroma of `G_color`, or its spread over photos, under    300 steps
                      2% of the truth's, three times in a row
====================  =======================================================  ============================
"""

import math

import torch
from torch import Tensor

from ..config import Experiment
from ..distributed import all_gather, world_size
from ..methods import Method

EXPLODES = 100.0
USUAL_AFTER = 20  # steps until a gradient's usual size is known
DECAY = 0.99  # of the averages: some 100 steps
WINS = 0.05
CHECK_EVERY = 100  # steps between two looks at what `G_color` makes
COLLAPSED, CHECKS = 0.02, 3
GIVE_UP = 100  # steps left out in a row

# The loss of a discriminator that answers one half to everything.
GUESSING = {"least_squares": 0.25, "hinge": 1.0, "vanilla": math.log(2)}


class Trouble(Exception):
    """The watch noticed something for which the run is to stop."""


class Watch:
    """Looks at losses, gradients and outputs; a function of what it is shown and of `state`.

    Attributes
    ----------
    state : dict of str to float
        All that it remembers, saved in checkpoints: with it a resumed run notices what an uninterrupted
        one does.
    """

    def __init__(self, experiment: Experiment):
        self.guess = GUESSING[experiment.discriminator.objective]
        self.state: dict[str, float] = {}

    @property
    def rate(self) -> float:
        """The learning rate as a share of what the experiment says."""
        return self.state.get("rate", 1.0)

    def halve_rate(self) -> None:
        """Go on at half the learning rate."""
        self.state["rate"] = self.rate / 2

    @property
    def hopeless(self) -> bool:
        """Whether so many steps in a row were left out that going on is of no use."""
        return self.state.get("left_out", 0.0) >= GIVE_UP

    def bad_step(self, losses: dict[str, float], norms: dict[str, float]) -> str | None:
        """Why a step must be left out, if it must."""
        cause = self._cause(losses, norms)
        self.state["left_out"] = self.state.get("left_out", 0.0) + 1 if cause else 0.0
        return f"{cause}; the step is left out; likely learning_rate is too high" if cause else None

    def _cause(self, losses: dict[str, float], norms: dict[str, float]) -> str | None:
        for name, loss in losses.items():
            if not math.isfinite(loss):
                return f"the loss {name} is {loss}"
        for name, norm in norms.items():
            if not math.isfinite(norm):
                return f"the gradient of {name} is {norm}"
        exploding = [name for name, norm in norms.items() if self._explodes(name, norm)]
        if exploding:
            return f"the gradient of {exploding[0]} is over {EXPLODES:.0f} times its usual size"
        return None

    def winner(self, losses: dict[str, float]) -> str | None:
        """Which discriminator wins outright, if one does, and what to do."""
        for name in (n for n in losses if n.startswith("D_")):
            key = f"loss/{name}"
            average = self.state.get(key, 1.0)
            self.state[key] = DECAY * average + (1 - DECAY) * min(losses[name] / self.guess, 1.0)
            if self.state[key] < WINS:
                self.state[key] = 1.0  # said again only if it lasts
                return (
                    f"{name} wins outright, so that its generator learns nothing from it; "
                    "try fewer discriminator.layers, discriminator.spectral_norm or a larger lambda_gan"
                )
        return None

    def collapse(self, method: Method, batch: dict[str, Tensor]) -> str | None:
        """How `G_color` has collapsed, if it has. Not the averaged one, which would show it much later."""
        chroma, spread = _richness(method, batch)
        signs = {"no color": chroma < COLLAPSED, "all photos the same colors": spread < COLLAPSED}
        for sign, seen in signs.items():
            self.state[sign] = self.state.get(sign, 0.0) + 1 if seen else 0.0
            if self.state[sign] >= CHECKS:
                self.state[sign] = 0.0
                return (
                    f"G_color gives {sign}: it has collapsed; try a smaller learning_rate, "
                    "or check that the color pile is in color"
                )
        return None

    def _explodes(self, name: str, norm: float) -> bool:
        steps, usual = self.state.get(f"steps/{name}", 0.0), self.state.get(f"norm/{name}", 0.0)
        size = math.log(max(norm, 1e-30))
        weight = max(1 - DECAY, 1 / (steps + 1))
        self.state[f"norm/{name}"] = usual + weight * (size - usual)
        self.state[f"steps/{name}"] = steps + 1
        return steps >= USUAL_AFTER and size - usual > math.log(EXPLODES)


@torch.no_grad()
def _richness(method: Method, batch: dict[str, Tensor]) -> tuple[float, float]:
    """Mean chroma, and its spread over the photos of a batch, as shares of the truth's."""
    generator = method.networks["G_color"]
    generator.eval()  # leaves batch statistics alone
    made, truth = method.chroma(generator, batch)
    generator.train()
    ratios = (_measures(made) / _measures(truth).clamp(min=1e-6)).tolist()
    return ratios[0], ratios[1] if world_size() * len(made) > 1 else 1.0


def _measures(chroma: Tensor) -> Tensor:
    """Mean size, and mean spread over the photos, of the chroma (N, 2, h, w) of a batch."""
    whole = all_gather(chroma)
    return torch.stack([whole.abs().mean(), whole.std(dim=0, correction=0).mean()])
