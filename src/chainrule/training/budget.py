"""A budget of time: how many epochs it has room for, by the pace of those that are done."""

import time
from collections.abc import Callable
from math import floor, inf


class TimeUp(Exception):  # noqa: N818
    """The time of a training is over within an epoch."""


class Budget:
    """The time that a training may take.

    Args:
        minutes: how many; None for as many as it takes.
        spent: the seconds that it had taken before, if it goes on.
        clock: gives seconds since some time.

    >>> now = iter([0.0, 10.0, 14.0, 61.0])
    >>> budget = Budget(1, clock=lambda: next(now))
    >>> [budget.room(done, of=100) for done in (0.5, 1.0, 6.5)]
    [100, 6, 6.5]
    """

    def __init__(
        self, minutes: float | None = None, spent: float = 0.0, clock: Callable[[], float] = time.perf_counter
    ):
        self.seconds = inf if minutes is None else 60.0 * minutes
        self.clock, self.began = clock, clock() - spent
        self.first = (0.0, 0.0) if spent else None

    @property
    def is_limited(self) -> bool:
        """Whether there is an end to it."""
        return self.seconds < inf

    def room(self, done: float, of: int) -> float:
        """How many of so many epochs there is room for in all, when some are done: whole ones, but in the first.

        The pace is that since the first steps were done, without the compilation before them.
        """
        now = self.clock() - self.began
        if now >= self.seconds:
            return min(done, of)
        if done and self.first is None:
            self.first = done, now
        begun, then = self.first or (done, now)
        if done == begun or now == then:
            return of
        room = done + (self.seconds - now) * (done - begun) / (now - then)
        return min(room if room < 1 else max(floor(room), done), of)
