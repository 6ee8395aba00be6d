"""Several processes that train together, each on the devices of its host: the first decides, and all take its steps."""

import atexit
import ctypes
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import jax
from jax.experimental.multihost_utils import sync_global_devices

from chainrule.errors import ArgumentError, ChainruleError

HEARTBEAT, GOODBYE = 10, 5  # seconds after which a silent host counts as lost, and the others no longer wait for it
ARRIVAL = 300  # seconds in which all must have come
LAST_WORDS = 3  # seconds in which whoever notices a loss may say so, before the process is ended
LOST = re.compile(r"gloo|nccl|coordination|peer|unavailable|deadline|heartbeat", re.IGNORECASE)
LOSS = ArgumentError(
    "Another host has ended, or can't be reached any more. See what it says; {resume} goes on from the last checkpoint."
)
APART = "The hosts did not come together{}. Start all of them, on one network, each with its own index."
HANDLERS: list[Any] = []  # of C, which must not be collected


def leads() -> bool:
    """Whether this process decides, says and keeps everything; alone it does."""
    return jax.process_index() == 0


@contextmanager
def joined(hosts: str, words: Callable[[ChainruleError], str] = str) -> Iterator[None]:
    """While it is entered, this process is one of several that train together; JAX must not have begun.

    An exception ends this process, and so the others, at once: they do not wait for it. What JAX's C++ writes to
    standard error is not shown.

    Args:
        hosts: "auto" where a scheduler says who they are (SLURM, Open MPI, Kubernetes, as JAX detects them), else
            "ADDRESS:PORT,COUNT,INDEX": where the first is reached, how many there are, and which one this is.
        words: how an error is said where JAX leaves no time to raise it.

    Raises:
        ChainruleError: for other words, hosts that do not come, and one that ends before the others.
    """
    who = _read(hosts)
    with _hushed(2):
        _initialize(who, words)
        try:
            yield
        except BaseException as error:
            code = 2 if isinstance(error, ChainruleError) or _is_loss(error) else 1
            atexit.register(_end, code)  # before JAX's own farewell, for which the others would wait in vain
            if _is_loss(error):
                raise LOSS from None
            raise


def _read(hosts: str) -> tuple[Any, ...]:
    """Address, number of processes and the number of this one; none of them where a scheduler says so."""
    if hosts == "auto":
        return ()
    said = re.fullmatch(r"(\S+:\d+),([1-9]\d*),(\d+)", hosts)
    if said is None or int(said[3]) >= int(said[2]):
        raise ArgumentError(
            "{hosts} must be auto, or ADDRESS:PORT,COUNT,INDEX with an index below the count, such as "
            "10.0.0.1:1234,2,0, got {!r}.",
            hosts,
        )
    return said[1], int(said[2]), int(said[3])


def _initialize(who: tuple[Any, ...], words: Callable[[ChainruleError], str]) -> None:
    """Meet the others, and find that all can be reached."""
    patient = {"heartbeat_timeout_seconds": HEARTBEAT, "shutdown_timeout_seconds": GOODBYE}
    _on_abort(words(ChainruleError(APART.format(""))))
    try:
        with _ended_by_signals():
            jax.distributed.initialize(*who, initialization_timeout=ARRIVAL, **patient)
    except ValueError:
        raise ArgumentError(
            "{hosts} is auto, but no scheduler says who the hosts are. Start by srun or mpirun, or give "
            "ADDRESS:PORT,COUNT,INDEX."
        ) from None
    except RuntimeError as error:
        why = str(error).splitlines()[0]
        raise ChainruleError(APART.format(f" ({why})")) from None
    _on_abort(words(LOSS))
    with _hushed(1):
        sync_global_devices("joined")


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """While it is entered, Ctrl-C and SIGTERM end the process: Python's handlers, and ours, would wait for C++."""
    signals = [signal.SIGINT, signal.SIGTERM] * (threading.current_thread() is threading.main_thread())
    before = {each: signal.signal(each, signal.SIG_DFL) for each in signals}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler or signal.SIG_DFL)


def _on_abort(words: str) -> None:
    """Where JAX ends this process as soon as it misses a host, though Python waits for that host: say so before."""

    @ctypes.CFUNCTYPE(None, ctypes.c_int)
    def aborted(number: int) -> None:
        time.sleep(LAST_WORDS)
        print(words, file=sys.stderr)
        _end(2)

    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).signal(signal.SIGABRT, aborted)
        HANDLERS.append(aborted)


@contextmanager
def _hushed(file: int) -> Iterator[None]:
    """While it is entered, Python alone writes to standard output, 1, or standard error, 2."""
    name = "stdout" if file == 1 else "stderr"
    stream, mine = getattr(sys, name), os.dup(file)
    stream.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, file)
    os.close(nowhere)
    with open(mine, "w", buffering=1, encoding=stream.encoding, errors=stream.errors, closefd=False) as heard:
        setattr(sys, name, heard)
        try:
            yield
        finally:
            heard.flush()
            setattr(sys, name, stream)
            os.dup2(mine, file)
            os.close(mine)


def _is_loss(error: BaseException) -> bool:
    """Whether a computation failed since another process is gone."""
    ours = isinstance(error, ChainruleError)
    return not ours and isinstance(error, jax.errors.JaxRuntimeError | ValueError) and bool(LOST.search(str(error)))


def _end(code: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
