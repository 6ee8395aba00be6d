"""How many programs are compiled meanwhile."""

import threading
from typing import Any

import jax

COMPILED = "/jax/core/compile/backend_compile_duration"


class Compilations:
    """While it is entered, it counts the programs that JAX has compiled in this thread, or found in its cache.

    >>> with Compilations() as compilations:
    ...     _ = jax.jit(lambda x: x + 1)(1.0)
    >>> compilations.count >= 1
    True
    """

    def __init__(self) -> None:
        self.count, self.thread = 0, threading.get_ident()

    def __enter__(self) -> "Compilations":
        jax.monitoring.register_event_duration_secs_listener(self._told)
        return self

    def __exit__(self, *error: Any) -> None:
        jax.monitoring.unregister_event_duration_listener(self._told)

    def _told(self, event: str, duration_secs: float, **more: Any) -> None:
        self.count += event == COMPILED and threading.get_ident() == self.thread
