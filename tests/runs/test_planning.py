"""What is chosen for a run, and refused before it begins: by the names of arguments."""

import re

import pytest

from chainrule import ChainruleError, EarlyStopping
from chainrule.metrics import F1
from chainrule.runs import plan

REFUSED = {
    "test must be a fraction from 0 up to 1, or a file, got 2.": {"test": 2},
    "validation must be a fraction from 0 up to 1, or a file, got nan.": {"validation": float("nan")},
    "validation must be a fraction from 0 up to 1, or a file, got .": {"validation": ""},
    "seed must be a whole number from 0 to 4294967295, got -1.": {"seed": -1},
    "epochs must be a whole number from 1 to 1000000000, got '{x}'.": {"epochs": "{x}"},
    'batch_size must be a whole number of 1 or more, or "all", got 0.': {"batch_size": 0},
    "batch_size must be a whole number of 1 or more, or \"all\", got 'some'.": {"batch_size": "some"},
    "early_stopping watches the validation cost: choose validation too, such as 0.1.": {
        "early_stopping": 3,
        "validation": 0,
    },
    "monitor says what early stopping watches, but nothing stops early. Choose early_stopping too.": {
        "monitor": "F1()",
        "early_stopping": "never",
    },
    "metrics: ConfusionMatrix() is a table, not a figure. A run keeps it as confusion.png.": {
        "metrics": ["ConfusionMatrix()"]
    },
}


@pytest.mark.parametrize(("sentence", "choices"), REFUSED.items(), ids=[" ".join(each) for each in REFUSED.values()])
def test_refusals_name_arguments(here, flowers, sentence, choices):
    with pytest.raises(ChainruleError, match=f"^{re.escape(sentence)}$"):
        plan("flowers.csv", **choices)


def test_balanced_is_for_classes(here, prices):
    with pytest.raises(
        ChainruleError, match=r"^balanced is for classes, but what is predicted \(price\) is no class\. "
    ):
        plan("prices.csv", balanced=True)


def test_nothing_is_said_of_reading_a_table():
    columns = {"n": [1.0, 2.0] * 20, "kind": ["a", "b"] * 20}
    with pytest.raises(ChainruleError, match=r"^separator says how a file is read, but the data are a table already"):
        plan(columns, separator=";")


@pytest.mark.parametrize(
    ("choices", "stopping"),
    [
        ({}, EarlyStopping(60)),
        ({"early_stopping": 7}, EarlyStopping(7)),
        ({"early_stopping": "EarlyStopping(7)"}, EarlyStopping(7)),
        ({"early_stopping": EarlyStopping(7, monitor=F1()), "monitor": "cost"}, EarlyStopping(7)),
        ({"monitor": F1()}, EarlyStopping(60, monitor=F1())),
        ({"early_stopping": "never"}, None),
        ({"validation": 0}, None),
        ({"epochs": 4}, None),
    ],
    ids=str,
)
def test_early_stopping(here, flowers, choices, stopping):
    assert plan("flowers.csv", **choices).early_stopping == stopping
