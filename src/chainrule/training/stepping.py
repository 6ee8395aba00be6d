"""A training that goes as far as it is told, and whose numbers may change on the way."""

from collections import deque
from collections.abc import Iterator
from itertools import count
from typing import Any

import jax

from chainrule.formula.layer import Layer
from chainrule.model import Model
from chainrule.model.history import History, Row
from chainrule.training.feed import feed
from chainrule.training.loop import Epoch, Loop, row
from chainrule.training.observers import Records
from chainrule.training.plan import Plan, plan
from chainrule.training.step import State
from chainrule.training.validation import validated

CHOICES = {
    "cost": None,
    "optimizer": "Adam()",
    "regularizer": None,
    "epochs": 50,
    "batch_size": None,
    "validation": None,
    "early_stopping": None,
    "sample_weight": None,
    "metrics": None,
    "seed": 0,
    "classes": None,
    "preprocessor": None,
    "after": None,
}
"""What is chosen beside the network and the examples, by default."""


class Training:
    """What `fit` does, by the same plan, steps and order, but no further than it is told.

    It takes the choices of `CHOICES` as `fit` does; `epochs` is the length of schedules, behind which it goes on for as
    long as it is told.

    Attributes:
        plan: everything that was chosen, with the numbers that hold now.
        epoch: the number of the epoch under way, or of the last; they count from 1.
        steps: how many are done in all.

    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 64)[:, None]
    >>> training = Training("Dense(1)", x, 2 * x + 1, optimizer="Momentum(0.001)")
    >>> training.advance(1), training.steps, training.epoch
    (1, 1, 1)
    >>> training.changed(optimizer="Momentum(0.1)") is training
    True
    >>> training.advance(1000), len(training.history)
    (1, 1)
    >>> training.changed(optimizer="Adam()").steps
    0
    """

    def __init__(self, network: Layer | str, x: Any, y: Any = None, **choices: Any):
        self._given = {"network": network, "x": x, "y": y, **CHOICES, **choices}
        self._begin(plan(**self._given))

    def _begin(self, planned: Plan) -> None:
        self.plan = planned
        visited = feed(planned.examples, planned.shape, planned.batch_size, planned.seed)
        self._loop = Loop(planned.problem, visited, planned.begun)
        self._records = Records(planned, self._loop.state)
        self._ended: deque[Epoch] = deque()
        self._measured, self._chunks, self._numbers = self._epochs(), iter(()), count(1)
        self.epoch = self.steps = 0

    @property
    def state(self) -> State:
        """The state after the last step, whose arrays no later step changes."""
        return self._loop.state

    @property
    def history(self) -> History:
        """The epochs that have ended."""
        return self._records.history

    @property
    def under_way(self) -> Row:
        """The mean cost and metrics of what is done of an epoch that has not ended; empty between two epochs."""
        records = self._loop.records
        return row(self.epoch, self._loop.problem, records.sum(axis=0)) if len(records) else {}

    def model(self) -> Model:
        """The model as it stands."""
        return self._records.model(self.plan.published(self.state))

    def advance(self, most: int) -> int:
        """Do some steps, but none behind the end of the epoch under way; returns how many.

        Raises:
            DivergedError: at the end of an epoch whose cost or parameters are no longer finite.
        """
        begun = reached = len(self._loop.records)
        if not begun:
            self.epoch = next(self._numbers)
            self._chunks = self._loop.chunks(self.epoch, more=True)
        until = min(begun + most, self.plan.steps)
        while reached < until:
            self._loop.chunk = until - reached
            reached = next(self._chunks)
        self.steps += reached - begun
        if reached == self.plan.steps:
            self._end()
        return reached - begun

    def warm_up(self) -> None:
        """Compile the steps, so that the first one does not wait for it; none is done."""
        self._loop.warm_up()

    def changed(self, **choices: Any) -> "Training":
        """With other choices: this training, which goes on where only numbers of formulas change, else a new one.

        Nothing is compiled for other numbers, such as a learning rate or a regulariser's strength.

        Raises:
            ChainruleError: for choices that don't fit; this training then stays as it is.
        """
        given = self._given | choices
        planned = plan(**given)
        if not self._goes_on(planned, given):
            new = object.__new__(Training)
            new._given = given
            new._begin(planned)
            return new
        self._given, self.plan, self._records.plan = given, planned, planned
        self._loop.problem = planned.problem_after(self.history)
        self._measured = self._epochs()
        return self

    def _goes_on(self, other: Plan, given: dict[str, Any]) -> bool:
        """Whether a plan differs from this training's in numbers of its formulas only."""
        same = all(given[name] is self._given[name] for name in ("x", "y", "validation", "classes", "preprocessor"))
        alike = jax.tree.structure(self.plan.problem) == jax.tree.structure(other.problem)
        return same and alike and (self.plan.seed, self.plan.batch_size) == (other.seed, other.batch_size)

    def _end(self) -> None:
        """Enter the epoch whose steps are done."""
        next(self._chunks, None)
        self._ended.append(Epoch(self._loop.ended(self.epoch), self.state))
        self._records(next(self._measured))
        self._loop.problem = self.plan.problem_after(self.history)

    def _epochs(self) -> Iterator[Epoch]:
        """The epochs as they end, measured on what is held out, which is on the device once."""
        return validated(self.plan, iter(self._ended.popleft, None))
