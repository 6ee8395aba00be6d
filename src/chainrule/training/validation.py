"""The examples that are held out of trainings, measured after each epoch; on the device once, if in memory."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np

from chainrule.model import Model
from chainrule.model.evaluation import Figures, Part, figured, figures, in_own_units, measurable, tallies
from chainrule.model.examples import take
from chainrule.model.history import History, Row
from chainrule.model.prediction import joined, most_rows, whole
from chainrule.training.batches import Examples
from chainrule.training.loop import Epoch
from chainrule.training.plan import Plan
from chainrule.training.problems import Problems
from chainrule.training.step import State


def validated(plan: Plan, epochs: Iterable[Epoch]) -> Iterator[Epoch]:
    """The epochs with what `Model.evaluate` finds on the held-out examples in their rows, if there are any."""
    if plan.held_out is None:
        yield from epochs
        return
    kept: list[Part] = []
    for epoch in epochs:
        model = plan.model(plan.published(epoch.state), History())
        parts: Iterable[Part] = kept or _placed(plan, model)
        if len(plan.held_out.rows) == 1:
            parts = kept = [*parts]
        yield epoch._replace(row=epoch.row | named(figures(model, parts, plan.metrics)))


def named(found: Figures) -> Row:
    """Figures as they stand in a history."""
    return {f"validation_{name}": value for name, value in found.items()}


def _placed(plan: Plan, model: Model) -> Iterator[Part]:
    """The held-out examples as a model is measured on them, on the device."""
    assert plan.held_out is not None
    for index in range(len(plan.held_out.rows)):
        for part in measurable(model, *plan.held_out.part(index), cut=whole):
            yield part._replace(batches=jax.device_put([*part.batches]))


class HeldOut:
    """What is held out of several networks: the same examples for all, or of each its own rows of some.

    Args:
        plans: of one structure.
        examples: those on the device whose rows they are.
    """

    def __init__(self, plans: Sequence[Plan], examples: Examples | None):
        self.plans, self.examples, one = plans, examples, plans[0]
        self.most = most_rows(one.network, one.shape, len(plans))
        self.kept: list[Any] = []

    def figures(self, problems: Problems, state: State) -> list[Figures]:
        """What is found on them, for each network, of what its state published."""
        parts: Iterable[Any] = self.kept or self._parts()
        if len(self.plans[0].held_out.rows) == 1:  # type: ignore[union-attr]
            parts = self.kept = [*parts]
        known: list[list[Any]] = [[] for _ in self.plans]
        for x, E, rows, of_each in parts:
            through = partial(problems.assess, state, x, E)
            found = joined(through, whole(self.most, rows), len(rows))
            for place, (plan, part) in enumerate(zip(self.plans, of_each, strict=True)):
                known[place].append(tallies(plan, part, [array[:, place] for array in found], plan.metrics))
        each = zip(self.plans, known, problems.penalties(state, self.plans[0].shape), strict=True)
        return [figured(of, float(penalty), plan.metrics) for plan, of, penalty in each]

    def _parts(self) -> Iterator[tuple[Any, Any, np.ndarray, Sequence[Part]]]:
        """Inputs and targets on the device, the rows of them that are held out, and what each network is to give."""
        each: list[Any] = [plan.held_out for plan in self.plans]
        if len({*map(id, each)}) > 1 and self.examples is not None:
            rows = np.stack([whole.chosen for whole in each], axis=1).astype(np.int32)
            own = (take(whole.examples[1:], whole.chosen) for whole in each)
            yield self.examples.x, self.examples.E, rows, [self._part(*part) for part in own]
            return
        for index in range(len(each[0].rows)):
            x, E, weights = each[0].part(index)
            if weights is None or weights.any():
                of_all = [self._part(E, weights)] * len(each)
                yield *jax.device_put((x, E)), np.arange(len(E), dtype=np.int32), of_all

    def _part(self, E: np.ndarray, weights: np.ndarray | None) -> Part:
        return Part((), in_own_units(self.plans[0], E), weights)
