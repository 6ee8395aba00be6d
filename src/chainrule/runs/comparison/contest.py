"""A contest: what is compared on which data, and how some of its trainings are carried out together."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, NamedTuple

import jax

from chainrule.data.table import Table
from chainrule.errors import ArgumentError, ChainruleError
from chainrule.notation.fields import below
from chainrule.runs.choosing import Choices
from chainrule.runs.comparison.axes import Axes, Candidate, at, changed, chosen, of, path_of
from chainrule.runs.comparison.compilations import Compilations
from chainrule.runs.comparison.trial import Trial
from chainrule.runs.material import Material, material
from chainrule.runs.planning import Plan, planned
from chainrule.training import plan as trainings
from chainrule.training.members import FORMULAS
from chainrule.training.observers import Callback
from chainrule.training.populations import Member
from chainrule.training.together import together


class Entry(NamedTuple):
    """A candidate, and the seed that it is trained from."""

    candidate: Candidate
    seed: int


class Variant(NamedTuple):
    """A training: that of an entry, with one of the values that are tuned."""

    entry: int
    tuned: dict[str, float]
    plan: Plan


@dataclass(frozen=True)
class Contest:
    """What is compared, on which data.

    Each seed divides the data anew, as `train` does with it, and prepares them by its own training rows: so the spread
    over the seeds has that of the split in it, and every candidate has the same rows, first values' key, shuffles and
    noise of each seed.

    Attributes:
        table: all rows.
        said: what is said of them, by argument of `material`.
        asked: what is said of every training, by argument of `plan`.
        axes: what varies.
        tune: fields that each training finds its own value of, on its validation part.
        budget: how many values of each it tries.
    """

    table: Table
    said: Mapping[str, Any]
    asked: Mapping[str, Any]
    axes: Axes
    tune: Sequence[str] = ()
    budget: int = 7
    known: dict[Any, Material] = field(default_factory=dict, compare=False, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """Without what each process makes of the table by itself."""
        return vars(self) | {"known": {}}

    def plan(self, entry: Entry) -> Plan:
        """That of a training: of the default of what is tuned."""
        said = {"optimizer": "Adam()", **self.asked, **chosen(self.axes, entry.candidate), "seed": entry.seed}
        try:
            choices = Choices.of(**said)
            plan = planned(self._material(choices), choices)
        except ChainruleError as error:
            raise of(_named(entry.candidate), error) from None
        return changed(plan, self.axes, entry.candidate)

    def grids(self, plan: Plan) -> dict[str, list[float]]:
        """The values that a training tries of each field that is tuned.

        Raises:
            ChainruleError: where a field is none that can be tuned.
        """
        return {name: _grid(plan, name, self.budget) for name in self.tune}

    def variants(self, number: int, plan: Plan) -> list[Variant]:
        """The trainings of an entry, of this number: one, or one for each combination of what is tuned."""
        grids = self.grids(plan)
        found = []
        for values in product(*grids.values()):
            tuned, own = dict(zip(self.tune, values, strict=True)), plan
            for name, value in tuned.items():
                own = at(own, name, value)
            found.append(Variant(number, tuned, own))
        return found

    def trials(self, entries: Sequence[Entry], callbacks: Sequence[Callback] = ()) -> list[Trial]:
        """What the training of some entries leaves, all that are of one structure trained together.

        Raises:
            KeyboardInterrupt: where Ctrl-C ended them.
            ChainruleError: for what does not fit.
        """
        groups = defaultdict(list)
        for number, entry in enumerate(entries):
            for variant in self.variants(number, self.plan(entry)):
                groups[structure(variant.plan)].append(variant)
        found: dict[int, Trial] = {}
        for variants in groups.values():
            found |= self._trained(entries, variants, callbacks)
        return [found[number] for number in range(len(entries))]

    def _trained(
        self, entries: Sequence[Entry], variants: Sequence[Variant], callbacks: Sequence[Callback]
    ) -> dict[int, Trial]:
        """The trials of a population, by the numbers of their entries."""
        began = time.perf_counter()
        with Compilations() as compilations:
            members = together(_plans([variant.plan for variant in variants]), callbacks)
            if any(member.records.history.stopped == "interrupted" for member in members):
                raise KeyboardInterrupt
            kept = defaultdict(list)
            for variant, member in zip(variants, members, strict=True):
                kept[variant.entry].append((variant, member))
            best = {number: min(each, key=lambda pair: _watched(pair[1])) for number, each in kept.items()}
            measured = {number: _measured(*pair) for number, pair in best.items()}
        seconds = (time.perf_counter() - began) / sum(map(_epochs, members))
        return {
            number: Trial(
                dict(entries[number].candidate),
                entries[number].seed,
                variant.tuned if member.error is None else {},
                measured[number],
                _validation(member),
                {name: member.records.history[name] for name in member.records.history.columns if name != "epoch"},
                variant.plan.rows,
                len(member.records.history),
                seconds * sum(_epochs(each) for _, each in kept[number]),
                compilations.count / len(best),
                member.error and str(member.error),
            )
            for number, (variant, member) in best.items()
        }

    def _material(self, choices: Choices) -> Material:
        """The data as a seed divides them, prepared for the cost that is said."""
        bounds = choices.cost and (choices.cost.targets.have_classes, choices.cost.targets.bounded and choices.cost)
        key = choices.seed, bounds
        if key not in self.known:
            self.known[key] = material(self.table, **self.said, seed=choices.seed, cost=choices.cost)
        return self.known[key]


def structure(plan: Plan) -> Any:
    """What two trainings have alike that can be carried out together: all but numbers, and what the rows hold."""
    formulas = jax.tree.structure([getattr(plan, name) for name in FORMULAS])
    names = plan.preprocessor.classes, plan.preprocessor.input_shape
    return formulas, names, plan.measured, plan.epochs, plan.batch_size, plan.balanced, tuple(plan.rows.items())


def _plans(plans: Sequence[Plan]) -> list[trainings.Plan]:
    """The trainings of a population; those of one seed share their examples."""
    of_seed: dict[int, trainings.Plan] = {}
    for plan in plans:
        if plan.seed not in of_seed:
            of_seed[plan.seed] = trainings.plan(**plan.asked, after=None)
    return [replace(of_seed[plan.seed], **{name: getattr(plan, name) for name in FORMULAS}) for plan in plans]


def _grid(plan: Plan, name: str, budget: int) -> list[float]:
    """The values of a field that are tried: half a decade apart, in the middle of them the one that it has.

    >>> from chainrule.runs import plan
    >>> _grid(plan("iris", optimizer="Adam()"), "learning_rate", 5)
    [0.0001, 0.00032, 0.001, 0.0032, 0.01]
    """
    formula, *path = path_of(name)
    if formula in ("cost", "regularizer"):
        raise ArgumentError(
            "{} can't be tuned by the validation cost, which means something else with each of its values. "
            "Compare some of them: {vary} it.",
            name,
        )
    held = _held(getattr(plan, formula), path)
    if not isinstance(held, float) or not held > 0:
        what = "has no such field" if held is None else f"holds {held!r} there, not a number above 0"
        raise ChainruleError(f"{name} can't be tuned: {getattr(plan, formula)!r} {what}. Name another field.")
    return [float(f"{held * 10 ** (step / 2):.2g}") for step in range(-(budget // 2), budget - budget // 2)]


def _held(formula: Any, path: Sequence[str]) -> Any:
    """The value at the end of a path; None where there is none."""
    name, *rest = path
    if name == "*":
        having = (each for each in below(formula) if hasattr(each, rest[0]))
        return next((_held(each, rest) for each in having), None)
    inner = formula[int(name)] if isinstance(formula, tuple) and name.isdecimal() else getattr(formula, name, None)
    return _held(inner, rest) if rest else inner


def _watched(member: Member) -> float:
    """The validation cost at the epoch that is kept; infinite where training diverged."""
    return float("inf") if member.error else _validation(member).get("cost", 0.0)


def _validation(member: Member) -> dict[str, float]:
    """The figures of the validation part at the epoch that is kept."""
    history = member.records.history
    row = history.rows[(history.best_epoch or len(history)) - 1] if len(history) else {}
    begin = "validation_"
    return {name.removeprefix(begin): figure for name, figure in row.items() if name.startswith(begin)}


def _measured(variant: Variant, member: Member) -> dict[str, float]:
    """The figures of the test part, at which nothing has looked before; none where training diverged."""
    if member.error:
        return {}
    model, plan = member.records.model(), variant.plan
    metrics = dict.fromkeys([*plan.measured, *model.metrics, *plan.shown])
    return model.evaluate(plan.prepared["test"], metrics=[*metrics])


def _epochs(member: Member) -> int:
    """How many it was trained for, also the one in which it diverged."""
    return len(member.records.history) + (member.error is not None)


def _named(candidate: Candidate) -> str:
    return ", ".join(f"{axis}={value}" for axis, value in candidate.items())
