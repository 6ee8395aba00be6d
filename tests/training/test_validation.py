"""What is measured on held-out examples: the figures of `Model.evaluate`, from data that reach the device once."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from chainrule.arrays.masked import Masked
from chainrule.data.loaders import from_arrays
from chainrule.data.preprocessing import Preprocessor
from chainrule.training import fit, validation

random = np.random.default_rng(0)
X = random.normal(size=(60, 4)).astype(np.float32)
Y = (X @ random.normal(size=(4, 3))).argmax(axis=1)
WEIGHTS = random.uniform(0.1, 2, 60)
SERIES = random.normal(size=(60, 5, 2)).astype(np.float32)
STEPS = np.arange(5) < random.integers(1, 6, 60)[:, None]
CLASSIFIER = "Dense(8) >> Tanh() >> Dense(3) >> Softmax()"

SETS = {
    "classes": (CLASSIFIER, X, Y, None, ["Accuracy()", "F1()", "TopK(2)"]),
    "classes by weight": (CLASSIFIER, X, Y, WEIGHTS, ["Accuracy()", "Recall()"]),
    "values": ("Dense(1)", X, X[:, 0] + 1, WEIGHTS, ["MAE()", "RMSE()", "R2()"]),
    "sparse rows": (CLASSIFIER, csr_array(np.where(X > 1, X, 0)), Y, None, ["Accuracy()"]),
    "sequences of unequal length": ("GRU(4) >> Dense(3) >> Softmax()", Masked(SERIES, STEPS), Y, None, ["F1()"]),
    "steps of sequences": (
        "GRU(4, return_sequences=True) >> Dense(3) >> Softmax()",
        Masked(SERIES, STEPS),
        np.arange(300).reshape(60, 5) % 3,
        None,
        ["Accuracy()"],
    ),
    "statistics": ("BatchNorm() >> Dense(3) >> Softmax()", X, Y, None, ["Accuracy()"]),
}


@pytest.mark.by_turns(2)
@pytest.mark.parametrize("kind", SETS)
def test_the_figures_are_those_of_an_evaluation_to_the_bit(kind):
    network, x, y, weights, metrics = SETS[kind]
    held_out = (x, y) if weights is None else (x, y, weights)
    options = {"epochs": 2, "batch_size": 20, "regularizer": "L2(0.1)", "progress": False}
    model = fit(network, x, y, validation=held_out, metrics=metrics, **options)
    found = {f"validation_{name}": value for name, value in model.evaluate(*held_out, metrics=metrics).items()}
    assert found == {name: value for name, value in model.history.rows[-1].items() if name.startswith("validation_")}


def test_values_of_a_table_are_measured_in_their_own_units():
    table = {"a": X[:, 0], "b": X[:, 1], "price": 1000 + 50 * X[:, 0]}
    preprocessor = Preprocessor.fit(table)
    x, E = preprocessor.inputs(table), preprocessor.targets(table)
    model = fit(
        "Dense(1)", x, E, preprocessor=preprocessor, validation=(x, E), metrics=["MAE()"], epochs=1, progress=False
    )
    assert model.history["validation_mae"] == [model.evaluate(table)["mae"]]
    assert model.history["validation_mae"][0] > 1


def test_the_examples_reach_the_device_once(monkeypatch):
    brought = []
    measurable = validation.measurable

    def measured(model, x, E, weights, cut):
        brought.append([len(each[-1]) for each in cut(len(E), x, E)])
        return measurable(model, x, E, weights, cut)

    monkeypatch.setattr(validation, "measurable", measured)
    fit(CLASSIFIER, X, Y, validation=(X[:50], Y[:50]), epochs=5, progress=False)
    assert brought == [[50]]  # in one batch


def test_all_parts_of_a_loader_are_measured():
    loader = from_arrays(X, Y, WEIGHTS.astype(np.float32), size=25)
    options = {"epochs": 2, "batch_size": 20, "metrics": ["F1()"], "progress": False}
    whole = fit(CLASSIFIER, X, Y, validation=(X, Y, WEIGHTS), **options)
    model = fit(CLASSIFIER, X, Y, validation=loader, **options)
    for name in ("validation_cost", "validation_f1"):
        assert model.history[name] == pytest.approx(whole.history[name], rel=1e-6)
