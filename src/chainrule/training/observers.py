"""Who watches the epochs of a training: each is told of one after the other, and none changes a bit of them."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, get_args

import jax
import numpy as np

from chainrule.errors import ChainruleError, DivergedError
from chainrule.model import Model
from chainrule.model.container import plain
from chainrule.model.history import History, Row, Stopped
from chainrule.regularizers.stopping import EarlyStopping
from chainrule.training.checkpoint import NONE, Checkpoint
from chainrule.training.loop import Epoch
from chainrule.training.placement import Placement
from chainrule.training.plan import Plan
from chainrule.training.step import State

REASONS: tuple[Stopped | None, ...] = (None, *get_args(Stopped))
HERE = Placement()

Observer = Callable[[Epoch], Stopped | None]
"""It is told of an epoch at its end, and may say why training stops there."""


@dataclass(frozen=True)
class EpochEnd:
    """What a callback is told at the end of each epoch.

    Attributes:
        row: the epoch's costs and metrics, as in the history.
        epochs: how many epochs are planned.
        model: called, gives the model as it stands.
        checkpoint: called, gives what `fit(…, after=…)` needs to go on from here.
        member: which network of a population it is of; they count from 0.
    """

    row: Row
    epochs: int
    model: Callable[[], Model]
    checkpoint: Callable[[], Checkpoint]
    member: int = 0


Callback = Callable[[EpochEnd], Any]


class Records:
    """What a training leaves: the history of its epochs, what the last and, if sought, the best of them published.

    As an observer it enters an epoch, and refuses one whose figures or parameters are no longer finite.
    """

    def __init__(self, plan: Plan, state: State, began: float | None = None, member: int = 0):
        self.plan, self.history = plan, History()
        self.last = self.best = plan.published(state)
        self.member = member
        self.began = time.perf_counter() if began is None else began
        if plan.start:
            self.last, self.best, history = plan.start.last or self.last, plan.start.best, plan.start.history
            self.history = replace(history, rows=list(history.rows))
            self.began -= history.seconds

    def __call__(self, epoch: Epoch) -> None:
        if wrong := _not_finite(epoch):
            self.history.stopped = "diverged"
            raise self._diverged(wrong)
        self.last = self.plan.published(epoch.state)
        self.history.rows.append(epoch.row)

    def model(self, state: State | None = None) -> Model:
        """The model of what a state published; by default of what is kept: the best if it is sought, else the last."""
        kept = self.best if self.history.best_epoch else self.last
        return self.plan.model(kept if state is None else state, replace(self.history, rows=list(self.history.rows)))

    def place(
        self, state: State, recorded: Sequence[np.ndarray] = (), stopped: Stopped = "epochs"
    ) -> Callable[[], Checkpoint]:
        """Called, now or later, it gives the checkpoint of now: of a state, and what the epoch under way recorded."""
        best, count, best_epoch, seconds = self.best, len(self.history), self.history.best_epoch, self.seconds
        last = self.last if recorded or stopped != "epochs" else None

        def checkpoint() -> Checkpoint:
            history = History(self.history.rows[:count], best_epoch, stopped, seconds)
            records = np.concatenate(recorded) if recorded else NONE
            return Checkpoint(state, best, history, records, plain(self.plan.identity), last)

        return checkpoint

    @property
    def seconds(self) -> float:
        """How long training has taken."""
        return time.perf_counter() - self.began

    def _diverged(self, wrong: str) -> DivergedError:
        rows = self.history.rows
        finite = f"the last finite cost was {rows[-1]['cost']:.4g}" if rows else "no epoch before was sound"
        return DivergedError(
            f"The {wrong} in epoch {len(rows) + 1}; {finite}. Lower the learning rate of "
            f"{self.plan.optimizer!r}, clip the gradient (ClipNorm(1.0) >> …), or standardise the data.",
            self.model(),
        )


def watched(
    epochs: Iterable[Epoch], observers: Iterable[Observer], stopped: Stopped = "epochs", placement: Placement = HERE
) -> Stopped:
    """Why the epochs ended, of each of which every observer is told; as it was, where none says why.

    Where several processes train together, they agree on the figures of each epoch, and on whether it is the last.
    """
    for epoch in epochs:
        figures = placement.agreed([*epoch.row.values()])
        reason = told(epoch._replace(row=dict(zip(epoch.row, figures, strict=True))), observers)
        [index] = placement.agreed([REASONS.index(reason)])
        if last := REASONS[index]:
            return last
    return stopped


def told(epoch: Epoch, observers: Iterable[Observer]) -> Stopped | None:
    """Why training ends with an epoch, of which every observer is told, if any says why; the last has its way."""
    reasons: list[Stopped] = [reason for observe in observers if (reason := observe(epoch))]
    return reasons[-1] if reasons else None


def observers(records: Records, callbacks: Sequence[Callback], *others: Observer) -> list[Observer]:
    """Who watches a training, in the order in which they are told."""
    rule = records.plan.early_stopping
    stops = [] if rule is None else [stopping(rule, records)]
    tells = [telling(callbacks, records)] if callbacks else []
    return [records, *others, *stops, *tells]


def stopping(rule: EarlyStopping, records: Records) -> Observer:
    """It keeps the best epoch, and stops when none has been better for the rule's patience."""

    def observe(epoch: Epoch) -> Stopped | None:
        history = records.history
        if rule.better(history[rule.watched], history.best_epoch):
            records.best, history.best_epoch = records.last, epoch.number
        return "early stopping" if rule.is_over(epoch.number, history.best_epoch) else None

    return observe


def telling(callbacks: Sequence[Callback], records: Records) -> Observer:
    """It calls the users' own functions, all of them, and stops when one returns True."""

    def observe(epoch: Epoch) -> Stopped | None:
        model, place = partial(records.model, records.last), records.place(epoch.state)
        end = EpochEnd(epoch.row, records.plan.epochs, model, place, records.member)
        answers = [callback(end) for callback in callbacks]
        return "callback" if any(isinstance(answer, bool | np.bool_) and answer for answer in answers) else None

    return observe


def as_callbacks(callbacks: Any) -> tuple[Callback, ...]:
    """The users' own functions. Raises `ChainruleError` where they are none."""
    found = tuple(callbacks) if isinstance(callbacks, Iterable) else (callbacks,)
    if callable(callbacks) or not all(map(callable, found)):
        raise ChainruleError(f"fit: callbacks must be a list of functions, got {callbacks!r}. Write [tell] for one.")
    return found


def _not_finite(epoch: Epoch) -> str:
    """What is no longer finite at the end of an epoch, in words; empty where all is."""
    for name in ("cost", "validation_cost"):
        if not math.isfinite(epoch.row.get(name, 0.0)):
            return f"{name.replace('_', ' ')} became {epoch.row[name]}"
    finite = all(np.isfinite(array).all() for array in jax.tree.leaves(epoch.state.parameters))
    return "" if finite else "parameters became infinite"
