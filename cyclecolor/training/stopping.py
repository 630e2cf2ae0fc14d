"""Signals that ask a run to save and leave."""

import signal

from ..hardware import STOP_SIGNALS


class Interrupted(Exception):
    """A signal asked the run to stop; everything is saved.

    Attributes
    ----------
    exit_code : int
        128 and the signal's number, as shells have it: 130 after Ctrl-C, 143 after SIGTERM.
    """

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


class Stop:
    """Inside it, the first SIGINT, SIGTERM or SIGUSR1 is a wish to stop after the step.

    A second Ctrl-C ends the process at once, unless `patient`: a launcher of several processes repeats to
    them the signal that the terminal sent already.

    Attributes
    ----------
    signal : int
        The number of the signal that came, or 0.
    """

    def __init__(self, *, patient: bool = False):
        self.signal, self._patient = 0, patient

    def __enter__(self) -> "Stop":
        self._before = {number: signal.signal(number, self._ask) for number in STOP_SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, _frame: object) -> None:
        self.signal = self.signal or number
        if number == signal.SIGINT and not self._patient:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
