"""Compiled programs, of which only the last few are kept, and the processes that they run in."""

import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, lru_cache, wraps
from typing import Any
from weakref import WeakValueDictionary

import jax
import numpy as np

from chainrule.errors import ChainruleError

KEPT = 10  # programs of a function; each has some megabytes
GUARD = "jax_transfer_guard_host_to_device"

Programs = dict[Callable, Callable]
"""Of each function that was called, the last programs."""

_kept: ContextVar[Programs] = ContextVar("kept", default={})  # noqa: B039  # of all that is in no block of `keeping`


QUICKLY = {"xla_cpu_use_fusion_emitters": False, "xla_cpu_parallel_codegen_split_count": 1}
OPTIONS: dict[str, dict[str, Any]] = {
    "side by side": {"xla_cpu_experimental_ynn_fusion_type": ""},
    "quickly": QUICKLY,
    "at once": QUICKLY | {"xla_backend_optimization_level": 0},
}
"""Of XLA's compiler, by what they are for."""

Compiler = Callable[..., dict[str, Any] | None]
"""What gives the compiler's options, of arguments that have shapes only; None for its own."""


@cache
def _known(purpose: str) -> dict[str, Any] | None:
    """The options for a purpose; None where the compiler does not know them: of another version, or another device."""
    try:
        jax.jit(lambda: 0, compiler_options=OPTIONS[purpose]).lower().compile()
    except jax.errors.JaxRuntimeError:
        return None
    return OPTIONS[purpose]


def usually(*arguments: Any) -> dict[str, Any] | None:
    """The compiler's own options."""
    return None


def side_by_side(*arguments: Any) -> dict[str, Any] | None:
    """Those for a program that begins while the last one runs.

    Products by Eigen fill the threads that the last program leaves idle; those by YNNPACK, XLA's choice, do not.
    """
    return _known("side by side")


def quickly(*arguments: Any) -> dict[str, Any] | None:
    """Those for a program that runs for seconds only.

    It is compiled in less than half of the time, and takes up to a fifth more to run.
    """
    return _known("quickly")


def at_once(*arguments: Any) -> dict[str, Any] | None:
    """Those for a program that runs for milliseconds only.

    It is compiled in a fifth of the time, and what no native kernel does takes twice as long.
    """
    return _known("at once")


def compiled(*, compiler: Compiler = usually) -> Callable[[Callable], Callable]:
    """`jax.jit`, but a function keeps the programs only of the last structures and shapes that it was called with.

    JAX would keep them all: a process that fits many networks, each of another structure, would grow without end. All
    who call the function have its programs in common; see `keeping` for how long. What is given by name is static.

    Args:
        compiler: gives the options with which a program is compiled, such as `quickly`.

    >>> double = compiled()(lambda x: 2 * x)
    >>> double(jax.numpy.ones(2)).tolist()
    [2.0, 2.0]
    """

    def decorate(function: Callable) -> Callable:
        living: WeakValueDictionary[Any, Callable] = WeakValueDictionary()

        def program(structure: Any, shapes: tuple[tuple[int, ...], ...], *static: Any) -> Callable:
            key = structure, shapes, *static
            if (found := living.get(key)) is None:

                @wraps(function)
                def own(leaves: list[Any]) -> Any:  # of its own, since JAX's caches go by the function
                    return function(*structure.unflatten(leaves), **dict(static))

                arguments = structure.unflatten([jax.ShapeDtypeStruct(shape, np.float32) for shape in shapes])
                found = taking_any(jax.jit(own, compiler_options=compiler(*arguments)))
                living[key] = found
            return found

        @wraps(function)
        def call(*args: Any, **static: Any) -> Any:
            refuse_fork()
            leaves, structure = jax.tree.flatten(args)
            shapes = tuple([getattr(leaf, "shape", ()) for leaf in leaves])
            programs = _kept.get()
            last = programs.get(function) or programs.setdefault(function, lru_cache(KEPT)(program))
            return last(structure, shapes, *static.items())(leaves)

        return call

    return decorate


@contextmanager
def keeping(programs: Programs) -> Iterator[None]:
    """Within it, programs are kept for as long as these are: whoever lets them go gives their memory back.

    >>> double, mine = compiled()(lambda x: 2 * x), {}
    >>> with keeping(mine):
    ...     double(jax.numpy.ones(2)).tolist(), len(mine)
    ([2.0, 2.0], 1)
    """
    before = _kept.set(programs)
    try:
        yield
    finally:
        _kept.reset(before)


def taking_any(program: Callable) -> Callable:
    """A program whose arrays may come from the host: that they go to the device is meant, whatever guards transfers."""

    @wraps(program)
    def call(*args: Any, **static: Any) -> Any:
        if getattr(jax.config, GUARD, None) in (None, "allow"):  # to look takes less time than to allow
            return program(*args, **static)
        with jax.transfer_guard_host_to_device("allow"):
            return program(*args, **static)

    return call


WORKERS = "LokyProcess", "Dask Worker"  # joblib's and Dask's, by how their names begin


def take_share() -> None:
    """In a worker of joblib or Dask, let JAX have the threads that it is to use, unless the environment says how many.

    They say it by OMP_NUM_THREADS, which JAX does not read. On how many threads there are, bits depend.
    """
    share = os.environ.get("OMP_NUM_THREADS", "")
    if multiprocessing.current_process().name.startswith(WORKERS) and share.isdecimal():
        os.environ.setdefault("PJRT_NPROC", share)


_lost = False  # whether this process was forked from one that had used JAX, whose threads it has not


def computes() -> bool:
    """Whether this process can compute: not in the fork of one that has used JAX, where JAX would wait for ever."""
    return not _lost


def refuse_fork() -> None:
    """Refuse to compute where that can't be.

    Raises:
        ChainruleError: it names what does work.
    """
    if _lost:
        raise ChainruleError(
            "This process was forked from one that had used JAX, whose threads no fork has. Start processes by spawn: "
            'multiprocessing.get_context("spawn"), or joblib\'s loky.'
        )


def _forked() -> None:
    global _lost
    from jax._src import xla_bridge  # JAX says nowhere else whether it has begun

    _lost = getattr(xla_bridge, "backends_are_initialized", lambda: True)()


take_share()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
