import csv
import gzip
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import tomllib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from PIL import Image

from chainrule import load

QUICK = '--network "Dense(2) >> Softmax()" --epochs 2'
LINE = '--network "Dense(1)" --epochs 2'


def metrics(folder) -> dict:
    return json.loads((folder / "metrics.json").read_text())


def record(folder) -> dict:
    return tomllib.loads((folder / "run.toml").read_text())


def test_what_is_shown_and_what_is_kept(run, here, flowers, pictures):
    said = run(f"train flowers.csv {QUICK}")
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[:14] == [
        "flowers.csv: 4 inputs → kind, 2 classes (the last column; --target names another)",
        "rows: 28 to train, 4 to validate, 8 to test",
        "run: runs/flowers",
        "",
        "layer       output   parameters",
        "───────────────────────────────",
        "Dense(2)         2           10",
        "Softmax()        2            0",
        "───────────────────────────────",
        "                             10",
        "",
        "cost: CategoricalCrossEntropy(), by Adam(learning_rate=0.001)",
        "epochs: 2",
        "",
    ]
    assert [line.split("  ")[0] for line in lines[14:16]] == ["epoch 1/2", "epoch 2/2"]
    assert [line.split()[0] for line in lines[17:22]] == ["cost", "─" * 30, "train", "validation", "test"]
    assert lines[-1].startswith("2 epochs in ")
    assert lines[-1].endswith(" s. All of it is in runs/flowers.")

    folder = here / "runs" / "flowers"
    kept = {
        "model.safetensors",
        "history.csv",
        "metrics.json",
        "curves.png",
        "confusion.png",
        "run.toml",
        "rows.safetensors",
        "config.json",
        "README.md",
        "manifest.json",
    }
    assert {file.name for file in folder.iterdir()} == kept
    assert sorted(file.name for file in folder.parent.iterdir()) == ["flowers"]
    found = metrics(folder)
    assert list(found) == ["train", "validation", "test", "epochs", "seconds"]
    assert (list(found["test"]), found["epochs"]) == (["cost", "accuracy"], 2)
    history = list(csv.DictReader((folder / "history.csv").read_text().splitlines()))
    assert [row["epoch"] for row in history] == ["1", "2"]
    assert float(history[-1]["validation_cost"]) == pytest.approx(found["validation"]["cost"], rel=1e-6)
    for name in ("curves.png", "confusion.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")


def test_the_record(run, here, flowers):
    run(f"train flowers.csv {QUICK} --seed 3 --batch-size 8 --drop width --metric 'F1()'")
    written = record(here / "runs" / "flowers")
    versions = written.pop("versions")
    assert list(versions) == ["python", "chainrule", "jax", "numpy"]
    command = written.pop("command")
    assert written == {
        "formulas": {
            "network": "Dense(2) >> Softmax()",
            "cost": "CategoricalCrossEntropy()",
            "optimizer": "Adam(learning_rate=0.001)",
            "metric": ["F1(average='macro')"],
        },
        "data": {
            "source": "flowers.csv",
            "rows": 40,
            "drop": ["width"],
            "text": [],
            "words": [],
            "characters": [],
            "day_first": [],
            "month_first": [],
            "test": 0.2,
            "validation": 0.1,
            "balanced": False,
        },
        "training": {"epochs": 2, "batch_size": 8, "seed": 3},
    }
    assert shlex.split(command)[:5] == ["chainrule", "train", "flowers.csv", "--network", "Dense(2) >> Softmax()"]


LETTERS = "--network 'Embedding(20, 4, padding_id=0) >> GlobalMaxPool1D() >> Dense(2) >> Softmax()' --epochs 2"


@pytest.fixture
def names(here):
    """Names by their letters: rarely "b"."""
    rows = [f"{'xyz'[i % 3] * (1 + i % 4)}{'b' if i % 5 == 0 else 'a'},{'b' if i % 5 == 0 else 'a'}" for i in range(40)]
    (here / "names.csv").write_text("name,kind\n" + "\n".join(rows) + "\n")


def test_text_is_read_by_letters_and_predicted(run, here, names):
    assert run(f"train names.csv {LETTERS} --characters name").code == 0
    (here / "new.csv").write_text("name\nxxb\nq\n")
    said = run("predict runs/names new.csv")
    assert len(said.out.splitlines()) == 3


