"""Fair timings: the contestants take turns, and the median over the rounds is what counts."""

import statistics
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
    """Time each contestant once a round, after one uncounted round that compiles and warms up."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    figures = {}
    for number in range(rounds + 1):
        for name, work in contestants.items():
            time.sleep(REST)
            began = time.perf_counter()
            figure = work()
            if number:
                times[name].append((time.perf_counter() - began) / units)
            else:
                figures[name] = figure
    return {
        name: Result(statistics.median(seconds), min(seconds), max(seconds), figures[name])
        for name, seconds in times.items()
    }
