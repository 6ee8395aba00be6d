import json
import re

import numpy as np
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


def test_all_of_them_if_asked(run, trained):
    name = "flowers.csv, 40 rows, the training part among them"
    assert figures(run("evaluate run flowers.csv --all").out)[1] == name


def test_other_data(run, trained, here):
    lines = (here / "flowers.csv").read_text().splitlines()
    (here / "other.csv").write_text("\n".join(lines[:11]))
    assert figures(run("evaluate run other.csv").out)[1] == "other.csv, 10 rows"


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
    assert figures(run("evaluate run new.csv").out)[1] == "new.csv, 10 rows"


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
