import csv
import json
import re
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

TRAIN = 'train flowers.csv --network "Dense(2) >> Softmax()" --epochs 3 --out run'


def figures(text: str) -> tuple[list[str], str, list[float]]:
    """The columns, the row's name and its figures."""
    _, names, _, row, *_ = [re.split("  +", line.strip()) for line in text.splitlines()]
    return names, row[0], [float(value.replace(",", "")) for value in row[1:]]


def test_the_data_of_training_are_measured_on_their_test_part(run, trained, here):
    said = run("evaluate run flowers.csv")
    assert (said.code, said.err) == (0, "")
    expected = json.loads((here / "run" / "metrics.json").read_text())["test"]
    expected = [round(expected[name], 4) for name in ("cost", "accuracy")]
    assert figures(said.out) == (["cost", "accuracy"], "flowers.csv, 8 rows to test", expected)


def named(run, file: str, model: str = "run", options: str = "") -> str:
    """What an evaluation calls the rows that it measured."""
    said = run(f"evaluate {model} {file} {options}")
    assert (said.code, said.err) == (0, "")
    return figures(said.out)[1]


@pytest.fixture
def lines(trained, here) -> list[str]:
    return (here / "flowers.csv").read_text().splitlines()


def test_all_of_them_if_asked(run, trained):
    assert named(run, "flowers.csv", options="--all") == "flowers.csv, 40 rows, 32 of them seen in training"


def test_the_data_of_training_are_known_by_their_rows(run, here, lines):
    """Under another name, with their rows or columns in another order, in another format."""
    expected = figures(run("evaluate run flowers.csv").out)[2]
    shuffled = [lines[0], *np.random.default_rng(0).permutation(lines[1:])]
    (here / "shuffled.csv").write_text("\n".join(shuffled))
    cells = [list(column) for column in zip(*csv.reader(lines), strict=True)]
    (here / "turned.tsv").write_text("\n".join("\t".join(row) for row in zip(*reversed(cells), strict=True)))
    columns = {name: [float(c) for c in column] if name in ("length", "width") else column for name, *column in cells}
    parquet.write_table(pa.table(columns), here / "table.parquet")
    for file in ("shuffled.csv", "turned.tsv", "table.parquet"):
        _, name, values = figures(run(f"evaluate run {file}").out)
        assert (name, values) == (f"{file}, 8 rows to test", expected)


def test_equal_rows_are_counted(run, here):
    rows = [f"{n % 3},{n % 2},{'ab'[n % 2]}" for n in range(60)]
    for name, order in (("few", rows), ("turned", rows[::-1])):
        (here / f"{name}.csv").write_text("\n".join(["length,width,kind", *order]))
    assert run('train few.csv --network "Dense(2) >> Softmax()" --epochs 1 --out run').code == 0
    expected = json.loads((here / "run" / "metrics.json").read_text())["test"]
    _, name, values = figures(run("evaluate run turned.csv").out)
    assert name == "turned.csv, 12 rows to test"
    assert values == [round(expected[name], 4) for name in ("cost", "accuracy")]


def test_rows_of_training_among_others_are_counted(run, here, lines):
    others = ["9,9,red,rose", "8,9,red,iris"]
    for name, rows in {
        "more": [*lines[1:], others[0]],
        "fewer": lines[2:],
        "part": lines[1:11],
        "flowers": [*others, *lines[3:]],
        "other": others,
    }.items():
        (here / "new").mkdir(exist_ok=True)
        (here / "new" / f"{name}.csv").write_text("\n".join([lines[0], *rows]))
    found = {name: named(run, f"new/{name}.csv") for name in ("more", "fewer", "part", "flowers", "other")}
    assert found["more"] == "more.csv, 41 rows, 32 of them seen in training"
    assert found["other"] == "other.csv, 2 rows"
    for name, rows in (("fewer", 39), ("part", 10), ("flowers", 40)):  # the same name and number of rows, even
        seen = re.fullmatch(rf"{name}\.csv, {rows} rows, (\d+) of them seen in training", found[name])
        assert rows - 10 <= int(seen[1]) < rows


