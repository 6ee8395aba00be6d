"""A network with an open end trains as one that ends as its targets need, and says so."""

import numpy as np
import pytest

from chainrule.activations import Activation
from chainrule.costs import CategoricalCrossEntropy, Cost, CrossEntropy
from chainrule.errors import ChainruleError
from chainrule.layers import Dense
from chainrule.notation import as_chain, as_formula
from chainrule.training import fit
from chainrule.training.ending import ended

random = np.random.default_rng(0)
X = random.normal(size=(24, 4)).astype(np.float32)
CLASSES = (X @ random.normal(size=(4, 3))).argmax(axis=1)
NAMES = np.array(["ant", "bee", "cat"])[CLASSES]
VALUES = X[:, 0] - X[:, 1]


def train(network, y=CLASSES, x=X, **options):
    return fit(network, x, y, **({"epochs": 2, "batch_size": "all", "progress": False} | options))


def trained_on(network, y=CLASSES, x=X, cost=None):
    """The network that `fit` trains."""
    return ended(as_chain(network), x.shape[1:], y, None if cost is None else as_formula(cost, Cost), None)


@pytest.mark.parametrize(
    ("network", "y", "added", "aim"),
    [
        ("Dense(3)", CLASSES, "Softmax()", "3 classes"),
        ("Dense(8) >> ReLU() >> Dense(3)", NAMES, "Softmax()", "3 classes"),
        ("Dense(8) >> ReLU()", NAMES, "Dense(3) >> Softmax()", "3 classes"),
        ("Dense(8) >> Dropout(0.5)", NAMES, "Dense(3) >> Softmax()", "3 classes"),
        ("Dense(3) >> Tanh()", CLASSES, "Dense(3) >> Softmax()", "3 classes"),
        ("Dense(1)", NAMES == "ant", "Sigmoid()", "2 classes"),
        ("Dense(2)", NAMES == "ant", "Softmax()", "2 classes"),
        ("Dense(4) >> ReLU()", NAMES == "ant", "Dense(2) >> Softmax()", "2 classes"),
        ("Dense(8) >> ReLU()", VALUES, "Dense(1)", "1 value"),
        ("Dense(8) >> ReLU()", X[:, :2], "Dense(2)", "2 values"),
        ("Dense(8) >> Identity() + Dense(8)", NAMES, "Dense(3) >> Softmax()", "3 classes"),
        ("Dense(3) * Dense(3)", NAMES, "Softmax()", "3 classes"),
        ("Repeat(Identity() + Dense(4), 2)", VALUES, "Dense(1)", "1 value"),
    ],
)
def test_an_open_end_is_completed(network, y, added, aim):
    last = network.split(" >> ")[-1].replace("0.5", "rate=0.5")
    with pytest.warns(UserWarning, match="is added") as said:
        found = trained_on(network, y)
    assert [str(each.message) for each in said] == [f"The network ends in {last}: {added} is added, for {aim}."]
    assert found == as_chain(f"{network} >> {added}")
    assert trained_on(found, y) == found


@pytest.mark.parametrize("cost", [None, "CategoricalCrossEntropy()"])
def test_logarithms_of_probabilities_are_no_end_of_a_network_of_classes(cost):
    with pytest.raises(ChainruleError) as refused:
        train("Dense(3) >> LogSoftmax()", cost=cost)
    assert str(refused.value) == (
        "The network ends in LogSoftmax(), the logarithms of probabilities, where probabilities are expected. "
        "End it with Softmax(), which its cost is computed together with."
    )


@pytest.mark.parametrize(("network", "y", "added"), [("Dense(3)", NAMES, "Softmax()"), ("Tanh()", VALUES, "Dense(1)")])
def test_it_is_trained_as_one_with_that_end(network, y, added):
    with pytest.warns(UserWarning, match="is added") as said:
        model = train(network, y)
    assert said[0].filename == __file__
    whole = train(f"{network} >> {added}", y)
    assert (model.network, model.cost, model.history) == (whole.network, whole.cost, whole.history)
    if model.classes:
        assert np.all((model(X) >= 0) & (model(X) <= 1))


