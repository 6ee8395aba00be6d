"""Populations: networks of one structure that are trained together, under `vmap`, each by a plan of its own."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import jax
import numpy as np

from chainrule.arrays.memory import most
from chainrule.arrays.random import keyed, seeded
from chainrule.data.loaders import Whole
from chainrule.errors import DivergedError, warn
from chainrule.formula.network import FLOAT
from chainrule.model import Model
from chainrule.model.history import History, Row, Stopped
from chainrule.training.checkpoint import fitting
from chainrule.training.feed import Block, Feed, Shared, feed, feeds, first_values
from chainrule.training.interrupt import Interrupt
from chainrule.training.loop import Epoch, Loop, row
from chainrule.training.observers import Callback, Records, observers, told
from chainrule.training.plan import Plan
from chainrule.training.problems import Problems
from chainrule.training.progress import Progress
from chainrule.training.step import State, first
from chainrule.training.validation import HeldOut, named


def train(plans: Sequence[Plan], callbacks: Sequence[Callback], progress: bool, began: float) -> list[Model]:
    """The models of plans of one structure: each is that of its own training, to rounding.

    Ctrl-C ends them all; early stopping, a callback or divergence ends one.

    Raises:
        DivergedError: where all have diverged: the first one's.
    """
    ctrl_c, members = Interrupt(), list[Member]()
    with ctrl_c:
        visited = _feeds(plans)
        for group in _groups(plans):
            some = [Member(plan, callbacks, began, len(members) + place) for place, plan in enumerate(group)]
            members += some
            rows = group[0].rows * len(group)
            with Progress(progress, group[0].epochs, group[0].steps, rows, lambda: ctrl_c.came) as shown:
                _together(some, visited, shown, ctrl_c)
    ctrl_c.noticed = True  # what was trained is not lost any more
    for member in members:
        member.records.history.seconds = member.records.seconds
    _tell(members)
    return [member.records.model() for member in members]


class Member:
    """A network of a population.

    Attributes:
        plan: its own.
        records: what its training leaves.
        state: that of its training after the last epoch that it took part in.
        stopped: whether it has, so that nothing changes it any more.
        error: why it diverged, if it did.
    """

    def __init__(self, plan: Plan, callbacks: Sequence[Callback], began: float, number: int):
        self.plan, self.state, self.stopped = plan, _begun(plan), False
        self.records = Records(plan, self.state, began, number)
        self.observers = observers(self.records, callbacks)
        self.error: DivergedError | None = None

    def told(self, epoch: Epoch) -> None:
        """All who watch it are told of an epoch, and may stop it."""
        self.state, best = epoch.state, self.records.best
        try:
            reason = told(epoch, self.observers)
        except DivergedError as error:
            self.error, reason = error, "diverged"
        if self.records.best is not best:
            self.records.best = _own(self.records.best)
        if reason:
            self.end(self.records.last, reason)

    def end(self, last: State, reason: Stopped = "epochs") -> None:
        """Nothing changes it any more."""
        self.records.last, self.records.history.stopped, self.stopped = _own(last), reason, True


def _together(
    members: Sequence[Member],
    visited: Mapping[int, Feed],
    shown: Progress,
    ctrl_c: Interrupt,
) -> None:
    """Train members until each has stopped, or all epochs are over."""
    plan, population = members[0].plan, Population(members, visited)

    def on_chunk(epoch: int, step: int) -> None:
        shown.step(epoch, step)
        ctrl_c.check()

    try:
        ctrl_c.check()
        for number in plan.left:
            told = []
            for member, epoch in population.ends(number, partial(on_chunk, number)):
                if not member.stopped:
                    member.told(epoch)
                    told.append(member)
            live = [member for member in told if not member.stopped]
            shown.epoch(_shown(number, told, len(live)))
            if not live:
                return
            if 2 * len(live) <= len(population.members):  # which is worth another compilation
                population = Population(live, visited)
        for member in population.members:
            if not member.stopped:
                member.end(member.records.last)
    except KeyboardInterrupt:
        for member, state in zip(population.members, population.states(), strict=True):
            if not member.stopped:
                member.end(state, "interrupted")


def _shown(number: int, told: Sequence[Member], live: int) -> Row:
    """What is shown of an epoch: how many networks go on, and the figures of the best."""
    best = min(
        (member.records.history for member in told if not member.error),
        key=lambda history: history.watched[-1],
        default=History(),
    )
    return {"epoch": number, "networks": live, **{name: best[name][-1] for name in best.columns[1:] if best.rows}}


class Population(Loop):
    """The loop of several networks at once: states, records and orders have an axis that counts them."""

    def __init__(self, members: Sequence[Member], visited: Mapping[int, Any]):
        self.members, plans = members, [member.plan for member in members]
        self.problems = Problems([plan.problem for plan in plans])
        seeds, one = [plan.seed for plan in plans], visited[plans[0].seed]
        together = one if len({*seeds}) == 1 else Shared([visited[seed] for seed in seeds])
        examples = getattr(one, "examples", None)
        self.held_out = None if plans[0].held_out is None else HeldOut(plans, examples)
        states: Any = jax.tree.map(lambda *arrays: np.stack(arrays), *(member.state for member in members))
        self._begin(plans[0].problem, together, states)

    def ends(self, number: int, on_chunk: Callable[[int], Any]) -> Iterator[tuple[Member, Epoch]]:
        """Each member with the end of an epoch."""
        recorded = self._recorded(number, on_chunk)
        measured = [{}] * len(self.members)
        if self.held_out:
            measured = map(named, self.held_out.figures(self.problems, self.state))
        for member, sums, found, state in zip(self.members, recorded, measured, self.states(), strict=True):
            yield member, Epoch(row(number, self.problem, sums) | found, state)

    def states(self) -> list[State]:
        """That of each member, in views of the arrays of all."""
        arrays, structure = jax.tree.flatten(jax.tree.map(np.asarray, self.state))
        return [structure.unflatten([array[place] for array in arrays]) for place in range(len(self.members))]

    def _run(self, block: Block, records: Any, done: int, until: int) -> tuple[State, Any]:
        steps = self.placed, block.examples, block.order, records, done, until
        return self.problems.run(*steps, self.feed.batch_size)


def _own(state: State) -> State:
    """A copy, since a view would keep the arrays of all."""
    return jax.tree.map(np.copy, state)


def _begun(plan: Plan) -> State:
    """The state before a plan's first step, or where it goes on."""
    if plan.start:
        return fitting(plan.start.state, plan.problem, plan.shape)
    return first(plan.problem, keyed(first_values(plan.seed)), plan.shape)


