"""What the trials of a comparison show: who is best, what chance can't explain, and how many seeds would tell more."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from chainrule.errors import ChainruleError, counted
from chainrule.metrics import Metric
from chainrule.runs.comparison import chance
from chainrule.runs.comparison.standing import Pair, Standing, pairs, standings
from chainrule.runs.comparison.trial import Trial


class Effect(NamedTuple):
    """What the choice of one axis does, the others taken together.

    Attributes:
        axis: its name.
        standings: its choices, the best first, each by the mean over the choices of the other axes, seed by seed.
        over: over how many choices of the other axes that is.
        left_out: with how many others some training diverged, so that they would compare unlike things.
    """

    axis: str
    standings: list[Standing]
    over: int
    left_out: int


@dataclass(frozen=True, repr=False)
class Results:
    """What the trials of a comparison show.

    Every candidate has the same seeds, and a seed the same rows, shuffles and noise for all: differences are taken
    seed by seed. Which of them are beyond chance Nadeau and Bengio's corrected t-test tells, with Holm's correction for
    all pairs (`chainrule.runs.comparison.chance`).

    Attributes:
        trials: one for each candidate and seed.
        axes: what was varied, and its choices, in notation.
        metric: what decides, of the test part; None for the cost.
        redrawn: whether each seed drew its own test rows. Where all have the same, the ordinary t-test of pairs serves,
            and what it tells is of those rows.
        data: what the data are called.

    Raises:
        ChainruleError: where a candidate lacks a seed that others have.

    >>> def trial(activation, seed, cost):
    ...     rows = {"train": 80, "test": 20}
    ...     return Trial({"activation": activation}, seed, {}, {"cost": cost}, {}, {}, rows, 30, 0.5, 0.1)
    >>> costs = {"ReLU()": [0.41, 0.39, 0.46, 0.44], "ELU()": [0.31, 0.29, 0.33, 0.32]}
    >>> trials = (trial(name, seed, cost) for name in costs for seed, cost in enumerate(costs[name]))
    >>> results = Results(tuple(trials), {"activation": ["ReLU()", "ELU()"]})
    >>> results.best.choices, round(results.best.mean, 4)
    ({'activation': 'ELU()'}, 0.3125)
    >>> [(pair.worse, round(pair.p, 3)) for pair in results.pairs]
    [({'activation': 'ReLU()'}, 0.002)]
    """

    trials: tuple[Trial, ...]
    axes: dict[str, list[str]]
    metric: Metric | None = None
    redrawn: bool = True
    data: str = ""

    def __post_init__(self) -> None:
        if not self.trials:
            raise ChainruleError("A comparison needs trials, got none. Train some: chainrule compare digits.")
        for choices, trials in self._of.items():
            if [trial.seed for trial in trials] != self.seeds:
                said = ", ".join(choices)
                raise ChainruleError(
                    f"{said}: expected a trial of each seed, {_listed(self.seeds)}, "
                    f"got {_listed(trial.seed for trial in trials)}. Train those that lack."
                )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.title}>"

    @property
    def title(self) -> str:
        """What is compared on which data, in a line."""
        candidates = counted(len(self._of), "candidate", "candidates")
        return f"{self.data or 'data'}: {candidates} × {counted(len(self.seeds), 'seed', 'seeds')}"

    @cached_property
    def _of(self) -> dict[tuple[str, ...], list[Trial]]:
        """The trials of each candidate, in the order of their seeds."""
        found: dict[tuple[str, ...], list[Trial]] = {}
        for trial in self.trials:
            found.setdefault(tuple(trial.choices[axis] for axis in self.axes), []).append(trial)
        return {choices: sorted(trials, key=lambda trial: trial.seed) for choices, trials in found.items()}

    @cached_property
    def seeds(self) -> list[int]:
        """The seeds, which all candidates have."""
        return sorted({trial.seed for trial in self.trials})

    @property
    def measure(self) -> str:
        """What decides, as measures are called: "accuracy", "cost", …"""
        return "cost" if self.metric is None else self.metric.label()

    @property
    def rises(self) -> bool:
        """Whether more of it is better."""
        return self.metric is not None and self.metric.higher_is_better

    @property
    def ratio(self) -> float:
        """Of test rows to all others, which the learning sees, to validate too; 0 where no seed draws its own."""
        if not self.redrawn:
            return 0.0
        parts = [trial.rows for trial in self.trials]
        return float(np.mean([rows["test"] / (sum(rows.values()) - rows["test"]) for rows in parts]))

    def of(self, choices: dict[str, str]) -> list[Trial]:
        """The trials of a candidate, a seed each."""
        return self._of[tuple(choices[axis] for axis in self.axes)]

    @cached_property
    def standings(self) -> list[Standing]:
        """The candidates, the best first; those with seeds that diverged stand behind all others."""
        measured = [(trials[0].choices, [self._value(trial) for trial in trials]) for trials in self._of.values()]
        return standings(measured, *self._way)

    @property
    def best(self) -> Standing:
        """The best candidate."""
        return self.standings[0]

    @property
    def equals(self) -> list[Standing]:
        """The candidates that can't be told from the best by these seeds, in their order."""
        return [each for each in self.standings[1:] if each.p > chance.LEVEL]

    @cached_property
    def pairs(self) -> list[Pair]:
        """All pairs of candidates that never diverged, the better one first, with what chance says to each."""
        return pairs(self.standings, self.ratio)

    @cached_property
    def effects(self) -> list[Effect]:
        """What the choice of each axis does, over those of the others; none where only one is varied."""
        varied = [axis for axis, choices in self.axes.items() if len(choices) > 1]
        return [self._effect(axis) for axis in varied] if len(varied) > 1 else []

    def _effect(self, axis: str) -> Effect:
        place = list(self.axes).index(axis)
        cells = {(names[place], names[:place] + names[place + 1 :]): names for names in self._of}
        choices, others = (list(dict.fromkeys(side)) for side in zip(*cells, strict=True))
        values = np.full((len(choices), len(others), len(self.seeds)), np.nan)
        for (choice, other), names in cells.items():
            trials = self._of[names]
            values[choices.index(choice), others.index(other)] = [self._value(trial) for trial in trials]
        whole = np.all(np.isfinite(values), axis=-1)
        compared = np.any(whole, axis=-1)  # what diverged with all others is compared with nothing
        over = np.all(whole[compared], axis=0)
        if not over.any():
            over[:] = True
        means = np.where(compared[:, None], values[:, over].mean(axis=1), values.mean(axis=1))
        found = standings([({axis: choice}, row) for choice, row in zip(choices, means, strict=True)], *self._way)
        return Effect(axis, found, int(over.sum()), int((~over).sum()))

    @property
    def spread(self) -> float:
        """The standard deviation over seeds of a difference from the best; NaN where there is none.

        Of the candidates that can't be told from it, to which the question goes; where all can, of all.
        """
        from_best = [pair for pair in self.pairs if pair.better == self.best.choices]
        asked = [pair for pair in from_best if not pair.beyond_chance] or from_best
        return float(np.sqrt(np.mean([pair.deviation**2 for pair in asked]))) if asked else math.nan

    def detectable(self, seeds: float | None = None, power: float = chance.POWER) -> float:
        """The smallest difference from the best that so many seeds show.

        Args:
            seeds: how many, `math.inf` too; by default as many as here.
            power: in which share of comparisons like this one.

        Raises:
            ChainruleError: where there is no spread to tell it from.
        """
        return chance.detectable(self._spread(), seeds or len(self.seeds), self.ratio, len(self.pairs), power)

    def seeds_for(self, difference: float, power: float = chance.POWER) -> int | None:
        """How many seeds it takes to show a difference from the best; None where no number does, but more rows would.

        Args:
            difference: of means, such as 0.005 of an accuracy.
            power: in which share of comparisons like this one.

        Raises:
            ChainruleError: where there is no spread to tell it from.
        """
        return chance.draws_for(difference, self._spread(), self.ratio, len(self.pairs), power)

    def _spread(self) -> float:
        if math.isnan(spread := self.spread):
            raise ChainruleError(
                "How many seeds it takes is told by the spread of several: of 2 or more, and of 2 or more candidates, "
                "with none of which a training diverged. Compare with more seeds."
            )
        return spread

    @property
    def _way(self) -> tuple[float, bool]:
        return self.ratio, self.rises

    def _value(self, trial: Trial) -> float:
        """What a trial measured of what decides; NaN where it diverged."""
        value = trial.measures.get(self.measure, math.nan)
        return value if math.isfinite(value) else math.nan


def _listed(seeds: Iterable[Any]) -> str:
    return " ".join(map(str, seeds))
