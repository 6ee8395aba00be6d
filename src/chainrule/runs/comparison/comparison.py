"""A comparison as people hold it: printed, as columns or a data frame, drawn, and kept in a folder."""

import json
import os
from html import escape
from pathlib import Path
from typing import Any, Self

from chainrule.data.files import known_path, reason, write_whole
from chainrule.data.writing import writer
from chainrule.errors import ChainruleError
from chainrule.metrics import Metric
from chainrule.notation import as_formula
from chainrule.pictures import trials as pictures
from chainrule.runs.comparison import told
from chainrule.runs.comparison.journal import TRIALS, read_trials
from chainrule.runs.comparison.results import Results
from chainrule.runs.comparison.standing import Standing

ENDS = ("epochs", "seconds", "compilations", "error")
FILE, TABLE = "comparison.json", "results.csv"
DRAWN = 60  # letters of a choice that a picture has room for
CURVES, RUNS = "curves.png", "runs.png"


class Comparison(Results):
    """What came of several formulas on the same data, each trained from several seeds; printed it is the answer.

    What all seeds share, a row for each candidate, what each axis does over the others, how chance was told apart,
    and how many seeds would tell more.

    >>> from tempfile import TemporaryDirectory
    >>> from chainrule.runs.comparison import Trial
    >>> def trial(activation, seed, cost):
    ...     rows = {"train": 80, "test": 20}
    ...     return Trial({"activation": activation}, seed, {}, {"cost": cost}, {}, {}, rows, 30, 0.5, 0.25)
    >>> costs = {"ReLU()": [0.41, 0.39, 0.46, 0.44], "ELU()": [0.31, 0.29, 0.33, 0.32]}
    >>> trials = (trial(name, seed, cost) for name in costs for seed, cost in enumerate(costs[name]))
    >>> comparison = Comparison(tuple(trials), {"activation": ["ReLU()", "ELU()"]}, data="patients")
    >>> comparison
    <Comparison patients: 2 candidates × 4 seeds>
    >>> comparison.answer
    'ELU() is best, cost 0.312 ± 0.012: 1 is worse beyond chance.'
    >>> comparison.columns()["test_cost"][:4]
    [0.41, 0.39, 0.46, 0.44]
    >>> with TemporaryDirectory() as place:
    ...     Comparison.load(comparison.save(place)) == comparison
    True
    """

    def __str__(self) -> str:
        return told.text(self)

    def _repr_html_(self) -> str:
        """The same, for a notebook."""
        return f"<pre>{escape(str(self))}</pre>"

    @property
    def answer(self) -> str:
        """What it answers, in one or two sentences, and how many seeds would tell more."""
        return told.answer(self)

    def columns(self) -> dict[str, list[Any]]:
        """All trials as columns, an entry each; None where a trial has none, as one that diverged has no measures."""
        trials = self.trials
        return (
            {axis: [trial.choices[axis] for trial in trials] for axis in self.axes}
            | {"seed": [trial.seed for trial in trials]}
            | _each("tuned", [trial.tuned for trial in trials])
            | _each("test", [trial.measures for trial in trials])
            | _each("validation", [trial.validation for trial in trials])
            | {name: [getattr(trial, name) for trial in trials] for name in ENDS}
        )

    def frame(self) -> Any:
        """All trials as a data frame of pandas, a row each.

        Raises:
            ChainruleError: where pandas is not installed.
        """
        try:
            from pandas import DataFrame
        except ModuleNotFoundError:
            raise ChainruleError(
                "A data frame needs the pandas package. Install it: pip install pandas. Or take columns(), as lists."
            ) from None
        return DataFrame(self.columns())

    def curves(self, kind: str = "png") -> bytes:
        """A picture of the learning: each candidate's mean over the seeds, and the spread about it, epoch by epoch."""
        histories = {self._name(each): [trial.history for trial in self.of(each.choices)] for each in self.standings}
        return pictures.learning(histories, self.measure, kind)

    def runs(self, kind: str = "png") -> bytes:
        """A picture of all trials: a row for each candidate, the best first, and a dot for each seed."""
        rows = [
            pictures.Row(self._name(each), each.values, each.mean, each.error, each.beyond_chance)
            for each in self.standings
        ]
        return pictures.dots(rows, self.measure, kind)

    def _name(self, standing: Standing) -> str:
        return told.naming(self, standing.choices, DRAWN)

    def save(self, folder: str | os.PathLike) -> Path:
        """Write all of it into a folder: what `load` reads, `results.csv` for any program, and the pictures.

        Trials that the folder keeps of other seeds stay there.

        Raises:
            ChainruleError: where it can't be written.
        """
        place = known_path(folder)
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ChainruleError(f"Can't write {folder}: {reason(error)}. Name another folder.") from None
        known = {trial.key: trial for trial in read_trials(place)}
        every = known | {trial.key: trial for trial in self.trials}
        if every != known:
            write_whole(place / TRIALS, "".join(f"{trial.to_json()}\n" for trial in every.values()))
        write_whole(place / FILE, json.dumps(self._described(), ensure_ascii=False) + "\n")
        columns = self.columns()
        kinds = {name: next((type(cell) for cell in cells if cell is not None), str) for name, cells in columns.items()}
        write_whole(place / TABLE, writer(TABLE)(kinds, [columns]))
        write_whole(place / CURVES, self.curves())
        write_whole(place / RUNS, self.runs())
        return place

    def _described(self) -> dict[str, Any]:
        """What is kept beside the trials, which are named alone."""
        own = {name: getattr(self, name) for name in ("axes", "redrawn", "data")}
        return own | {"metric": self.metric and repr(self.metric), "trials": [trial.key for trial in self.trials]}

    @classmethod
    def load(cls, folder: str | os.PathLike) -> Self:
        """A comparison from the folder that it is kept in.

        Raises:
            ChainruleError: where there is none.
        """
        try:
            kept = json.loads((known_path(folder) / FILE).read_text())
            trials = {trial.key: trial for trial in read_trials(known_path(folder))}
            of = tuple(trials[tuple(choices), seed] for choices, seed in kept.pop("trials"))
            return cls(of, **kept | {"metric": kept["metric"] and as_formula(kept["metric"], Metric)})
        except OSError as error:
            raise ChainruleError(f"Can't read a comparison in {folder}: {reason(error)}.") from None
        except ChainruleError:
            raise
        except (ValueError, KeyError, TypeError):
            raise ChainruleError(
                f"{Path(folder) / FILE} is no comparison, or is damaged. Use an intact copy."
            ) from None


def _each(part: str, found: list[dict[str, float]]) -> dict[str, list[float | None]]:
    """A column for each figure of a part, such as `test_accuracy`."""
    names = dict.fromkeys(name for each in found for name in each)
    return {f"{part}_{name}": [each.get(name) for each in found] for name in names}