@pytest.mark.parametrize(
    ("network", "y", "cost", "added"),
    [
        ("Dense(3)", CLASSES, CategoricalCrossEntropy(), "Softmax()"),
        ("Dense(3)", CLASSES, "CrossEntropy()", "Sigmoid()"),
        ("Dense(1)", CLASSES % 2, "CrossEntropy", "Sigmoid()"),
        ("Dense(2)", NAMES == "bee", CrossEntropy(), "Sigmoid()"),
        ("Dense(3)", np.eye(3, dtype=np.float32)[CLASSES], "CategoricalCrossEntropy", "Softmax()"),
        ("Dense(2)", (X[:, :2] > 0).astype(np.float32), "CrossEntropy", "Sigmoid()"),
    ],
)
def test_a_cost_that_is_said_decides_by_its_canonical_activation(network, y, cost, added):
    with pytest.warns(UserWarning, match="is added"):
        found = trained_on(network, y, cost=cost)
    assert repr(found) == f"{network} >> {added}"


def test_a_cost_that_is_said_is_trained_on():
    with pytest.warns(UserWarning, match=r"Sigmoid\(\) is added"):
        model = train("Dense(3)", cost="CrossEntropy()")
    assert model.cost == CrossEntropy()
    assert np.isfinite(model.history["cost"]).all()


@pytest.mark.parametrize("network", ["Dense(3)", "Dense(3) >> ReLU()"])
def test_outputs_stay_as_they_are_where_the_cost_that_is_said_has_no_canonical_activation(network):
    assert trained_on(network, cost="Quadratic()") == as_chain(network)


@pytest.mark.parametrize(
    ("network", "y"),
    [
        ("Dense(3) >> Softmax()", NAMES),
        ("Dense(3) >> Sigmoid()", NAMES),
        ("Dense(1) >> Sigmoid()", NAMES == "ant"),
        ("Dense(1)", VALUES),
        ("Dense(1)", CLASSES),
        ("Dense(1) >> ReLU()", VALUES),
        ("Dense(1) >> Sigmoid()", (VALUES > 0).astype(np.float32)),
        ("Dense(2)", X[:, :2]),
    ],
)
def test_an_end_that_fits_stays(network, y):
    assert trained_on(network, y) == as_chain(network)


class Shares(Activation):
    """Somebody's own activation, which says that it gives probabilities."""

    probable = True
    textbook = "x"

    def __call__(self, x):
        return x**2 / (x**2).sum(-1, keepdims=True)


def test_an_activation_of_ones_own_may_end_a_network_of_classes():
    model = train(Dense(3) >> Shares())
    assert model.network == Dense(3) >> Shares()
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1, rtol=1e-6)


def test_images_are_flattened_and_steps_keep_their_own_classes():
    with pytest.warns(UserWarning, match=r"ends in ReLU\(\): Flatten\(\) >> Dense\(3\) >> Softmax\(\) is added"):
        trained_on('Conv2D(2, 3, padding="same") >> ReLU()', NAMES, X.reshape(24, 2, 2, 1))
    steps = np.stack([CLASSES, 2 - CLASSES], axis=1)
    with pytest.warns(UserWarning, match=r"ends in Dense\(3\): Softmax\(\) is added, for 3 classes"):
        found = trained_on("Dense(3)", steps, X.reshape(24, 2, 2))
    assert found.output_shape((2, 2)) == (2, 3)


def test_an_output_layer_of_another_size_is_refused():
    with pytest.raises(ChainruleError) as refused:
        train("Dense(4) >> ReLU() >> Dense(2)", NAMES)
    assert str(refused.value) == (
        "fit: the targets have 3 classes, but Dense(2) gives 2 outputs. End it with Dense(3) >> Softmax()."
    )
    with pytest.raises(ChainruleError, match=r"Change the last layer, Dense\(2\)\.$"):
        train("Dense(2)", VALUES)
