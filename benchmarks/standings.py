"""What came of untuned trainings: kept as it comes, compared, counted against the goals, shown as a page."""

import json
import statistics
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

OURS = "Chainrule"


@dataclass(frozen=True)
class Outcome:
    """What came of a training.

    Attributes:
        set, entrant, seed: which it was.
        score: accuracy or R² on the rows to test on; none where it failed.
        seconds: from raw rows to a trained model.
        of: what was measured: a version, or a commit.
        error: why it failed.
    """

    set: str
    entrant: str
    seed: int
    score: float | None
    seconds: float
    of: str
    error: str = ""


class Standings:
    """The outcomes that are kept in a file, which is whole at any time."""

    def __init__(self, file: Path) -> None:
        self.file = file
        found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"machine": {}, "outcomes": []}
        self.machine: dict[str, str] = found["machine"]
        self.outcomes = {(each["set"], each["entrant"], each["seed"]): Outcome(**each) for each in found["outcomes"]}

    def add(self, outcome: Outcome, machine: dict[str, str]) -> None:
        """Keep an outcome, and where it was measured."""
        self.machine = machine
        self.outcomes[outcome.set, outcome.entrant, outcome.seed] = outcome
        lines = [json.dumps(asdict(self.outcomes[key]), ensure_ascii=False) for key in sorted(self.outcomes)]
        text = f'{{"machine": {json.dumps(machine)},\n"outcomes": [\n' + ",\n".join(lines) + "\n]}\n"
        self.file.parent.mkdir(parents=True, exist_ok=True)
        partial = self.file.with_suffix(".partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(self.file)

    def of(self, name: str, entrant: str) -> list[Outcome]:
        """What an entrant came to on a set, seed after seed."""
        return [each for (of, who, _), each in sorted(self.outcomes.items()) if (of, who) == (name, entrant)]

    def shared(self, name: str) -> dict[str, list[Outcome]]:
        """What each entrant came to on a set, by the seeds that all of them have."""
        found = {who: self.of(name, who) for of, who, _ in sorted(self.outcomes) if of == name}
        seeds = set.intersection(*({each.seed for each in of} for of in found.values())) if found else set()
        return {who: [each for each in of if each.seed in seeds] for who, of in found.items()}

    def scores(self, name: str) -> dict[str, float]:
        """The mean score of each entrant on a set, by the seeds that all of them have, what failed as 0."""
        found = self.shared(name).items()
        return {who: statistics.fmean(each.score or 0.0 for each in of) for who, of in found if of}

    def compared(self, name: str, peer: str) -> "Compared | None":
        """Ours beside a peer's on a set, by the seeds that both have; none where there are none."""
        ours, theirs = ({each.seed: each for each in self.of(name, who)} for who in (OURS, peer))
        seeds = sorted(ours.keys() & theirs.keys())
        if not seeds:
            return None
        return Compared(name, [ours[seed] for seed in seeds], [theirs[seed] for seed in seeds])


@dataclass(frozen=True)
class Compared:
    """Ours and a peer's outcomes on a set, on the same divisions of its rows."""

    set: str
    ours: list[Outcome]
    theirs: list[Outcome]

    @property
    def differences(self) -> list[float]:
        """How far ours are above the peer's; what failed counts as 0."""
        return [(a.score or 0.0) - (b.score or 0.0) for a, b in zip(self.ours, self.theirs, strict=True)]

    @property
    def lead(self) -> float:
        """The mean of the differences."""
        return statistics.fmean(self.differences)

    @property
    def is_as_good(self) -> bool:
        """Whether ours is at least as good in the mean."""
        return self.lead >= 0

    @property
    def is_beyond_spread(self) -> bool:
        """Whether ours is worse by more than the standard deviation of the differences."""
        return self.lead < 0 and (len(self.ours) < 2 or -self.lead > statistics.stdev(self.differences))

    @property
    def time(self) -> float:
        """Our time in the peer's."""
        return statistics.fmean(each.seconds for each in self.ours) / statistics.fmean(e.seconds for e in self.theirs)


class Goal(NamedTuple):
    """Something that ours shall reach on each of some sets."""

    words: str
    kinds: tuple[str, ...]
    peer: str
    is_reached: Callable[[Compared], bool]
    least: float = 1.0
    """On which share of them."""

    timed: bool = False
    """Whether it is of seconds, not of scores."""


GOALS = (
    Goal("at least as good as the MLP", ("table",), "MLP", lambda each: each.is_as_good),
    Goal("not worse than the MLP beyond the spread", ("table",), "MLP", lambda each: not each.is_beyond_spread),
    Goal("in at most twice the MLP's time", ("table",), "MLP", lambda each: each.time <= 2, timed=True),
    Goal("at least as good as boosted trees", ("table",), "HistGradientBoosting", lambda each: each.is_as_good, 0.5),
    Goal("at least as good as TF-IDF", ("text",), "TF-IDF", lambda each: each.is_as_good),
    Goal("in at most twice TF-IDF's time", ("text",), "TF-IDF", lambda each: each.time <= 2, timed=True),
    Goal("at least as good as Keras's network", ("series", "images"), "Keras", lambda each: each.is_as_good),
)


class Count(NamedTuple):
    """A goal, and on which sets it was reached."""

    goal: Goal
    reached: tuple[str, ...]
    missed: tuple[str, ...]

    @property
    def is_met(self) -> bool:
        """Whether it was reached on as many of them as it says."""
        return len(self.reached) >= self.goal.least * (len(self.reached) + len(self.missed))


def counted(scores: Standings, times: Standings, kinds: dict[str, str]) -> list[Count]:
    """The goals, counted on the sets that ours and the peer were measured on; `kinds` has the kind of each set.

    Seconds are those of `times`, which may be of another machine, and of fewer divisions.
    """
    counts = []
    for goal in GOALS:
        names = [name for name, kind in kinds.items() if kind in goal.kinds]
        of = times if goal.timed else scores
        both = [found for name in names if (found := of.compared(name, goal.peer))]
        reached = tuple(each.set for each in both if goal.is_reached(each))
        counts.append(Count(goal, reached, tuple(each.set for each in both if each.set not in reached)))
    return counts


def mean_ranks(scores: Iterable[dict[str, float]]) -> dict[str, float]:
    """Each entrant's mean rank, of its scores set by set: 1 is best, and equal ones share their ranks.

    >>> mean_ranks([{"a": 0.9, "b": 0.8}, {"a": 0.7, "b": 0.7}])
    {'a': 1.25, 'b': 1.75}
    """
    ranks: dict[str, list[float]] = {}
    for each in scores:
        for who, score in each.items():
            above, equal = (sum(test(other) for other in each.values()) for test in (score.__lt__, score.__eq__))
            ranks.setdefault(who, []).append(above + (equal + 1) / 2)
    return {who: statistics.fmean(each) for who, each in ranks.items()}
