import builtins
import csv
import math
from dataclasses import replace

import pytest

from chainrule.errors import ChainruleError
from chainrule.metrics import TopK
from chainrule.runs.comparison.comparison import Comparison
from chainrule.runs.comparison.journal import read_trials

NAN = math.nan
AXES = {"activation": ["ReLU()", "ELU()"], "optimizer.learning_rate": ["0.001", "0.01"]}
VALUES = [[0.7, 0.8], [0.75, 0.85], [0.9, 0.95], [NAN, 0.2]]


@pytest.fixture
def some(compared):
    return compared(AXES, VALUES, tuned=[0.1, 0.3])


def test_columns_have_an_entry_a_trial(some):
    columns = some.columns()
    assert list(columns) == [
        *AXES,
        *("seed", "tuned_optimizer.learning_rate", "test_cost", "test_accuracy", "validation_cost"),
        *("validation_accuracy", "epochs", "seconds", "compilations", "error"),
    ]
    assert columns["test_accuracy"] == [0.7, 0.8, 0.75, 0.85, 0.9, 0.95, None, 0.2]
    assert columns["seed"] == [0, 1] * 4
    assert columns["tuned_optimizer.learning_rate"] == [0.1, 0.3] * 4
    assert columns["error"][5:7] == [None, "the cost is no longer finite"]


def test_a_data_frame_has_the_same(some):
    frame = some.frame()
    assert list(frame) == list(some.columns())
    means = frame.groupby("activation")["test_accuracy"].mean()
    assert means["ReLU()"] == pytest.approx(0.775)


def test_without_pandas_the_columns_remain(some, monkeypatch):
    imported = builtins.__import__

    def without(name, *arguments, **named):
        if name == "pandas":
            raise ModuleNotFoundError("No module named 'pandas'", name="pandas")
        return imported(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ChainruleError) as error:
        some.frame()
    assert str(error.value) == (
        "A data frame needs the pandas package. Install it: pip install pandas. Or take columns(), as lists."
    )


def test_it_is_kept_whole(some, tmp_path, pictures):
    other = replace(some, trials=tuple(replace(trial, seed=trial.seed + 2) for trial in some.trials))
    place = other.save(tmp_path / "new" / "folder")
    assert Comparison.load(some.save(place)) == some
    assert len(read_trials(place)) == len(some.trials) + len(other.trials)
    with (place / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["test_accuracy"] for row in rows] == ["0.7", "0.8", "0.75", "0.85", "0.9", "0.95", "", "0.2"]
    assert rows[6]["error"] == "the cost is no longer finite"
    names = ["comparison.json", "curves.png", "results.csv", "runs.png", "trials.jsonl"]
    assert sorted(path.name for path in place.iterdir()) == names
    assert all((place / name).read_bytes()[1:4] == b"PNG" for name in ("curves.png", "runs.png"))


def test_what_decides_comes_back(compared, tmp_path):
    kept = compared({"activation": ["ReLU()"]}, [[0.5]], metric=TopK(3), redrawn=False)
    assert Comparison.load(kept.save(tmp_path)) == kept


def test_a_folder_that_can_not_be_written_is_said(some, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ChainruleError, match=r"^Can't write .*file: File exists\. Name another folder\.$"):
        some.save(tmp_path / "file")


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"trials": [[["ReLU()"], 0]], "metric": null}'])
def test_what_is_damaged_is_no_comparison(tmp_path, content):
    (tmp_path / "comparison.json").write_text(content)
    with pytest.raises(
        ChainruleError, match=r"comparison\.json is no comparison, or is damaged\. Use an intact copy\.$"
    ):
        Comparison.load(tmp_path)


def test_a_folder_without_one_is_said(tmp_path):
    with pytest.raises(ChainruleError, match=r"^Can't read a comparison in .*: No such file or directory\.$"):
        Comparison.load(tmp_path)
