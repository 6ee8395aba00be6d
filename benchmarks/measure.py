"""Fair timings: the contestants take turns, and the median over the rounds is what counts."""

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

REST = 0.3  # seconds before each turn: the threads of the last contestant's OpenMP spin for 0.2 s before they sleep

Contestants = dict[str, Callable[[], object]]


class Result(NamedTuple):
    """A contestant's time for one unit of work, in seconds: the median of the rounds, and their range."""

    median: float
    fastest: float
    slowest: float


def take_turns(contestants: Contestants, units: dict[str, int], rounds: int) -> dict[str, Result]:
    """Time each contestant once a round, after one uncounted round that compiles and warms up."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, work in contestants.items():
            time.sleep(REST)
            began = time.perf_counter()
            work()
            if number:
                times[name].append((time.perf_counter() - began) / units[name])
    return {name: Result(statistics.median(seconds), min(seconds), max(seconds)) for name, seconds in times.items()}
