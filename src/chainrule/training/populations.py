"""Populations: networks of one structure that are trained together, under `vmap`, each by a plan of its own."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import jax
import numpy as np

from chainrule.arrays.memory import most
from chainrule.data.loaders import Whole
from chainrule.errors import DivergedError, warn
from chainrule.formula.network import FLOAT
from chainrule.model import Model
from chainrule.model.history import History, Row, Stopped
from chainrule.optimizers.plateau import plateaus
from chainrule.training.checkpoint import NONE, Checkpoint
from chainrule.training.feed import Block, Feed, Shared, feed, feeds
from chainrule.training.interrupt import Interrupt
from chainrule.training.keeping import Keeper
from chainrule.training.loop import Epoch, Loop, row
from chainrule.training.observers import Callback, Records, observers, told
from chainrule.training.plan import Plan
from chainrule.training.problems import Problems
from chainrule.training.progress import Progress
from chainrule.training.step import State, published
from chainrule.training.validation import HeldOut, named

SHORT = 1 << 34  # numbers times examples


def train(
    plans: Sequence[Plan],
    callbacks: Sequence[Callback],
    keeper: Keeper,
    ctrl_c: Interrupt,
    progress: bool,
    began: float,
) -> list[Model]:
    """The models of plans of one structure: each is that of its own training, to rounding.

    Raises:
        DivergedError: where all have diverged: the first one's.
    """
    members = trained(plans, callbacks, keeper, ctrl_c, progress, began)
    _tell(members)
    return [member.records.model() for member in members]


def trained(
    plans: Sequence[Plan],
    callbacks: Sequence[Callback],
    keeper: Keeper,
    ctrl_c: Interrupt,
    progress: bool,
    began: float,
    quick: bool = False,
) -> "list[Member]":
    """The members of a population once they are trained, those that diverged included.

    Ctrl-C ends them all; early stopping, a callback or divergence ends one. Where it may be `quick`, short work is
    compiled fast, to other bits.
    """
    members, epochs, ended = list[Member](), plans[0].epochs, 0
    with ctrl_c, keeper:
        visited = _feeds(plans)
        numbers = _numbers(plans[0])
        for group in _groups(plans, numbers):
            some = [Member(plan, callbacks, began, len(members) + place) for place, plan in enumerate(group)]
            members += some
            rows, reached = group[0].rows * len(group), partial(_keep, keeper, members, ended)
            with Progress(progress, group[0].epochs, group[0].steps, rows, lambda: ctrl_c.came) as shown:
                _together(some, visited, shown, ctrl_c, reached, quick and _is_short(group, numbers))
            ended += epochs
        ctrl_c.noticed = True  # what was trained is not lost any more
        if not ctrl_c.came:
            keeper.reached(_checkpoints(members), ended + 1, 0)
        keeper.finish(ctrl_c.came)
    for member in members:
        member.records.history.seconds = member.records.seconds
    return members


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
        self.plan, self.state = plan, plan.begun
        self.stopped = not plan.left
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

    @property
    def ended(self) -> float:
        """The last epoch that it took part in; infinity while it trains."""
        history = self.records.history
        return len(history) + (history.stopped == "diverged") if self.stopped else math.inf

    def end(self, last: State, reason: Stopped = "epochs") -> None:
        """Nothing changes it any more."""
        self.state, self.records.last, self.stopped = _own(self.state), _own(last), True
        self.records.history.stopped = reason


def _together(
    members: Sequence[Member],
    visited: Mapping[int, Feed],
    shown: Progress,
    ctrl_c: Interrupt,
    reached: Callable[["Population", int, int], None],
    quick: bool,
) -> None:
    """Train members until each has stopped, or all epochs are over."""
    live = [member for member in members if not member.stopped]
    if not live:
        return
    standing = _standing(members, live[0].plan.left.start - 1)
    population = Population(standing, visited, _records(standing), quick)

    def on_chunk(epoch: int, step: int) -> None:
        shown.step(epoch, step)
        reached(population, epoch, step)
        ctrl_c.check()

    try:
        ctrl_c.check()
        for number in live[0].plan.left:
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
                population = Population(live, visited, quick=quick)
            elif plateaus(population.problem.optimizer):
                population.follow()
        for member in population.members:
            if not member.stopped:
                member.end(member.records.last)
    except KeyboardInterrupt:
        for member, state in zip(population.members, population.states(), strict=True):
            if not member.stopped:
                member.end(member.plan.published(state), "interrupted")


def _shown(number: int, told: Sequence[Member], live: int) -> Row:
    """What is shown of an epoch: how many networks go on, and the figures of the best."""
    best = min(
        (member.records.history for member in told if not member.error),
        key=lambda history: history.watched[-1],
        default=History(),
    )
    return {"epoch": number, "networks": live, **{name: best[name][-1] for name in best.columns[1:] if best.rows}}


def _standing(members: Sequence[Member], epochs: int) -> Sequence[Member]:
    """Who are computed together after so many epochs: those who have stopped too, until half are left."""
    together = members
    for epoch in range(1, epochs + 1):
        live = [member for member in together if member.ended > epoch]
        if 2 * len(live) <= len(together):
            together = live
    return together


def _records(members: Sequence[Member]) -> np.ndarray | None:
    """What the epoch under way recorded where members go on, (steps, members, figures); 0 of those who stopped."""
    found = {member: member.plan.start.records for member in members if member.plan.start and not member.stopped}
    blank = np.zeros_like(next(iter(found.values()), NONE))
    return np.stack([found.get(member, blank) for member in members], axis=1) if blank.size else None


def _keep(
    keeper: Keeper, members: Sequence[Member], ended: int, population: "Population", epoch: int, step: int
) -> None:
    """Tell who keeps the training that so many steps of an epoch are done, behind the epochs of other groups."""
    if keeper.checkpoints:
        keeper.reached(_checkpoints(members, population), ended + epoch, step)


def _checkpoints(members: Sequence[Member], population: "Population | None" = None) -> Callable[[], list[Checkpoint]]:
    """Called, now or later, it gives the checkpoints of now: of members who have stopped, and of a population."""
    ends = [member.records.place(member.state, (), member.records.history.stopped) for member in members]
    if population is None:
        return lambda: [end() for end in ends]
    places = {member: place for place, member in enumerate(population.members) if not member.stopped}
    live = {index: places[member] for index, member in enumerate(members) if member in places}
    placed, recorded, count = population.placed, population.recorded, len(population.members)
    lasts = {index: members[index].records.last for index in live}

    def checkpoints() -> list[Checkpoint]:
        found, states = [end() for end in ends], _apart(placed, count)
        records = np.concatenate(recorded) if recorded else None
        for index, place in live.items():
            own = NONE if records is None else records[:, place].copy()
            found[index] = found[index]._replace(state=_own(states[place]), records=own, last=lasts[index])
        return found

    return checkpoints


class Population(Loop):
    """The loop of several networks at once: states, records and orders have an axis that counts them."""

    def __init__(
        self,
        members: Sequence[Member],
        visited: Mapping[int, Any],
        records: np.ndarray | None = None,
        quick: bool = False,
    ):
        self.members, self.quick, plans = members, quick, [member.plan for member in members]
        self.follow()
        seeds, one = [plan.seed for plan in plans], visited[plans[0].seed]
        together = one if len({*seeds}) == 1 else Shared([visited[seed] for seed in seeds])
        examples = getattr(one, "examples", None)
        self.held_out = None if plans[0].held_out is None else HeldOut(plans, examples)
        states: Any = jax.tree.map(lambda *arrays: np.stack(arrays), *(member.state for member in members))
        super().__init__(plans[0].problem, together, states, records)

    def follow(self) -> None:
        """Take for each what its history says of its rate."""
        problems = [member.plan.problem_after(member.records.history) for member in self.members]
        self.problems = Problems(problems, self.quick)

    def ends(self, number: int, on_chunk: Callable[[int], Any]) -> Iterator[tuple[Member, Epoch]]:
        """Each member with the end of an epoch."""
        for done in self.chunks(number):
            on_chunk(done)
        recorded = self._recorded()
        measured = [{}] * len(self.members)
        if self.held_out:
            state = published(self.problem, self.state, self.feed.shape)
            measured = map(named, self.held_out.figures(self.problems, state))
        for member, sums, found, state in zip(self.members, recorded, measured, self.states(), strict=True):
            yield member, Epoch(row(number, self.problem, sums) | found, state)

    def states(self) -> list[State]:
        """That of each member, in views of the arrays of all."""
        return _apart(self.state, len(self.members))

    def _run(self, block: Block, records: Any, done: int, until: int) -> tuple[State, Any]:
        steps = self.placed, block.examples, block.order, records, done, until
        return self.problems.run(*steps, self.feed.batch_size)


def _apart(state: Any, count: int) -> list[State]:
    """The states that are one, in views of its arrays."""
    arrays, structure = jax.tree.flatten(jax.tree.map(np.asarray, state))
    return [structure.unflatten([array[place] for array in arrays]) for place in range(count)]


def _own(state: State) -> State:
    """A copy, since a view would keep the arrays of all."""
    return jax.tree.map(np.copy, state)


def _feeds(plans: Sequence[Plan]) -> Mapping[int, Feed]:
    """What each seed visits, of examples that are on the device once."""
    one, chosen = plans[0], {plan.seed: plan.examples for plan in plans if isinstance(plan.examples, Whole)}
    if len(chosen) > 1:
        return feeds(chosen, one.batch_size)
    return {one.seed: feed(one.examples, one.shape, one.batch_size, one.seed)}


def _groups(plans: Sequence[Plan], numbers: int) -> Iterator[Sequence[Plan]]:
    """The plans in as few groups, of nearly one size, as memory allows: each network has its state and a batch."""
    one = plans[0]
    outputs = sum(math.prod(layer.output_shape(shape)) for layer, shape in one.network.walk(one.shape))
    batch = one.rows if one.batch_size == "all" else one.batch_size
    each = FLOAT * (3 * numbers + 2 * batch * outputs)  # old, new and the gradient; forwards and backwards
    count = math.ceil(len(plans) / max(most() // each, 1))
    bounds = np.linspace(0, len(plans), count + 1).astype(int)
    return (plans[start:end] for start, end in pairwise(bounds))


def _numbers(plan: Plan) -> int:
    """How many numbers the state of a training has."""
    return sum(array.size for array in jax.tree.leaves(plan.begun))


def _is_short(plans: Sequence[Plan], numbers: int) -> bool:
    """Whether the training of some takes a second or two, by the numbers and examples of their steps."""
    return len(plans) * plans[0].epochs * plans[0].rows * numbers <= SHORT


def _tell(members: Sequence[Member]) -> None:
    """Warn of members that diverged; where all have, that is the error of all."""
    diverged = [number for number, member in enumerate(members) if member.records.history.stopped == "diverged"]
    if not diverged:
        return
    first_one = members[diverged[0]]
    error = first_one.error or DivergedError("It did so before this training was resumed.", first_one.records.model())
    if len(diverged) == len(members):
        raise error
    one, named = len(diverged) == 1, ", ".join(map(str, diverged))
    warn(
        f"Of {len(members)} networks, counted from 0, number{'s' * (not one)} {named} diverged and keep{'s' * one} the "
        f"last good parameters. Number {diverged[0]}: {error}"
    )
