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
        ({}, EarlyStopping(50)),
        ({"early_stopping": 7}, EarlyStopping(7)),
        ({"early_stopping": "EarlyStopping(7)"}, EarlyStopping(7)),
        ({"early_stopping": EarlyStopping(7, monitor=F1()), "monitor": "cost"}, EarlyStopping(7)),
        ({"monitor": F1()}, EarlyStopping(50, monitor=F1())),
        ({"early_stopping": "never"}, None),
        ({"validation": 0}, None),
        ({"epochs": 4}, None),
    ],
    ids=str,
)
def test_early_stopping(here, flowers, choices, stopping):
    assert plan("flowers.csv", **choices).early_stopping == stopping


VALUE = {
    "metric: F1() is for classes, but price is a value. Choose MAE(), RMSE(), R2() or MAPE().": {"metrics": ["F1()"]},
    "monitor: Accuracy() is for classes, but price is a value. Choose MAE(), RMSE(), R2() or MAPE().": {
        "monitor": "Accuracy()",
        "early_stopping": 3,
    },
    "The network ends in Sigmoid(), but price is a value. End it with Dense(1).": {"network": "Dense(1) >> Sigmoid()"},
    "The network ends in Softmax(), but price is a value. End it with Dense(1).": {"network": "Dense(3) >> Softmax()"},
    "The network ends in Dense(3), but price is a value. End it with Dense(1).": {"network": "Dense(3)"},
    "The network ends in Dense(4), but price is a value, and GaussianNLL() takes 2 outputs for each. "
    "End it with Dense(2).": {"network": "Dense(4)", "cost": "GaussianNLL()"},
    "cost: CategoricalCrossEntropy() is for classes, but price is a value. Choose Quadratic().": {
        "network": "Dense(1)",
        "cost": "CategoricalCrossEntropy()",
    },
}
CLASS = {
    "metric: R2() is for values, but kind is a class. Choose Accuracy(), Precision(), Recall() or F1().": {
        "metrics": ["R2()"]
    },
    "metric: TopK(k=5) tells nothing of fewer than 6 classes, but kind has 2. "
    "Choose Accuracy(), Precision(), Recall() or F1().": {"metrics": ["TopK(5)"]},
    "monitor: MAE() is for values, but kind is a class. Choose Accuracy(), Precision(), Recall() or F1().": {
        "early_stopping": "EarlyStopping(3, monitor=MAE())"
    },
    "fit: the targets have 2 classes, but Dense(3) gives 3 outputs. End it with Dense(2) >> Softmax().": {
        "network": "Dense(3) >> Softmax()"
    },
}


@pytest.mark.parametrize(("sentence", "choices"), VALUE.items(), ids=map(str, VALUE.values()))
def test_what_is_not_for_a_value(here, prices, sentence, choices):
    with pytest.raises(ChainruleError, match=f"^{re.escape(sentence)}$"):
        plan("prices.csv", **choices)


@pytest.mark.parametrize(("sentence", "choices"), CLASS.items(), ids=map(str, CLASS.values()))
def test_what_is_not_for_classes(here, flowers, sentence, choices):
    with pytest.raises(ChainruleError, match=f"^{re.escape(sentence)}$"):
        plan("flowers.csv", **choices)


def test_rows_of_a_test_file_that_training_sees(here, prices):
    lines = prices.read_text().splitlines(keepends=True)
    (here / "test.csv").write_text("".join([lines[0], *lines[1:8], "1.5,1.5,225\n"]))
    with pytest.warns(UserWarning, match="^test.csv: 7 of its 8 rows are seen in training too: take them out to be "):
        plan("prices.csv", test="test.csv")
    (here / "new.csv").write_text("".join([lines[0], "1.5,1.5,225\n"]))
    plan("prices.csv", test="new.csv")  # silently, as warnings are errors here


def test_values_stay_within_what_a_cost_takes(prices):
    with pytest.warns(UserWarning, match=r"Dense\(1\): Exp\(\) is added, for 1 value"):
        planned = plan(str(prices), cost="Gamma()", network="Dense(1)")
    _, y, _ = planned.examples("train")
    assert y.min() > 0
    assert y.mean() == pytest.approx(1)
    [column] = planned.preprocessor.predicted
    assert (column.mean, column.scale[0] > 100) == ((0.0,), True)
    prices.write_text("width,share\n" + "".join(f"{n},{n / 40}\n" for n in range(41)))
    planned = plan(str(prices), cost="CrossEntropy()", network="Dense(1) >> Sigmoid()")
    assert (planned.preprocessor.units, planned.preprocessor.task) == ((1, 0), "regression")
    raw = plan(str(prices), cost="SquaredLog()", network="Dense(1) >> Softplus()").preprocessor.predicted[0]
    assert (raw.mean, raw.scale) == ((0.0,), (1.0,))


def test_costs_of_several_outputs_for_each_value(prices):
    assert repr(plan(str(prices), cost="GaussianNLL()").network.layers[-1]) == "Dense(2)"
    with pytest.warns(UserWarning, match=r"^The network ends in ReLU\(\): Dense\(3\) is added, for 1 value\.$"):
        planned = plan(str(prices), cost="Quantile((0.1, 0.5, 0.9))", network="Dense(5) >> ReLU()")
    assert repr(planned.network) == "Dense(5) >> ReLU() >> Dense(3)"


def test_a_cost_that_takes_no_classes_regresses_whole_numbers(here):
    (here / "counts.csv").write_text("size,count\n" + "".join(f"{n / 7},{n % 4}\n" for n in range(40)))
    assert plan("counts.csv").preprocessor.task == "classification"
    assert plan("counts.csv", cost="Poisson()", network="Dense(1) >> Exp()").preprocessor.task == "regression"
    with pytest.raises(ChainruleError) as caught:
        plan("counts.csv", cost="Poisson()", task="classification")
    assert str(caught.value) == (
        "cost: Poisson() is for values, but count is a class. Choose CategoricalCrossEntropy()."
    )
    (here / "kinds.csv").write_text("size,kind\n" + "".join(f"{n / 7},{'ab'[n % 2]}\n" for n in range(40)))
    with pytest.raises(ChainruleError) as caught:
        plan("kinds.csv", cost="GaussianNLL()")
    assert str(caught.value) == (
        "kinds.csv: regression needs numbers, and the target 'kind' is text. Name another target, or choose a cost for "
        "classes in the place of GaussianNLL()."
    )
    for cost in ("Quadratic()", "CrossEntropy()"):
        said = (
            f"cost: {cost} is taken as it is said; the one that belongs to Softmax(), and is computed with it, is "
            f"CategoricalCrossEntropy()."
        )
        with pytest.warns(UserWarning, match=f"^{re.escape(said)}$"):
            plan("kinds.csv", cost=cost)
    for cost in ("CategoricalFocal()", "KullbackLeibler()", "CategoricalCrossEntropy()"):
        plan("kinds.csv", cost=cost)  # silently


def test_more_classes_than_rows_tell_of(here):
    (here / "names.csv").write_text("size,name\n" + "".join(f"{n / 7},n{n % 21}\n" for n in range(40)))
    said = (
        "The target 'name' has 21 classes in 40 rows, more than half as many: it may be a value, or a name of each row."
    )
    with pytest.warns(UserWarning, match=f"^{re.escape(said)}$"):
        plan("names.csv", target="name", test=0, validation=0)
    (here / "names.csv").write_text("size,name\n" + "".join(f"{n / 7},n{n % 20}\n" for n in range(40)))
    plan("names.csv", target="name", test=0, validation=0)  # silently
