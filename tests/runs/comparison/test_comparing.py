"""Comparisons as they are carried out: what each trial is, what is kept, and what is refused."""

import json
import re

import numpy as np
import pytest

from chainrule.errors import ChainruleError
from chainrule.runs import train
from chainrule.runs.comparison import Comparison, carry_out, compare, comparing, planned, repeated
from chainrule.runs.comparison.contest import Contest

NETWORK = "Dense(4) >> ReLU() >> Dropout(rate=0.1) >> Dense(3) >> Softmax()"
ASKED = {"network": NETWORK, "epochs": 3, "batch_size": 32, "seeds": 2}
QUIET = {"progress": False}


@pytest.fixture(autouse=True)
def unsaved(monkeypatch):
    """Without pictures and tables, which others try."""
    monkeypatch.setattr(Comparison, "save", lambda self, folder: folder)


@pytest.fixture(scope="module")
def compared():
    """Two activations, two rates, two seeds: in two programs; a rate diverges."""
    rates = {"optimizer.learning_rate": [0.01, 0.1]}
    return compare("iris", activation=["ReLU()", "Tanh()"], vary=rates, balanced=True, **ASKED, **QUIET)


def test_each_trial_is_the_run_of_its_choices_and_its_seed(compared, tmp_path):
    """To rounding: here to 1e-5, as the order of sums differs."""
    assert len(compared.trials) == 8
    for place in (1, 6):
        trial = compared.trials[place]
        choices = {"network": NETWORK.replace("ReLU()", trial.choices["activation"]), "epochs": 3, "batch_size": 32}
        rate = trial.choices["optimizer.learning_rate"]
        run = train(
            "iris", **choices, optimizer=f"Adam({rate})", seed=trial.seed, balanced=True, out=tmp_path / rate, **QUIET
        )
        history = run.model.history
        assert {*trial.history} == {*history.columns} - {"epoch"}
        for column in trial.history:
            np.testing.assert_allclose(trial.history[column], history[column], rtol=1e-5, atol=1e-6)
        assert trial.measures == pytest.approx(run.figures["test"], rel=1e-5)
        assert trial.validation == pytest.approx(run.figures["validation"], rel=1e-5)
        assert trial.rows == {"train": 105, "validation": 15, "test": 30}
        assert (trial.epochs, trial.error, trial.tuned) == (3, None, {})


def test_trials_stand_in_the_order_of_what_varies_and_share_what_it_cost(compared):
    assert compared.axes == {
        "activation": ["ReLU()", "Tanh()"],
        "network": [NETWORK],
        "optimizer.learning_rate": ["0.01", "0.1"],
    }
    assert [(*trial.choices.values(), trial.seed) for trial in compared.trials[:3]] == [
        ("ReLU()", NETWORK, "0.01", 0), ("ReLU()", NETWORK, "0.01", 1), ("ReLU()", NETWORK, "0.1", 0)
    ]  # fmt: skip
    assert all(trial.seconds > 0 for trial in compared.trials)
    assert compared.redrawn
    assert compared.measure == "accuracy"


def test_each_seed_tunes_by_its_own_validation_part():
    """Of three rates each takes the one whose validation cost is lowest where all three are compared."""
    asked = ASKED | {"network": "Dense(3) >> Softmax()", "optimizer": "Adam(0.1)", "seeds": 4}
    each = compare("iris", **asked, vary={"learning_rate": [0.032, 0.1, 0.32]}, **QUIET)
    with pytest.warns(UserWarning, match=r"learning_rate: \d of 4 trials chose the first or the last of the values"):
        tuned = compare("iris", **asked, tune="learning_rate", budget=3, **QUIET)
    for trial in tuned.trials:
        costs = {t.choices["learning_rate"]: t.validation["cost"] for t in each.trials if t.seed == trial.seed}
        best = min(costs, key=costs.__getitem__)
        assert trial.tuned == {"learning_rate": float(best)}
        assert trial.validation["cost"] == pytest.approx(costs[best], rel=1e-5)


