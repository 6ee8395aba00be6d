"""The loop around the compiled steps: an epoch in chunks, and what it cost."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from chainrule.model.history import Row
from chainrule.training.feed import Block, Feed
from chainrule.training.placement import Placement
from chainrule.training.step import Problem, State

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
        recorded: what the steps of the epoch under way recorded so far, in pieces; nothing between two epochs.
    """

    def __init__(
        self,
        problem: Problem,
        feed: Feed,
        state: State,
        records: np.ndarray | None = None,
        placement: Placement | None = None,
    ):
        self.problem, self.feed, self.placement = problem, feed, placement or Placement()
        figures = (*np.shape(state.step), len(problem.metrics) + 2)
        self.placed: State = self.placement.put(state)
        self.blank = self.placement.put(np.zeros((feed.most_steps, *figures), np.float32))
        self.recorded = [] if records is None or not len(records) else [records]
        self.chunk = 1  # steps of the next one; grows until a chunk takes its time

    @property
    def state(self) -> State:
        """The training state after the last finished chunk."""
        return self.placement.taken(self.placed)

    @property
    def records(self) -> np.ndarray:
        """What each step of the epoch under way recorded, (steps, figures); none between two epochs."""
        return np.concatenate([np.zeros((0, *self.blank.shape[1:]), np.float32), *self.recorded])

    def epochs(self, numbers: Sequence[int], on_chunk: Callable[[int, int], Any]) -> Iterator[Epoch]:
        """The epochs of these numbers; `on_chunk` is told which one it is, and how many of its steps are done."""
        for number in numbers:
            on_chunk(number, len(self.records))
            yield Epoch(self.epoch(number, partial(on_chunk, number), number != numbers[-1]), self.state)

    def epoch(self, number: int, on_chunk: Callable[[int], Any], more: bool = False) -> Row:
        """One epoch's steps; `on_chunk` is told how many are done. Returns its mean cost and metrics."""
        for done in self.chunks(number, more):
            on_chunk(done)
        return self.ended(number)

    def chunks(self, number: int, more: bool = False) -> Iterator[int]:
        """One epoch's steps, a chunk each time that one is asked for; gives how many are done."""
        for block in self.feed.epoch(number, len(self.records), more):
            yield from self._visit(block)

    def warm_up(self) -> None:
        """Compile the steps by doing none of an epoch's."""
        block = next(iter(self.feed.epoch(1)))
        self._run(block, self.blank, 0, 0)

    def ended(self, number: int) -> Row:
        """The mean cost and metrics of an epoch whose steps are done."""
        return row(number, self.problem, self._recorded())

    def _recorded(self) -> np.ndarray:
        """The sum of what the steps of the epoch that ends recorded."""
        records, self.recorded = self.records, []
        return records.astype(np.float64).sum(axis=0)

    def _visit(self, block: Block) -> Iterator[int]:
        """The steps of a block that are not done."""
        before, begin = self.recorded, len(self.records) - block.first
        records, done = self.blank, begin
        while done < block.steps:
            until, began = min(done + self.chunk, block.steps), time.perf_counter()
            placed, records = self._run(block, records, done, until)
            records.block_until_ready()
            self.placed, done = placed, until
            self.recorded = [*before, np.asarray(records)[begin:done]]
            [seconds] = self.placement.agreed([time.perf_counter() - began])
            if seconds < CHUNK:
                self.chunk *= 2
            yield block.first + done

    def _run(self, block: Block, records: Any, done: int, until: int) -> tuple[State, Any]:
        """The state after some steps of a block, and the records with theirs."""
        steps = self.problem, self.placed, block.examples, block.order, records, done, until
        return self.placement.run(*steps, batch_size=self.feed.batch_size)


def row(number: int, problem: Problem, recorded: np.ndarray) -> Row:
    """An epoch's mean cost and metrics, from the sum of what its steps recorded."""
    *figures, weight = recorded
    cost, *means = (figure / weight if weight else 0.0 for figure in figures)
    names = [metric.label() for metric in problem.metrics]
    values = [metric.from_mean(mean) for metric, mean in zip(problem.metrics, means, strict=True)]
    return {"epoch": number, "cost": float(cost), **dict(zip(names, map(float, values), strict=True))}
