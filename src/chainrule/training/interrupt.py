"""Ctrl-C, noticed between two chunks of steps."""

import signal
import threading
from typing import Any


class Interrupt:
    """While it is entered, Ctrl-C raises `KeyboardInterrupt` at the next `check`, and a second one at once.

    Python itself would raise it anywhere: also within JAX's callbacks, where it is printed and lost, or after the last
    step, so that the training would be lost. A handler that is not Python's own stays in charge; one that notes what
    was `wanted` is asked. Other threads than the main one never see Ctrl-C.
    """

    def __init__(self) -> None:
        self.wanted = self.noticed = False
        self.before: Any = None

    def __enter__(self) -> "Interrupt":
        self.before = signal.getsignal(signal.SIGINT)
        main = threading.current_thread() is threading.main_thread()
        self.mine = main and self.before is signal.default_int_handler
        if self.mine:
            signal.signal(signal.SIGINT, self)
        return self

    def __exit__(self, *error: Any) -> None:
        if self.mine:
            signal.signal(signal.SIGINT, self.before)

    @property
    def came(self) -> bool:
        """Whether Ctrl-C came, to this handler or to the one that stays in charge."""
        return self.wanted or getattr(self.before, "wanted", False)

    def check(self) -> None:
        """Raise if Ctrl-C came."""
        if self.came:
            self.noticed = True
            raise KeyboardInterrupt

    def __call__(self, *place: Any) -> None:
        """What the system calls when it comes."""
        if self.wanted and not self.noticed:
            self.check()
        self.wanted = True


class Held(Interrupt):
    """While it is entered, Ctrl-C is only noted: what is trained meanwhile ends by itself, and nothing is lost."""

    def __call__(self, *place: Any) -> None:
        """What the system calls when it comes."""
        self.wanted = True
