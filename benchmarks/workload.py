"""What is measured: a piece of work that several libraries can do, and the least that a machine must do for it."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

Contestants = Mapping[str, Callable[[], float | None]]


class Workload(NamedTuple):
    """One line of the table.

    Attributes:
        contestants: makes them, ours first: functions that do all units once, the first time to the same figure.
        units: how many units of work a turn has.
        turns: how often they take turns in a round: often where the machine's speed, not the work, decides.
        flops, moved: the multiplications and additions, and the bytes to and from memory, that a unit can't do without.
    """

    contestants: Callable[[], Contestants]
    units: int = 1
    turns: int = 1
    flops: float = 0.0
    moved: float = 0.0