def test_balanced_classes_change_the_training_and_stand_in_the_record(run, here, names):
    for options in ("", "--balanced"):
        assert run(f"train names.csv {LETTERS} --characters name {options}").code == 0
    plain, balanced = (here / "runs" / folder / "history.csv" for folder in ("names", "names-2"))
    assert plain.read_text() != balanced.read_text()
    written = record(here / "runs" / "names-2")
    assert written["data"]["balanced"] is True
    assert "--balanced" in shlex.split(written["command"])


def test_balanced_is_for_classes(run, here):
    (here / "values.csv").write_text("a,b\n" + "".join(f"{i},{i * 0.5}\n" for i in range(30)))
    said = run("train values.csv --balanced")
    assert (said.code, said.err) == (
        2,
        "chainrule: --balanced is for classes, but what is predicted (b) is no class. Leave it out.\n",
    )


def test_runs_are_counted_unless_they_are_named(run, here, flowers):
    for name in ("runs/flowers", "runs/flowers-2", "runs/flowers-3"):
        said = run(f"train flowers.csv {QUICK}")
        assert said.out.splitlines()[2] == f"run: {name}"  # said first,
        assert said.out.endswith(f"All of it is in {name}.\n")  # and last
    assert run(f"train flowers.csv {QUICK} --out new/deep/run").out.endswith("new/deep/run.\n")


def test_a_folder_that_is_named_is_replaced_only_if_that_is_wanted(run, here, flowers):
    words = f"train flowers.csv {QUICK} --out x"
    assert run(words).code == 0
    before = {file.name: file.read_bytes() for file in (here / "x").iterdir()}
    assert run(words) == (
        2,
        "",
        "chainrule: x holds a run. Name another folder by --out, or replace it: --overwrite.\n",
    )
    assert {file.name: file.read_bytes() for file in (here / "x").iterdir()} == before
    said = run(f"{words} --overwrite --seed 5")
    assert (said.code, said.out.splitlines()[2]) == (0, "run: x")
    assert record(here / "x")["training"]["seed"] == 5
    assert sorted(path.name for path in here.iterdir()) == ["flowers.csv", "x"]


@pytest.mark.parametrize("options", ["", "--overwrite"])
def test_a_file_is_never_replaced_by_a_folder(run, here, flowers, options):
    before = flowers.read_text()
    said = run(f"train flowers.csv {QUICK} --out flowers.csv {options}")
    assert (said.code, said.out) == (2, "")
    assert said.err == "chainrule: flowers.csv is a file. Name another folder by --out.\n"
    assert flowers.read_text() == before


def test_a_run_is_called_after_its_data(run, here, flowers, monkeypatch):
    assert run(f"train ./../{here.name}/flowers.csv {QUICK}").out.splitlines()[2] == "run: runs/flowers"
    (here / "packed.csv.gz").write_bytes(gzip.compress(flowers.read_bytes()))
    assert run(f"train packed.csv.gz {QUICK}").out.splitlines()[2] == "run: runs/packed"


def test_a_value_is_regressed(run, here, prices, pictures):
    said = run(f'train prices.csv --target price {LINE} --optimizer "Adam(0.1)" --regularizer "L2(1e-4)"')
    assert said.code == 0
    assert said.out.startswith("prices.csv: 2 inputs → price, a value (regression)\n")
    folder = here / "runs" / "prices"
    assert list(metrics(folder)["test"]) == ["cost", "r2", "rmse", "mae"]
    assert (folder / "predictions.png").exists()
    assert record(folder)["formulas"]["regularizer"] == "L2(0.0001)"


@pytest.mark.parametrize(("task", "aim"), [("classification", "3 classes"), ("regression", "a value (regression)")])
def test_the_task_may_be_said(run, here, task, aim):
    (here / "stars.csv").write_text("size,stars\n" + "".join(f"{n},{n % 3}\n" for n in range(30)))
    network = "Dense(3) >> Softmax()" if task == "classification" else "Dense(1)"
    said = run(f'train stars.csv --task {task} --network "{network}" --epochs 1')
    assert said.out.splitlines()[0] == f"stars.csv: 1 input → stars, {aim}"


