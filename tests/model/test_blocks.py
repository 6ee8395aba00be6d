"""Rows so many that they are predicted and measured block after block."""

import numpy as np
import pytest
from scipy.sparse import random_array

from chainrule.arrays import memory
from chainrule.arrays.masked import rows_of
from chainrule.data.preprocessing import Preprocessor
from chainrule.data.table import Table
from chainrule.metrics import Metric
from chainrule.model import Model
from chainrule.training import fit

ROWS = 1000
RNG = np.random.default_rng(0)
TABLE = {
    "age": RNG.normal(50, 9, ROWS).astype(np.float32),
    "city": RNG.choice(np.array(["Rome", "Oslo", "Bonn"], dtype=object), ROWS),
}
KINDS = TABLE | {"kind": RNG.choice(np.array(["a", "b", "c"], dtype=object), ROWS)}
PRICES = TABLE | {"price": 100 + 10 * RNG.normal(size=ROWS)}
CLASSES, VALUES = ["Accuracy()", "F1()", "TopK(2)", "ConfusionMatrix()"], ["R2()", "RMSE()", "MAE()"]


@pytest.fixture
def small(monkeypatch):
    """Blocks of 64 rows."""
    monkeypatch.setattr(memory, "NUMBERS", 64)
    monkeypatch.setattr(memory, "ROWS", 64)


def trained(columns) -> Model:
    preprocessor = Preprocessor.fit(columns)
    x, E = preprocessor.examples(columns)
    network = "Dense(3) >> Softmax()" if preprocessor.classes else "Dense(1)"
    options = {"classes": preprocessor.classes or None, "preprocessor": preprocessor, "progress": False}
    return fit(network, x, E, epochs=2, **options)


@pytest.fixture(scope="module")
def models() -> dict[str, Model]:
    return {"kind": trained(KINDS), "price": trained(PRICES)}


@pytest.fixture
def passing(monkeypatch):
    """How many rows went through a model at once, each time."""
    passed, outputs = [], Model.outputs
    monkeypatch.setattr(Model, "outputs", lambda self, x: passed.append(rows_of(x)) or outputs(self, x))
    return passed


@pytest.mark.parametrize(("target", "columns"), [("kind", KINDS), ("price", PRICES)])
def test_predictions_have_the_bits_of_the_whole(models, target, columns, passing, request):
    model = models[target]
    calls = [model, model.predict] + [model.predict_proba] * (target == "kind")
    whole = [call(columns) for call in calls]
    request.getfixturevalue("small")
    passing.clear()
    for data in (columns, Table(columns), Table(columns).take(np.arange(ROWS))):
        for call, expected in zip(calls, whole, strict=True):
            np.testing.assert_array_equal(call(data), expected)
    assert max(passing) < 128
    assert sum(passing) == 3 * len(calls) * ROWS


@pytest.mark.parametrize("weights", [None, RNG.random(ROWS), np.arange(ROWS) > 900], ids=["alike", "weighted", "few"])
@pytest.mark.parametrize(
    ("target", "columns", "metrics"), [("kind", KINDS, CLASSES), ("price", PRICES, VALUES)], ids=["classes", "values"]
)
def test_figures_are_those_of_the_whole(models, target, columns, metrics, weights, request):
    model, preprocessor = models[target], models[target].preprocessor
    whole = model.evaluate(columns, None, weights, metrics)
    x, E = preprocessor.examples(columns)
    assert repr(model.evaluate(x, E, weights, metrics)) == repr(whole)
    request.getfixturevalue("small")
    found = model.evaluate(columns, None, weights, metrics)
    assert [*found] == [*whole]
    for name, figure in found.items():
        np.testing.assert_allclose(figure, whole[name], rtol=1e-9)
    assert repr(model.evaluate(x, E, weights, metrics)) == repr(found)  # examples are measured in the same blocks


class Together(Metric):
    """How many examples it sees at once."""

    def __call__(self, a, E, weights=None):
        return float(len(a))


def test_a_metric_that_needs_all_outputs_gets_them_all(models, small):
    assert models["kind"].evaluate(KINDS, metrics=[Together()])["together"] == ROWS


def test_figures_that_training_follows_are_those_of_an_evaluation_in_blocks_too(small):
    x, y = RNG.normal(size=(ROWS, 3)).astype(np.float32), RNG.integers(0, 2, ROWS)
    model = fit("Dense(2) >> Softmax()", x, y, validation=(x, y), epochs=1, progress=False, metrics=["F1()"])
    found = model.evaluate(x, y, metrics=["F1()"])
    assert [model.history[f"validation_{name}"] for name in found] == [[figure] for figure in found.values()]


def test_sparse_examples_are_measured_in_blocks(models, request):
    x = random_array((ROWS, 40), density=0.05, rng=np.random.default_rng(0), format="csr")
    y = RNG.integers(0, 2, ROWS)
    model = fit("Dense(2) >> Softmax()", x, y, epochs=1, progress=False)
    whole = model.evaluate(x, y)
    request.getfixturevalue("small")
    assert model.evaluate(x, y) == pytest.approx(whole, rel=1e-6)
