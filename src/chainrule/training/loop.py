"""The loop around the compiled steps: an epoch in chunks, and what it cost."""

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from chainrule.arrays.random import keyed
from chainrule.model.history import Row
from chainrule.training.checkpoint import fitting
from chainrule.training.feed import Block, Feed, first_values
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
    """Runs epochs, from wherever one stands; the cuts never change the result.

    Attributes:
        state: the training state after the last finished chunk.
        recorded: what the steps of the epoch under way recorded by then, in pieces; nothing between two epochs.
    """

    def __init__(
        self, problem: Problem, feed: Feed, seed: int, state: State | None = None, records: np.ndarray | None = None
    ):
        self.problem, self.feed = problem, feed
        self.state: State = (
            first(problem, keyed(first_values(seed)), feed.shape)
            if state is None
            else fitting(state, problem, feed.shape)
        )
        self.blank = jax.device_put(np.zeros((feed.most_steps, len(problem.metrics) + 2), np.float32))
        self.recorded = [] if records is None or not len(records) else [records]
        self.chunk = 1  # steps; grows until a chunk takes its time

    @property
    def records(self) -> np.ndarray:
        """What each step of the epoch under way recorded, (steps, figures); none between two epochs."""
        return np.concatenate([np.zeros((0, self.blank.shape[1]), np.float32), *self.recorded])

    def epochs(self, numbers: Iterable[int], on_chunk: Callable[[int, int], Any]) -> Iterator[Epoch]:
        """The epochs of these numbers; `on_chunk` is told which one it is, and how many of its steps are done."""
        for number in numbers:
            on_chunk(number, len(self.records))
            yield Epoch(self.epoch(number, partial(on_chunk, number)), self.state)

    def epoch(self, number: int, on_chunk: Callable[[int], Any]) -> Row:
        """One epoch's steps; `on_chunk` is told how many are done. Returns its mean cost and metrics."""
        for block in self.feed.epoch(number, len(self.records)):
            self._visit(block, on_chunk)
        row, self.recorded = self._row(number), []
        return row

    def _visit(self, block: Block, on_chunk: Callable[[int], Any]) -> None:
        """The steps of a block that are not done."""
        before, begin = self.recorded, len(self.records) - block.first
        records, done = self.blank, begin
        while done < block.steps:
            until, began = min(done + self.chunk, block.steps), time.perf_counter()
            steps = self.problem, self.state, block.examples, block.order, records, done, until
            state, records = run(*steps, batch_size=self.feed.batch_size)
            records.block_until_ready()
            self.state, done = state, until
            self.recorded = [*before, np.asarray(records)[begin:done]]
            if time.perf_counter() - began < CHUNK:
                self.chunk *= 2
            on_chunk(block.first + done)

    def _row(self, number: int) -> Row:
        *figures, weight = self.records.astype(np.float64).sum(axis=0)
        cost, *means = (figure / weight if weight else 0.0 for figure in figures)
        names = [metric.label() for metric in self.problem.metrics]
        values = [metric.from_mean(mean) for metric, mean in zip(self.problem.metrics, means, strict=True)]
        return {"epoch": number, "cost": float(cost), **dict(zip(names, map(float, values), strict=True))}