def test_one_that_diverges_says_so_and_has_no_figures():
    rates = {"learning_rate": [1e-2, 1e30]}
    found = compare("iris", network="Dense(1)", cost="Quadratic()", target="sepal length (cm)", vary=rates,
                    optimizer="GradientDescent()", epochs=2, seeds=1, **QUIET)  # fmt: skip
    sound, lost = found.trials
    assert sound.error is None
    assert {"cost", "r2"} <= {*sound.measures}
    assert "became" in lost.error
    assert (lost.measures, lost.validation, lost.epochs) == ({}, {}, 0)


def test_what_is_kept_is_not_trained_again_and_more_seeds_are(tmp_path, monkeypatch, compared):
    rates = {"optimizer.learning_rate": [0.01, 0.1]}
    ready = planned("iris", activation=["ReLU()", "Tanh()"], vary=rates, balanced=True, **ASKED)
    given = []

    def trials(self, job, callbacks=()):
        given.append([(*entry.candidate.values(), entry.seed) for entry in job])
        if len(given) == 2:
            raise KeyboardInterrupt
        keys = [(entry.candidate, min(entry.seed, 1)) for entry in job]
        return [next(t for t in compared.trials if (t.choices, t.seed) == key) for key in keys]

    monkeypatch.setattr(Contest, "trials", trials)
    with pytest.raises(KeyboardInterrupt, match=r"^Interrupted: 4 of 8 trials are in .*/kept. The same again goes on"):
        carry_out(ready, out=tmp_path / "kept", **QUIET)
    with open(tmp_path / "kept" / "trials.jsonl", "a") as file:
        file.write('{"choices": {')
    found = carry_out(ready, out=tmp_path / "kept", **QUIET)
    assert [len(job) for job in given] == [4, 4, 4]
    assert given[1] == given[2]
    assert [trial.to_json() for trial in found.trials] == [trial.to_json() for trial in compared.trials]
    assert carry_out(ready, out=tmp_path / "kept", **QUIET).trials == found.trials
    assert len(given) == 3
    again = repeated(tmp_path / "kept")
    assert planned(**again).record == ready.record
    with pytest.raises(ChainruleError, match="holds another comparison: its epochs is 3, not 4"):
        carry_out(planned(**again | {"epochs": 4}), out=tmp_path / "kept", **QUIET)


def test_without_a_folder_nothing_is_kept(monkeypatch):
    def interrupted(self, job, callbacks=()):
        raise KeyboardInterrupt

    monkeypatch.setattr(Contest, "trials", interrupted)
    with pytest.raises(KeyboardInterrupt, match=r"Interrupted: 0 of 4 trials were done, and no folder keeps them."):
        compare("iris", optimizer=["Adam()", "Nesterov()"], **ASKED, **QUIET)


def test_jobs_are_of_one_structure_and_some_for_each_worker():
    ready = planned("iris", activation=["ReLU()", "Tanh()"], vary={"learning_rate": "0.1,0.2"}, **ASKED | {"seeds": 50})
    for workers, sizes in ((1, [50, 50, 50, 50]), (3, [50, 50, 50, 17, 17, 16]), (8, [25] * 8)):
        jobs = ready.jobs(ready.entries, workers)
        assert [len(job) for job in jobs] == sizes
        assert all(len({entry.candidate["activation"] for entry in job}) == 1 for job in jobs)
    assert [len(job) for job in ready.jobs(ready.entries[:30], 1)] == [30]