def _feeds(plans: Sequence[Plan]) -> Mapping[int, Feed]:
    """What each seed visits, of examples that are on the device once."""
    one, chosen = plans[0], {plan.seed: plan.examples for plan in plans if isinstance(plan.examples, Whole)}
    if len(chosen) > 1:
        return feeds(chosen, one.batch_size)
    return {one.seed: feed(one.examples, one.shape, one.batch_size, one.seed)}


def _groups(plans: Sequence[Plan]) -> Iterator[Sequence[Plan]]:
    """The plans in as few groups, of nearly one size, as memory allows: each network has its state and a batch."""
    one = plans[0]
    state = jax.eval_shape(partial(first, shape=one.shape), one.problem, seeded(0))
    numbers = sum(math.prod(array.shape) for array in jax.tree.leaves(state))
    outputs = sum(math.prod(layer.output_shape(shape)) for layer, shape in one.network.walk(one.shape))
    batch = one.rows if one.batch_size == "all" else one.batch_size
    each = FLOAT * (3 * numbers + 2 * batch * outputs)  # old, new and the gradient; forwards and backwards
    count = math.ceil(len(plans) / max(most() // each, 1))
    bounds = np.linspace(0, len(plans), count + 1).astype(int)
    return (plans[start:end] for start, end in pairwise(bounds))


def _tell(members: Sequence[Member]) -> None:
    """Warn of members that diverged; where all have, that is the error of all."""
    diverged = [number for number, member in enumerate(members) if member.error]
    if not diverged:
        return
    error = members[diverged[0]].error
    assert error is not None
    if len(diverged) == len(members):
        raise error
    one, named = len(diverged) == 1, ", ".join(map(str, diverged))
    warn(
        f"Of {len(members)} networks, counted from 0, number{'s' * (not one)} {named} diverged and keep{'s' * one} the "
        f"last good parameters. Number {diverged[0]}: {error}"
    )
