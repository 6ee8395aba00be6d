"""What `chainrule train` calls, called from Python."""

import json
import signal
import tomllib
from pathlib import Path

import numpy as np
import pytest

from chainrule import ChainruleError, DivergedError, EarlyStopping, load
from chainrule.data import read
from chainrule.metrics import F1
from chainrule.runs import carry_out, claimed, plan, train
from chainrule.runs.folder import check

QUICK = {"network": "Dense(2) >> Softmax()", "epochs": 2, "progress": False}


@pytest.mark.slow
def test_a_run_is_that_of_the_command(here, flowers):
    from chainrule.cli import main

    with pytest.raises(SystemExit):
        main(["train", "flowers.csv", "--network", "Dense(2) >> Softmax()", "--epochs", "3", "--drop", "width"])
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the command's process would end now
    run = train("flowers.csv", **QUICK | {"epochs": 3}, drop=["width"])
    assert run.folder == Path("runs/flowers-2")
    ours, theirs = here / "runs" / "flowers-2", here / "runs" / "flowers"
    for name in ("model.safetensors", "history.csv", "rows.safetensors"):
        assert (ours / name).read_bytes() == (theirs / name).read_bytes(), name
    record, repeated = (tomllib.loads((place / "run.toml").read_text()) for place in (ours, theirs))
    assert repeated.pop("command").startswith("chainrule train flowers.csv ")
    assert record == repeated
    measured = json.loads((ours / "metrics.json").read_text())
    assert {part: measured[part] for part in run.figures} == run.figures
    assert list(run.figures) == ["train", "validation", "test"]
    assert load(run.folder).history == run.model.history
    assert not run.interrupted


def test_a_table_is_trained_on_as_its_file_is(here, flowers):
    table = read("flowers.csv")
    columns = {name: list(table[name]) for name in table}
    of_file, of_table = (train(data, **QUICK, test=0.25, target="kind") for data in ("flowers.csv", columns))
    assert of_table.folder == Path("runs/data")
    assert of_table.figures == of_file.figures
    assert tomllib.loads((of_table.folder / "run.toml").read_text())["data"]["source"] == "data"


def test_parts_may_be_tables(here, flowers):
    table = read("flowers.csv")
    with pytest.warns(UserWarning, match=r"^flowers.csv: 7 of its 7 rows are seen in training too"):
        run = train(table, **QUICK, test=table.take(np.arange(7)), validation=0, out="run")
    assert list(run.figures) == ["train", "test"]
    assert run.model.training["rows"] == 40
    assert tomllib.loads(Path("run/run.toml").read_text())["data"]["test"] == "data"


def test_formulas_and_choices_are_recorded(here, flowers):
    run = train(
        "flowers.csv", **QUICK, early_stopping=EarlyStopping(5, monitor=F1()), metrics=["Recall()"], text="width"
    )
    record = tomllib.loads((run.folder / "run.toml").read_text())
    assert record["formulas"]["early_stopping"] == "EarlyStopping(patience=5, monitor=F1(average='macro'))"
    assert record["formulas"]["metric"] == ["Recall(average='macro')", "F1(average='macro')"]
    assert record["data"]["text"] == ["width"]


def test_what_was_found_in_a_file_is_warned_of(here):
    rows = "".join(f"{n};{n},5;{'ab'[n % 2]}\n" for n in range(30))
    (here / "de.csv").write_text("n;size;kind\n" + rows)
    with pytest.warns(UserWarning, match=r"^de\.csv: "):
        train("de.csv", **QUICK)


def test_a_folder_that_is_taken_is_refused_before_anything_is_read(here, flowers):
    train("flowers.csv", **QUICK, out="x")
    with pytest.raises(
        ChainruleError, match=r"^x holds a run\. Name another folder by out, or replace it: overwrite\.$"
    ):
        train("nowhere.csv", out="x")
    assert train("flowers.csv", **QUICK, out=Path("x"), overwrite=True, seed=5).model.training["seed"] == 5


def test_a_folder_that_was_made_for_a_run_that_fails_is_gone(here, flowers):
    with pytest.raises(ChainruleError, match="classes"):
        train("flowers.csv", out="deep/x", network="Dense(5) >> Softmax()", epochs=1)
    assert [path.name for path in here.iterdir()] == ["flowers.csv"]


def test_what_was_good_before_a_cost_diverged_is_kept(here, prices):
    with pytest.raises(DivergedError, match=r"What was good before is in runs/prices\.$") as error:
        train("prices.csv", network="Dense(1)", optimizer="GradientDescent(1e3)", epochs=99, progress=False)
    kept = load("runs/prices")
    assert kept.history.stopped == "diverged"
    assert kept.history == error.value.model.history


@pytest.mark.parametrize("moment", ["chainrule.runs.saving.to_bytes", "chainrule.runs.seen.record"])
@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_while_a_run_is_saved_loses_nothing(here, flowers, monkeypatch, moment, times):
    module, _, name = moment.rpartition(".")
    made = getattr(__import__(module, fromlist=[name]), name)

    def pressed(*arguments):
        for _ in range(times):
            signal.raise_signal(signal.SIGINT)
        return made(*arguments)

    monkeypatch.setattr(moment, pressed)
    run = train("flowers.csv", **QUICK)
    assert run.interrupted
    assert run.model.history.stopped == "epochs"
    assert check(run.folder) == ""
    assert len(load(run.folder).history) == 2
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_while_a_run_trains_keeps_what_was_trained(here, flowers, monkeypatch):
    def epoch(self, row):
        if row["epoch"] == 3:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("chainrule.training.progress.Progress.epoch", epoch)
    run = train("flowers.csv", **QUICK | {"epochs": 10**6})
    assert run.interrupted
    assert run.model.history.stopped == "interrupted"
    assert len(load(run.folder).history) == 3


def test_a_warning_that_is_an_error_to_the_caller_does_not_cost_the_run(here, flowers, monkeypatch):
    def curves(*_):
        raise MemoryError("too many epochs")

    monkeypatch.setattr("chainrule.pictures.results.curves", curves)
    with pytest.raises(UserWarning, match=r"^curves\.png can't be made: too many epochs$"):
        train("flowers.csv", **QUICK)
    assert check("runs/flowers") == ""
    assert len(load("runs/flowers").history) == 2


def test_a_plan_may_be_looked_at_first(here, flowers):
    planned = plan("flowers.csv", network="Dense(2) >> Softmax()")
    assert (planned.epochs, planned.batch_size, planned.early_stopping) == (150, "all", EarlyStopping(50))
    assert [row.parameters for row in planned.layers] == [10, 0]
    assert not (here / "runs").exists()
    with claimed("flowers.csv", out="run") as folder:
        run = carry_out(planned, folder, progress=False, command=lambda record: f"again {record['data']['source']}")
    assert tomllib.loads((run.folder / "run.toml").read_text())["command"] == "again flowers.csv"