def test_files_as_parts_are_known_too(run, here, lines):
    (here / "later.csv").write_text("\n".join([lines[0], "9,9,red,rose", "8,9,red,iris"]))
    run(f"{TRAIN}2 --test later.csv")
    assert named(run, "later.csv", "run2") == "later.csv, 2 rows"
    assert named(run, "flowers.csv", "run2") == "flowers.csv, 40 rows, 40 of them seen in training"
    run(f"{TRAIN}3 --validation later.csv")
    assert named(run, "later.csv", "run3") == "later.csv, 2 rows, 2 of them seen in training"
    assert named(run, "flowers.csv", "run3") == "flowers.csv, 8 rows to test"


def test_without_the_run_it_is_not_known(run, here, trained):
    shutil.copy(here / "run" / "model.safetensors", here / "alone.safetensors")
    said = run("evaluate alone.safetensors flowers.csv")
    assert figures(said.out)[1] == "flowers.csv, 40 rows"
    note = "note: no rows.safetensors is beside alone.safetensors: which rows training has seen is not known.\n"
    assert said.err == note
    assert named(run, "flowers.csv", "run/model.safetensors") == "flowers.csv, 8 rows to test"


def test_a_damaged_record_of_rows_is_refused(run, here, trained):
    (here / "run" / "rows.safetensors").write_bytes(b"x" * 20)
    said = run("evaluate run/model.safetensors flowers.csv")
    assert said.code == 2
    assert "rows.safetensors: can't be read" in said.err
    assert said.err.endswith("Use an intact copy, or remove it.\n")


def test_more_metrics(run, trained):
    columns, _, values = figures(run("evaluate run flowers.csv --metric F1 --metric 'TopK(1)' --metric Accuracy").out)
    assert columns == ["cost", "accuracy", "f1", "top k 1"]
    assert values[1] == values[3]


def test_a_regression(run, prices, here):
    run('train prices.csv --network "Dense(1)" --epochs 2 --out run')
    expected = json.loads((here / "run" / "metrics.json").read_text())["test"]
    columns, _, values = figures(run("evaluate run prices.csv").out)
    assert columns == ["cost", "r2", "rmse", "mae"] == list(expected)
    assert values == [round(value, 4) for value in expected.values()]


def test_a_test_part_of_its_own(run, here):
    x = np.random.default_rng(0).normal(size=(50, 2))
    np.savez(here / "points.npz", x=x[:40], y=x[:40, 0] > 0, x_test=x[40:], y_test=x[40:, 0] > 0)
    run('train points.npz --network "Dense(2) >> Softmax()" --epochs 2 --out run')
    expected = json.loads((here / "run" / "metrics.json").read_text())["test"]
    _, name, values = figures(run("evaluate run points.npz").out)
    assert name == "points.npz (test), 10 rows to test"
    assert values == [round(value, 4) for value in expected.values()]


def test_blank_cells_are_treated_as_in_training(run, flowers, here):
    lines = flowers.read_text().splitlines()
    run(f"{TRAIN} --missing drop")
    (here / "new.csv").write_text("\n".join([*lines[:11], ",1,red,rose", "1,1,red,"]))
    assert figures(run("evaluate run new.csv").out)[1] == "new.csv, 10 rows, 7 of them seen in training"


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        (
            "length,width,colour",
            "1,2,red",
            "new.csv: there is no column 'kind'. The columns are length, width, colour.",
        ),
        ("length,width,kind", "1,2,rose", "new.csv: there is no column 'colour'. The columns are length, width, kind."),
        (
            "length,width,colour,kind",
            "1,2,red,tulip",
            "new.csv, line 2, column 'kind': the class 'tulip' was never seen in training (iris, rose). "
            "Mend the cell, or train on rows of that class.",
        ),
        (
            "length,width,colour,kind",
            "1,,red,rose",
            "new.csv: blank cells in width (1). Fill them, or train with --missing median.",
        ),
    ],
)
def test_rows_that_do_not_fit(run, trained, here, header, row, message):
    (here / "new.csv").write_text(f"{header}\n{row}\n")
    assert run("evaluate run new.csv") == (2, "", f"chainrule: {message}\n")


def test_values_that_training_never_showed_are_noted(run, trained, here):
    (here / "new.csv").write_text("length,width,colour,kind\n1,2,green,rose\n2,2,red,iris\n")
    said = run("evaluate run new.csv")
    assert (said.code, said.err) == (
        0,
        "note: column 'colour': training never showed green (1); such cells count as none of the known values.\n",
    )
