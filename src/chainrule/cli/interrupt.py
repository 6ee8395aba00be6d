"""What Ctrl-C and SIGTERM do while a command runs."""

import atexit
import os
import signal
import sys
from contextlib import suppress
from signal import SIGINT, SIGTERM

INTERRUPTED, TERMINATED = 130, 143  # the exit codes that shells give to Ctrl-C and to SIGTERM
SHOW_CURSOR = b"\x1b[?25h\n"  # which a progress bar hides


class CtrlC:
    """Ends a command at once; but as soon as there is work to lose, it only notes that the work shall end.

    Python's own handler raises an exception anywhere: in callbacks it is lost, and libraries that are about to start
    abort. Another handler that a caller has, or a shell's wish that Ctrl-C be ignored, stays in charge. SIGTERM, by
    which systems end what has to make room, is treated alike.

    Attributes:
        wanted: whether one of them came while there was work to lose.
        code: the exit code of a command that one of them ends.
        before: what is done before a command ends at once.
    """

    def __init__(self) -> None:
        self._begin()

    def __enter__(self) -> "CtrlC":
        self._begin()
        for number, own in ((SIGINT, signal.default_int_handler), (SIGTERM, signal.SIG_DFL)):
            if signal.getsignal(number) in (own, self):
                with suppress(ValueError):  # in another thread than the main one, which never sees Ctrl-C
                    signal.signal(number, self)
                    if number == SIGINT:
                        atexit.register(signal.signal, SIGINT, signal.SIG_IGN)  # when all is done, and Python only ends
        return self

    def __exit__(self, *error: object) -> None:
        self.finishing = ""  # the handler stays: an exception from here on would be said as a traceback

    def finish(self, saying: str) -> None:
        """From now on there is work to lose: Ctrl-C says this on standard error, and the command ends by itself."""
        self.finishing = saying

    def __call__(self, number: int, *place: object) -> None:
        self.code = TERMINATED if number == SIGTERM else INTERRUPTED
        if not self.finishing:
            self.before()
            if os.isatty(1):
                os.write(1, SHOW_CURSOR)
            os._exit(self.code)  # at once: an exception, or Python's own end, meets libraries that are half loaded
        if not (self.wanted or os.isatty(1)):  # in a terminal the progress bar says it
            _write(f"\n{self.finishing}\n")
        self.wanted = True

    def _begin(self) -> None:
        self.wanted, self.finishing, self.code, self.before = False, "", INTERRUPTED, _nothing


def _nothing() -> None:
    """What most commands have to do."""


def _write(text: str) -> None:
    """Past Python's buffers, which a handler may find in use; where nobody can read it, nothing is lost."""
    with suppress(OSError):
        os.write(sys.stderr.fileno(), text.encode())


CTRL_C = CtrlC()