def test_an_open_end_is_completed_and_said(run, here, flowers, prices):
    said = run('train flowers.csv --network "Dense(3) >> ReLU() >> Dense(2)" --epochs 1 --out kinds')
    assert (said.code, said.err) == (0, "note: The network ends in Dense(2): Softmax() is added, for 2 classes.\n")
    assert "\nSoftmax() " in said.out
    assert "\ncost: CategoricalCrossEntropy(), by Adam(learning_rate=0.001)\n" in said.out
    assert record(here / "kinds")["formulas"]["network"].endswith(" >> Dense(2) >> Softmax()")
    rows = [line.split(",") for line in run("predict kinds flowers.csv --probabilities").out.splitlines()[1:]]
    assert all(0 <= float(p) <= 1 for _, *row in rows for p in row)

    said = run('train prices.csv --network "Dense(3) >> ReLU()" --regularizer "L2(0.1)" --epochs 1 --out values')
    assert (said.code, said.err) == (0, "note: The network ends in ReLU(): Dense(1) is added, for 1 value.\n")
    assert "\ncost: Quadratic() + L2(0.1), by Adam(learning_rate=0.001)\n" in said.out

    said = run('train flowers.csv --network "Dense(2)" --cost "Quadratic()" --epochs 1 --out raw')
    assert (said.code, said.err) == (0, "")
    assert "\ncost: Quadratic(), by Adam(learning_rate=0.001)\n" in said.out


def test_a_network_with_branches_and_repetitions(run, here, flowers):
    network = "Dense(4) >> Repeat(Identity() + Dense(4) * (Dense(4) >> Sigmoid()), 2) | Dense(2)"
    said = run(f'train flowers.csv --network "{network}" --epochs 1 --out run')
    assert said.err.startswith("note: The network ends in Dense(4) >> Repeat(")
    assert re.search(r"\n  \| Dense\(2\) +2 +10\n", said.out)
    assert record(here / "run")["formulas"]["network"] == f"({network}) >> Dense(2) >> Softmax()"
    assert run("predict run flowers.csv").out.count("\n") == 41
    assert run("summary run").out.count("Repeat 2 times") == 1
    said = run('train flowers.csv --network "Identity() + Dense(3) >> Dense(2)" --epochs 1')
    assert (said.code, said.out) == (2, "")
    assert said.err == (
        "chainrule: Add: expected branches of shapes that agree, got (4,) from Identity() and (3,) from Dense(3). "
        "Make their sizes equal, or 1 where one spreads out over the other.\n"
    )


def test_two_classes_by_one_output(run, here, flowers):
    run('train flowers.csv --network "Dense(1) >> Sigmoid()" --epochs 1')
    assert record(here / "runs" / "flowers")["formulas"]["cost"] == "CrossEntropy()"


def test_default_choices_are_printed_and_recorded(run, here, flowers):
    said = run("train flowers.csv --epochs 1")
    assert "Dropout(rate=0.1)" in said.out
    written = record(here / "runs" / "flowers")
    hidden = "Dense(256) >> ReLU() >> Dropout(rate=0.1)"
    network = f"{hidden} >> {hidden} >> Dense(2) >> Softmax()"
    assert written["formulas"]["network"] == network
    assert written["training"]["batch_size"] == "all"  # 28 rows are fewer than 32


def test_a_batch_larger_than_the_data_becomes_all(run, here, flowers):
    said = run(f"train flowers.csv {QUICK} --batch-size 500")
    assert (said.code, said.err) == (0, 'note: batch_size 500 is more than the 28 training rows: it becomes "all".\n')
    assert record(here / "runs" / "flowers")["training"]["batch_size"] == "all"