def test_data_in_hand_are_known_again_by_what_is_in_them(tmp_path):
    table = {"a": [*range(40)], "b": ["x", "y"] * 20, "kind": ["u", "v", "u", "u"] * 10}
    ready = planned(table, activation=["ReLU()", "ELU()"], epochs=1)
    other = planned(table | {"b": ["y", "x"] * 20}, activation=["ReLU()", "ELU()"], epochs=1)
    assert ready.record["data"]["source"] == "data"
    assert ready.record["data"]["digest"] != other.record["data"]["digest"]
    (tmp_path / "compare.toml").write_text(
        '[axes]\nepochs = ["1"]\n[comparison]\nseeds = [0]\n[data]\nsource = "data"\n'
    )
    with pytest.raises(ChainruleError, match=r"compared on data, which is not there. Give the same data beside it."):
        repeated(tmp_path)
    assert repeated(tmp_path, table)["data"] is table


def test_lines_say_how_far_it_is(capsys, monkeypatch, compared):
    monkeypatch.setattr(Contest, "trials", lambda self, job, callbacks=(): [compared.trials[0]] * len(job))
    with pytest.raises(KeyError):  # since these are no trials of it
        compare("iris", optimizer=["Adam()", "Nesterov()"], **ASKED)
    assert re.fullmatch(r"trial 2/4  \d+\.\d s\ntrial 4/4  \d+\.\d s\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({}, "Nothing varies. Give several of activation, optimizer or network, or vary a field."),
        ({"activation": ["ReLU()"], "seeds": 0}, "seeds must be a whole number from 1 to 10000, got 0."),
        ({"activation": ["ReLU()"], "seeds": [1, 1]}, "seeds must be different whole numbers, or how many there are"),
        ({"activation": ["ReLU()"], "budget": 1}, "budget must be a whole number from 2 to 1000, got 1."),
        ({"activation": ["ReLU()"], "test": 0}, "test: a comparison needs rows to test on. Leave it out."),
        ({"activation": ["ReLU()"], "validation": 0, "tune": "learning_rate"}, "tune chooses by the validation cost"),
        ({"activation": ["ReLU()"], "tune": "optimizer.beta"}, "optimizer.beta can't be tuned: Adam("),
        ({"activation": ["ReLU()"], "tune": "cost.smoothing"}, "cost.smoothing can't be tuned by the validation cost"),
        ({"vary": {"learning_rate": ["CosineDecay(0.1)"]}, "tune": "learning_rate"},
         "holds CosineDecay(0.1) there, not a number above 0. Name another field."),
        ({"network": ["Dense(3) >> Softmax()", "Conv2D(3, 3) >> Softmax()"]}, "network=Conv2D("),
        ({"optimizer": ["Adam()", "LBFGS()"], "batch_size": 8}, "optimizer=LBFGS("),
    ],
)  # fmt: skip
def test_what_can_not_be_compared_is_refused_before_anything_is_trained(asked, problem, monkeypatch):
    monkeypatch.setattr(Contest, "trials", None)
    with pytest.raises(ChainruleError, match=re.escape(problem)):
        compare("iris", **asked, **QUIET)


def test_a_named_set_is_no_folder_of_its_name(here):
    (here / "iris").mkdir()
    (here / "iris" / "results.csv").write_text("a,b\n1,2\n")
    assert comparing.planned("iris", activation=["ReLU()"], seeds=1).first.rows["train"] == 105


def test_data_that_are_larger_than_memory_are_refused(monkeypatch):
    monkeypatch.setattr(comparing, "is_large", lambda data: True)
    with pytest.raises(ChainruleError, match="iris is read block after block"):
        compare("iris", activation=["ReLU()"], **QUIET)


def test_where_it_is_to_be_done_is_checked(monkeypatch):
    for where in ({"on": "dask"}, {"address": "here:1"}, {"on": "ray", "address": "here:1"}):
        with pytest.raises(ChainruleError, match='on must be "dask", with the address of its scheduler'):
            compare("iris", activation=["ReLU()"], **where, **QUIET)


def test_a_trial_is_a_line_of_json(compared):
    assert json.loads(compared.trials[0].to_json())["rows"] == {"train": 105, "validation": 15, "test": 30}
