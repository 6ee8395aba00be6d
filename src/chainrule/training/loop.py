"""The loop around the compiled steps: an epoch in chunks, and what it cost."""

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from chainrule.arrays.masked import shape_of
from chainrule.arrays.random import keyed, seeded, words_of
from chainrule.model.history import Row
from chainrule.training.batches import Examples, shuffled
from chainrule.training.checkpoint import fitting
from chainrule.training.step import Problem, State, first, run

CHUNK = 0.2  # seconds of steps between two looks at the screen and the keyboard


class Epoch(NamedTuple):
    """An epoch that has ended: what it measured, and where it left the training."""

    row: Row
    state: State

    @property
    def number(self) -> int:
        """Which it is; they count from 1."""
        return int(self.row["epoch"])


class Loop:
    """Runs epochs; `state` is always that of the last finished chunk. The cuts never change the result.

    Attributes:
        state: the training state.
        steps: how many an epoch has.
    """

    def __init__(
        self, problem: Problem, examples: Examples, rows: int, batch_size: int, seed: int, state: State | None = None
    ):
        self.problem, self.examples, self.batch_size = problem, examples, batch_size
        first_values, self.shuffles = words_of(seeded(seed), 2)
        shape = shape_of(examples.x)
        self.state: State = (
            first(problem, keyed(first_values), shape) if state is None else fitting(state, problem, shape)
        )
        self.steps = -(-rows // batch_size)
        shape = (-(-examples.capacity // batch_size), len(problem.metrics) + 2)
        self.records = jax.device_put(np.zeros(shape, np.float32))
        self.chunk = 1  # steps; grows until a chunk takes its time

    def epochs(self, numbers: Iterable[int], on_chunk: Callable[[int, int], Any]) -> Iterator[Epoch]:
        """The epochs of these numbers; `on_chunk` is told which one it is, and how many of its steps are done."""
        for number in numbers:
            yield Epoch(self.epoch(number, partial(on_chunk, number)), self.state)

    def epoch(self, number: int, on_chunk: Callable[[int], Any]) -> Row:
        """One epoch's steps; `on_chunk` is told how many are done. Returns its mean cost and metrics."""
        order = shuffled(self.shuffles, number, self.examples) if self.steps > 1 else np.zeros(1, np.int32)
        records, done = self.records, 0
        while done < self.steps:
            until, began = min(done + self.chunk, self.steps), time.perf_counter()
            state, records = run(
                self.problem, self.state, self.examples, order, records, done, until, batch_size=self.batch_size
            )
            records.block_until_ready()
            self.state, done = state, until
            if time.perf_counter() - began < CHUNK:
                self.chunk *= 2
            on_chunk(done)
        return self._row(number, np.asarray(records, np.float64)[: self.steps])

    def _row(self, number: int, records: np.ndarray) -> Row:
        *figures, weight = records.sum(axis=0)
        cost, *means = (figure / weight if weight else 0.0 for figure in figures)
        names = [metric.label() for metric in self.problem.metrics]
        values = [metric.from_mean(mean) for metric, mean in zip(self.problem.metrics, means, strict=True)]
        return {"epoch": number, "cost": float(cost), **dict(zip(names, map(float, values), strict=True))}