@pytest.mark.by_turns(2)
@pytest.mark.parametrize(
    ("shown", "tested"),
    [
        (["1.0", "2.0", "beta", "x"], ["1.0", "2.0"]),
        (["1.0", "2.0", "beta", "x"], ["1", "2"]),
        (["True", "False", "Unknown", "Maybe"], ["True", "False"]),
        (["True", "False"], ["True", "False", "Unknown"]),
        (["True", "False"], ["1", "0"]),
    ],
)
@pytest.mark.parametrize("part", ["test", "validation"])
def test_a_file_for_a_part_is_read_as_the_training_part_is(run, here, shown, tested, part):
    def written(name, values):
        rows = [f"{value},{'yes' if value in (shown[0], '1') else 'no'}\n" for value in values]
        (here / name).write_text("v,answer\n" + "".join(rows))

    written("tr.csv", shown * 10)
    written("te.csv", tested * 4)
    rest = "test" if part == "validation" else "validation"
    said = run(
        f'train tr.csv --{part} te.csv --{rest} 0 --network "Dense(2) >> Softmax()" --optimizer "Adam(0.1)" '
        f"--epochs 60 --batch-size all --out run"
    )
    new = set(tested) - {*shown, "1", "2", "0"}
    note = "note: column 'v': training never showed Unknown (4); such cells count as none of the known values.\n"
    rows, found = 4 * len(tested), 4 * (len(tested) - len(new))
    seen = f"note: te.csv: {found} of its {rows} rows are seen in training too: take them out to be fair.\n"
    assert (said.code, said.err) == (0, (note if new else "") + seen)
    measured = json.loads((here / "run" / "metrics.json").read_text())[part]
    assert measured["accuracy"] == 1 or new
    assert run("evaluate run te.csv --metric TopK(1)").out.split()[-2:] == [f"{measured['accuracy']:.4f}"] * 2


def test_names_are_noted(run, here):
    rows = [f"{n % 5},person {n},{'ab'[n % 2]}\n" for n in range(30)]
    (here / "people.csv").write_text("size,name,kind\n" + "".join(rows))
    said = run(f"train people.csv {QUICK}")
    assert (said.code, said.err.splitlines()[-1]) == (
        0,
        "note: column 'name' is text with 21 values in 21 rows, too many to learn from. Leave it out: --drop name",
    )
    assert run(f"train people.csv {QUICK} --drop name").err == ""


def test_dates_are_read_as_time(run, here):
    rows = [f"{n % 5},{n + 1}/1/2020 {n % 24}:00,{'ab'[n % 2]}\n" for n in range(30)]
    (here / "days.csv").write_text("size,since [utc],kind\n" + "".join(rows))
    said = run(f"train days.csv {QUICK} --out run")
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines()[2] == (
        "since [utc] is read as time: elapsed, month as sine and cosine, day of week as 7 inputs, "
        "hour as sine and cosine"
    )
    (here / "new.csv").write_text("size,since [utc]\n1,2/1/2020 3:00\n2,1/2/2031\n")
    assert (run("predict run new.csv").code, run("predict run new.csv").err) == (0, "")


def test_dates_that_may_be_either(run, here):
    rows = [f"{n % 5},{n % 9 + 1}/{n % 12 + 1}/2020,{'ab'[n % 2]}\n" for n in range(30)]
    (here / "days.csv").write_text("size,the day,kind\n" + "".join(rows))
    said = run(f"train days.csv {QUICK} --out run")
    assert (said.code, said.err.split(" run: ")[0]) == (
        2,
        "chainrule: days.csv: column 'the day' holds dates such as '1/1/2020', each of which may be day/month or "
        "month/day. Write the year first, or choose --month-first 'the day', or",
    )
    assert said.err.endswith(" --out run --day-first 'the day'\n")
    for first in ("day", "month"):
        assert run(f"train days.csv {QUICK} --out {first} --{first}-first 'the day'").code == 0
        assert f'\n{first}_first = ["the day"]\n' in (here / first / "run.toml").read_text()


def test_numbers_may_be_text(run, here):
    rows = [f"{n % 5},{(1234, 98)[n % 2]:05},{'ab'[n % 3 == 0]}\n" for n in range(30)]
    (here / "zips.csv").write_text("size,zip,kind\n" + "".join(rows))
    run(f"train zips.csv {QUICK} --text zip")
    assert load(here / "runs" / "zips").preprocessor.columns[1].values == ("00098", "01234")


