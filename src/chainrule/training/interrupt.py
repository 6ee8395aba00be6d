"""Ctrl-C, noticed between two chunks of steps."""

import signal
import threading
from typing import Any


class Interrupt:
    """While it is entered, Ctrl-C raises `KeyboardInterrupt` at the next `check`, and a second one at once.

    Python itself would raise it anywhere: also within JAX's callbacks, where it is printed and lost. A handler that is
    not Python's own stays in charge, and other threads than the main one never see Ctrl-C.
    """

    def __init__(self) -> None:
        self.wanted = self.mine = False

    def __enter__(self) -> "Interrupt":
        main = threading.current_thread() is threading.main_thread()
        self.mine = main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self.mine:
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *error: Any) -> None:
        if self.mine:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def check(self) -> None:
        """Raise if Ctrl-C came."""
        if self.wanted:
            raise KeyboardInterrupt

    def _note(self, *place: Any) -> None:
        self.check()
        self.wanted = True
