"""How rows are divided by time and by group, and found again."""

import csv
import json
import shlex

import numpy as np
import pytest

from chainrule import load
from chainrule.data.schema import Schema
from chainrule.data.table import as_table

QUICK = '--network "Dense(2) >> Softmax()" --epochs 2 --out run'


@pytest.fixture
def visits(here):
    """50 visits on days in no order, of 10 patients; the later ones have larger sizes."""
    days = np.random.default_rng(0).permutation(50)
    dates = [f"{np.datetime64('2024-01-01') + day}" for day in days]
    rows = [(date, f"0{n % 10}", day, "ab"[n % 2]) for n, (date, day) in enumerate(zip(dates, days, strict=True))]
    with open("visits.csv", "w", newline="") as file:
        csv.writer(file).writerows([("on the day", "patient", "size", "kind"), *rows])
    return rows


def test_the_latest_rows_test(run, visits, here):
    said = run(f"train visits.csv --order-by 'on the day' --drop patient {QUICK}")
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines()[1] == "rows: 35 to train, 5 to validate, 10 to test, in the order of on the day"
    schema = load("run").preprocessor.schema
    assert (schema.order_by, schema.inputs) == ("on the day", ("on the day", "size"))
    [size] = [column for column in load("run").preprocessor.columns if column.name == "size"]
    assert size.mean == (17.0,)  # the first 35 days
    assert 'order_by = "on the day"' in (here / "run" / "run.toml").read_text()
    expected = json.loads((here / "run" / "metrics.json").read_text())["test"]["cost"]
    said = run("evaluate run visits.csv")
    assert "10 rows to test" in said.out
    assert f"{expected:.4f}" in said.out


def test_no_group_is_in_two_parts(run, visits, here):
    said = run(f"train visits.csv --group patient {QUICK}")
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines()[1] == "rows: 35 to train, 5 to validate, 10 to test, each patient in one part"
    schema = load("run").preprocessor.schema
    assert (schema.group, schema.inputs, schema.text) == ("patient", ("on the day", "size"), ("kind", "patient"))
    expected = json.loads((here / "run" / "metrics.json").read_text())["test"]["cost"]
    said = run("evaluate run visits.csv")
    assert "10 rows to test" in said.out
    assert f"{expected:.4f}" in said.out
    said = run("predict run visits.csv")
    assert (said.code, said.err) == (0, "")
    (here / "new.csv").write_text(
        "on the day,size,kind\n" + "".join(f"{day},{size},{kind}\n" for day, _, size, kind in visits)
    )
    assert run("predict run new.csv") == said
    assert "10 rows to test" in run("evaluate run new.csv").out


def test_an_order_may_be_numbers_and_no_input(run, visits):
    said = run(f"train visits.csv --order-by size --drop size --drop patient {QUICK}")
    assert (said.code, said.err) == (0, "")
    assert load("run").preprocessor.schema.inputs == ("on the day",)
    said = run(f"train visits.csv --order-by 'on the day' --drop 'on the day' --drop patient {QUICK}-2")
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines()[1].endswith("35 to train, 5 to validate, 10 to test, in the order of on the day")


def test_the_way_of_a_table():
    table = {"t": ["3/1/2020", "31/1/2020"], "g": [1, 2.5], "x": [1.5, 2.5], "kind": ["a", "b"]}
    assert Schema.of(table, order_by="t").way(Schema.of(table).complete(table))["order"].tolist() == [18264, 18292]
    stamps = np.array([2**60 + 1, 2**60])  # nanoseconds, which float64 would not tell apart
    order = Schema.of(table | {"t": stamps}, order_by="t", drop="t").way(as_table({"t": stamps}))["order"]
    assert (order.dtype, order.tolist()) == (np.int64, stamps.tolist())
    assert Schema.of(table, group="g").way(Schema.of(table).complete(table))["groups"].tolist() == ["1", "2.5"]
    assert Schema.of(table).way(Schema.of(table).complete(table))["classes"].tolist() == ["a", "b"]
    assert Schema.of(table, target="x").way(Schema.of(table).complete(table)) == {}


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (
            "--order-by size --group patient",
            "visits.csv: rows are divided in one way, not by order and groups. Choose one.",
        ),
        ("--group kind --target kind", "visits.csv: column 'kind' is both the target and the group. Choose one."),
        (
            "--group patents",
            "visits.csv: there is no column 'patents'. Did you mean patient? The columns are on the day, patient, "
            "size, kind.",
        ),
        ("--order-by kind", "visits.csv: column 'kind' is both the target and the order. Choose one."),
        (
            "--order-by kind --target size",
            "visits.csv: an order needs numbers or dates, and column 'kind' is text. Order by another column.",
        ),
        (
            "--group size --test 0.99",
            "Validation and test must be fractions from 0 up to 1, together below 1; got 0.1 and 0.99.",
        ),
    ],
)
def test_refusals(run, visits, choices, message):
    said = run(f"train visits.csv {choices} {QUICK}")
    assert (said.code, said.err) == (2, f"chainrule: {message}\n")


def test_a_blank_cell_has_no_place(run, visits, here):
    text = (here / "visits.csv").read_text()
    (here / "visits.csv").write_text(text + ",00,3,a\n")
    said = run(f"train visits.csv --order-by 'on the day' --drop 'on the day' {QUICK}")
    assert said.err == (
        "chainrule: visits.csv, line 52, column 'on the day': is blank, but rows are divided by it. "
        "Fill it, or run: chainrule train visits.csv --order-by 'on the day' --drop 'on the day' "
        f"{shlex.join(shlex.split(QUICK))} --missing drop\n"
    )
    assert run(f"train visits.csv --order-by 'on the day' --drop 'on the day' --missing drop {QUICK}").code == 0
    assert run("evaluate run visits.csv").code == 0


def test_a_column_named_by_digits(run, here):
    (here / "years.csv").write_text("2020,2021\n" + "".join(f"{n},{'ab'[n % 2]}\n" for n in range(30)))
    assert run(f"train years.csv --target 2021 {QUICK}").code == 0
    assert 'target = ["2021"]' in (here / "run" / "run.toml").read_text()
