"""Ctrl-C, and what else asks a training to end, noticed between two chunks of steps."""

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

OWN = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
"""The handlers that Python begins with, which give way; others stay in charge."""


class Interrupt:
    """While it is entered, Ctrl-C raises `KeyboardInterrupt` at the next `check`, and a second one at once.

    Python itself would raise it anywhere: also within JAX's callbacks, where it is printed and lost, or after the last
    step, so that the training would be lost. A handler that is not Python's own stays in charge; one that notes what
    was `wanted` is asked. Other threads than the main one never see Ctrl-C.

    Other signals, such as SIGTERM, are treated alike where they are named, and take effect at the end.
    """

    def __init__(self, *others: signal.Signals) -> None:
        self.signals = (signal.SIGINT, *others)
        self.wanted = self.noticed = False
        self.postponed: set[int] = set()
        self.before: dict[int, Any] = {}
        self.mine: list[signal.Signals] = []

    def __enter__(self) -> "Interrupt":
        self.before = {each: signal.getsignal(each) for each in self.signals}
        main = threading.current_thread() is threading.main_thread()
        self.mine = [each for each in self.signals if main and self.before[each] is OWN[each]]
        for each in self.mine:
            signal.signal(each, self)
        return self

    def __exit__(self, *error: Any) -> None:
        for each in self.mine:
            signal.signal(each, self.before[each])
        for each in self.postponed:
            os.kill(os.getpid(), each)

    @property
    def came(self) -> bool:
        """Whether one came, to this handler or to one that stays in charge."""
        return self.wanted or any(getattr(handler, "wanted", False) for handler in self.before.values())

    def check(self, anywhere: Callable[[bool], bool] = bool) -> None:
        """Raise if one came; where several processes train together, to one of them."""
        if anywhere(self.came):
            self.noticed = True
            raise KeyboardInterrupt

    def __call__(self, number: int, *place: Any) -> None:
        """What the system calls when one comes."""
        if self.wanted and not self.noticed and number == signal.SIGINT:
            self.check()
        self._note(number)

    def _note(self, number: int) -> None:
        self.wanted = True
        self.postponed |= {number} - {signal.SIGINT}


class Held(Interrupt):
    """While it is entered, they are only noted: what is trained meanwhile ends by itself, and nothing is lost."""

    def __call__(self, number: int, *place: Any) -> None:
        """What the system calls when one comes."""
        self._note(number)
