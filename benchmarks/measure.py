"""Fair timings: the contestants take turns, and the median over the rounds is what counts."""

import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

REST = 0.3  # seconds before each turn: the threads of the last contestant's OpenMP spin for 0.2 s before they sleep


class Result(NamedTuple):
    """A contestant's time for one unit of work, in seconds: the median of the rounds, and their range."""

    median: float
    fastest: float
    slowest: float
    figure: float | None
    """What the first, uncounted turn returned: it must be the same for all who do the same work."""


def take_turns(contestants: Mapping[str, Callable[[], float | None]], units: int, rounds: int) -> dict[str, Result]:
    """Time each contestant once a round, after one uncounted turn that compiles and warms up, and that it must pass.

    The order is drawn anew for each round, so that nobody always follows the same one.
    """
    figures = {}
    for name, work in contestants.items():
        try:
            figures[name] = work()
        except Exception as error:
            print(f"{name} can't do this: {type(error).__name__}: {str(error).splitlines()[0]}", file=sys.stderr)
    times: dict[str, list[float]] = {name: [] for name in figures}
    order, draws = list(figures), random.Random(0)
    for _ in range(rounds):
        draws.shuffle(order)
        for name in order:
            time.sleep(REST)
            began = time.perf_counter()
            contestants[name]()
            times[name].append((time.perf_counter() - began) / units)
    return {
        name: Result(statistics.median(seconds), min(seconds), max(seconds), figures[name])
        for name, seconds in times.items()
    }