@pytest.mark.parametrize(("missing", "trained"), [("median", 28), ("drop", 26)])
def test_blank_cells(run, here, flowers, missing, trained):
    lines = flowers.read_text().splitlines()
    lines[3], lines[7] = ",1,red,rose", "2,1,,iris"
    flowers.write_text("\n".join(lines))
    said = run(f"train flowers.csv {QUICK} --missing {missing}")
    assert said.code == 0
    assert f"rows: {trained} to train" in said.out
    assert load(here / "runs" / "flowers").preprocessor.schema.missing == missing


@pytest.mark.parametrize("suffix", ["tsv", "parquet"])
def test_other_tables(run, here, flowers, suffix):
    rows = list(csv.reader(flowers.read_text().splitlines()))
    if suffix == "tsv":
        (here / "table.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))
    else:
        columns = dict(zip(rows[0], map(list, zip(*rows[1:], strict=True)), strict=True))
        numbers = {name: [int(cell) for cell in columns[name]] for name in ("length", "width")}
        parquet.write_table(pa.table(columns | numbers), here / "table.parquet")
    assert run(f"train flowers.csv {QUICK}").code == run(f"train table.{suffix} {QUICK}").code == 0
    assert metrics(here / "runs" / "table")["test"] == metrics(here / "runs" / "flowers")["test"]


def images(path, rows: int = 40) -> None:
    x = np.random.default_rng(0).integers(0, 255, (rows + 10, 3, 3, 1), dtype=np.uint8)
    y = (x[:, 0].mean((1, 2)) > 127).astype(int)
    np.savez(path, x=x[:rows], y=y[:rows], x_test=x[rows:], y_test=y[rows:])


def test_arrays_with_a_test_part_of_their_own(run, here):
    images(here / "images.npz")
    said = run('train images.npz --network "Flatten() >> Dense(2) >> Softmax()" --epochs 2')
    assert said.out.splitlines()[:2] == [
        "images.npz: 3 × 3 × 1 inputs → y, 2 classes",
        "rows: 36 to train, 4 to validate, 10 to test",
    ]
    assert (here / "runs" / "images" / "confusion.png").exists()


def test_photos_of_other_sizes_are_resized_and_the_size_travels(run, here):
    rng = np.random.default_rng(0)
    for row in range(20):
        shape = (9, 7) if row == 7 else (6, 8)
        place = here / "shapes" / "ab"[row % 2] / f"{row:02}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(place)
    words = 'train shapes --network "Flatten() >> Dense(2) >> Softmax()" --epochs 1'
    said = run(words)
    assert said.code == 2
    assert said.err.endswith(f"Resize all images to one size, or run: chainrule {words} --size 8x6\n".replace('"', "'"))
    said = run(f"{words} --size 5x4")
    assert said.out.startswith("shapes: 4 × 5 × 1 inputs → target, 2 classes\n")
    assert said.err == "note: shapes: 20 of 20 images are resized to 5 × 4 pixels.\n"
    assert "--size 5x4" in record(here / "runs" / "shapes")["command"]

    Image.fromarray(rng.integers(0, 256, (300, 400), np.uint8)).save(here / "photo.jpg")
    said = run("predict runs/shapes photo.jpg")
    assert said.out in ("target\na\n", "target\nb\n")
    assert said.err == "note: photo.jpg: 1 of 1 image is resized to 5 × 4 pixels.\n"
    assert len(run("predict runs/shapes shapes/a").out.splitlines()) == 11
    assert "shapes, 4 rows to test" in run("evaluate runs/shapes shapes").out
    assert run("train shapes --size big").err.startswith("chainrule: --size must be pixels such as 64")


def test_files_as_parts(run, here, flowers):
    lines = flowers.read_text().splitlines()
    (here / "later.csv").write_text("\n".join(lines[:1] + lines[20:27]))
    said = run(f"train flowers.csv {QUICK} --test later.csv --validation 0")
    assert "rows: 40 to train, 7 to test" in said.out
    said = run(f"train flowers.csv {QUICK} --test 0 --validation later.csv")
    assert "rows: 40 to train, 7 to validate" in said.out
    said = run(f"train flowers.csv {QUICK} --test 0 --validation 0")
    assert "rows: 40 to train\n" in said.out
    assert list(metrics(here / "runs" / "flowers-3")) == ["train", "epochs", "seconds"]


def test_early_stopping(run, here, prices):
    words = 'train prices.csv --network "Dense(1)" --optimizer "Adam(0.5)" --early-stopping 2'
    said = run(f"{words} --epochs 300")
    epochs = metrics(here / "runs" / "prices")["epochs"]
    assert epochs < 300
    assert f", stopped early, epoch {epochs - 2} is kept. " in said.out
    run('train prices.csv --network "Dense(1)" --early-stopping never --epochs 3')
    assert "early_stopping" not in record(here / "runs" / "prices-2")["formulas"]


@pytest.mark.parametrize(
    ("options", "epochs", "patience"),
    [
        ("", 300, 100),
        ("--early-stopping 7", 300, 7),
        ("--early-stopping never", 300, None),
        ("--validation 0", 300, None),
        ("--epochs 4 --minutes 10", 4, None),
        ("--epochs 40 --early-stopping 7", 40, 7),
    ],
)
def test_how_long_it_takes_at_most_is_said_and_recorded(run, here, prices, options, epochs, patience):
    plan = f" at most, until {patience} in a row bring no lower validation cost" if patience else ""
    plan += ", in 10 minutes at most" * ("--minutes" in options)
    said = run(f'train prices.csv --network "Dense(1)" --optimizer "Adam(0.5)" {options}')
    assert f"\nepochs: {epochs}{plan}\n" in said.out
    written = record(here / "runs" / "prices")
    assert written["formulas"].get("early_stopping") == (patience and f"EarlyStopping(patience={patience})")
    again = run(shlex.join(shlex.split(written["command"])[1:]))
    assert f"\nepochs: {epochs}{plan}\n" in again.out


def test_metrics_without_validation_are_those_of_the_parts(run, prices, here):
    run('train prices.csv --network "Dense(1)" --epochs 1 --validation 0 --metric "MAE()" --out run')
    measured = json.loads((here / "run" / "metrics.json").read_text())
    assert list(measured["train"]) == list(measured["test"]) == ["cost", "r2", "rmse", "mae"]
    assert record(here / "run")["formulas"]["metric"] == ["MAE()"]


def test_what_more_or_fewer_epochs_would_change_is_said(run, here, prices):
    words = 'train prices.csv --network "Dense(1)"'
    assert ", still improving. All of it is in " in run(f'{words} --optimizer "Adam(0.01)" --epochs 10').out
    assert "improving" not in run(f'{words} --optimizer "Adam(0.5)"').out
    wild = "--optimizer 'GradientDescent(StepDecay(0.1, factor=20.0, every=9))' --epochs 10 --batch-size all"
    said = run(f"{words} {wild}").out
    assert re.search(r" s, the validation cost lowest in epoch [1-9]\. All of it is in ", said)


def test_a_cost_that_stops_being_finite_keeps_what_was_good(run, here, prices):
    said = run('train prices.csv --network "Dense(1)" --epochs 99 --optimizer "GradientDescent(1e3)"')
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert said.err.endswith("What was good before is in runs/prices.\n")
    model = load(here / "runs" / "prices")
    assert model.history.stopped == "diverged"
    assert all(np.isfinite(row["cost"]) for row in model.history)


def test_ctrl_c_in_this_process(run, here, flowers, monkeypatch):
    def epoch(self, row):
        if row["epoch"] == 3:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("chainrule.training.progress.Progress.epoch", epoch)
    said = run("train flowers.csv --network 'Dense(2) >> Softmax()' --epochs 1000000")
    assert said.code == 130
    assert ", interrupted. All of it is in runs/flowers.\n" in said.out
    assert metrics(here / "runs" / "flowers")["epochs"] == 3
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_within_the_first_epoch(run, here, flowers, monkeypatch):
    with monkeypatch.context() as pressed:
        pressed.setattr("chainrule.training.progress.Progress.step", lambda *_: signal.raise_signal(signal.SIGINT))
        said = run(f"train flowers.csv {QUICK}")
    assert said.code == 130
    assert "0 epochs in " in said.out
    assert ", interrupted, the steps of the first are kept. All of it is in runs/flowers.\n" in said.out
    kept = {"model.safetensors", "history.csv", "metrics.json", "run.toml", "rows.safetensors", "manifest.json"}
    kept |= {"checkpoint-0.safetensors", "config.json", "README.md"}
    assert {file.name for file in (here / "runs" / "flowers").iterdir()} == kept
    assert said.err.endswith("note: To go on with it: chainrule train --resume runs/flowers\n")
    assert run("train --resume runs/flowers").code == 0
    whole = kept - {"checkpoint-0.safetensors"} | {"curves.png", "confusion.png"}
    assert {file.name for file in (here / "runs" / "flowers").iterdir()} == whole


def test_ctrl_c_before_training(run, here, flowers, monkeypatch):
    def read(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("chainrule.runs.parts.read", read)
    assert run(f"train flowers.csv {QUICK}") == (130, "", "")


def chainrule(*words: str) -> list[str]:
    return [sys.executable, "-c", "from chainrule.cli import main; main()", *words]


@pytest.mark.slow
def test_digits_in_a_process_of_its_own(here):
    done = subprocess.run(chainrule("train", "digits"), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert metrics(here / "runs" / "digits")["test"]["accuracy"] >= 0.97
    assert "Flatten()" in done.stdout


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT")
def test_ctrl_c_in_a_process_of_its_own(here, flowers):
    words = chainrule("train", "flowers.csv", "--network", "Dense(2) >> Softmax()", "--epochs", "100000000")
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            if line.startswith("epoch "):  # the first has ended
                break
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate(timeout=60)
    note = "note: To go on with it: chainrule train --resume runs/flowers\n"
    assert (process.returncode, said) == (130, f"\nfinishing: what was trained is saved first\n{note}")
    assert re.search(r"\n\d+ epochs? in .* s, interrupted.* All of it is in runs/flowers\.\n", rest)
    assert load(here / "runs" / "flowers").history.stopped == "interrupted"


def test_early_stopping_watches_what_is_said(run, here, flowers):
    said = run(f"train flowers.csv {QUICK} --early-stopping 2 --monitor f1 --metric recall --validation 0.3")
    assert "until 2 in a row bring no higher validation f1" in said.out
    assert re.search(r"cost +accuracy +recall +f1$", said.out, re.MULTILINE)
    found = record(here / "runs" / "flowers")["formulas"]
    assert found["early_stopping"] == "EarlyStopping(patience=2, monitor=F1(average='macro'))"
    assert found["metric"] == ["Recall(average='macro')", "F1(average='macro')"]
    lines = (here / "runs" / "flowers" / "history.csv").read_text().splitlines()
    assert lines[0].endswith("validation_cost,validation_recall,validation_f1")
    refused = [run(f"train flowers.csv {QUICK} --monitor {what}").err for what in ("f1", "confusion_matrix", "G1")]
    assert refused[0] == (
        "chainrule: --monitor says what early stopping watches, but nothing stops early. Choose --early-stopping too.\n"
    )
    assert refused[1].startswith("chainrule: --monitor: ConfusionMatrix() is a table, not a figure.")
    assert refused[2].startswith("chainrule: --monitor: Unknown formula 'G1'")


def test_an_empty_value_is_none(run, here, flowers):
    for options, sentence in (
        ('--out ""', "--out is empty. Name a folder, or leave it out."),
        ('--seed ""', "--seed must be a whole number from 0 to 4294967295, got ."),
    ):
        said = run(f"train flowers.csv {options}")
        assert (said.code, said.err) == (2, f"chainrule: {sentence}\n")
    assert run('train flowers.csv --optimizer ""').err.startswith("chainrule: --optimizer: ")
    assert not (here / "runs").exists()


def test_too_few_rows_are_mended_at_once(run, here):
    (here / "few.csv").write_text("a,b\n1,x\n2,y\n")
    said = run("train few.csv")
    assert said.err.endswith(", or run: chainrule train few.csv --test 0 --validation 0\n")
    assert run("train few.csv --test 0 --validation 0 --epochs 1").code == 0


def test_a_metric_that_does_not_fit_costs_no_training(run, here, prices):
    said = run('train prices.csv --metric "F1()" --validation 0 --epochs 40')
    assert (said.code, said.err) == (
        2,
        "chainrule: metric: F1() is for classes, but price is a value. Choose MAE(), RMSE(), R2() or MAPE().\n",
    )
    assert "run:" not in said.out
    assert not (here / "runs").exists()
