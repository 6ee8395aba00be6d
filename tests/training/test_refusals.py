"""What `fit` and a model say of arguments that can't be: one sentence of ours, never NumPy's or JAX's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule import NetworkClassifier
from chainrule.arrays.masked import Masked
from chainrule.data.loaders import from_arrays
from chainrule.errors import ChainruleError
from chainrule.layers import GRU, LSTM, GlobalAveragePool1D, GlobalMaxPool1D
from chainrule.optimizers import Adam, ClipNorm, GradientDescent
from chainrule.training import fit

X, Y = np.eye(4, 3), np.array([0, 1, 2, 0])
RAGGED = [np.ones((2, 3)), np.ones((1, 3)), np.ones((2, 3)), np.ones((2, 3))]
COMPLEX = "real numbers, got complex128. Make of a complex number two real ones."
TAGS = [[0, 1], [1], [0, 2], [1, 1]]
STEPS = "GRU(2, return_sequences=True) >> Dense(3) >> Softmax()"


def train(network="Dense(3) >> Softmax()", x=X, y=Y, **options):
    return fit(network, x, y, **{"epochs": 1, "batch_size": "all", "progress": False} | options)


@pytest.fixture(scope="module")
def model():
    return train()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": ["F1()"]},
         "fit: F1(average='macro') is measured on validation data. Give it (x, y), or choose validation=0.1."),
        ({"metrics": "F1()"}, "fit: metrics must be a list, got 'F1()'. Write ['F1()']."),
        ({"metrics": 3}, "fit: metrics must be a list, got 3. Write ['Accuracy()']."),
        ({"network": "Dense(1)", "y": X[:, 0] / 2, "metrics": ["Accuracy()"]},
         "Accuracy(): E[0] is 0.5, expected a class number from 0 to 1."),
        ({"network": "Dense(1)", "y": X[:, 0] + 7, "metrics": ["F1()"]},
         "fit: F1() is for classes, but y is a value. Choose MAE(), RMSE(), R2() or MAPE()."),
        ({"metrics": ["MAE()"]},
         "fit: MAE() is for values, but y is a class. Choose Accuracy(), Precision(), Recall() or F1()."),
        ({"network": "Dense(1) >> Sigmoid()", "y": np.array([0.0, -1.0, 1.0, 1.0])},
         "fit: y[1, 0] is -1.0, expected a number from 0 to 1."),
        ({"callbacks": 3}, "fit: callbacks must be a list of functions, got 3. Write [tell] for one."),
        ({"callbacks": [3]}, "fit: callbacks must be a list of functions, got [3]. Write [tell] for one."),
        ({"after": "model"}, "fit: after must be the checkpoint that a callback is told, got str."),
        ({"classes": 3}, "fit: classes must be a tuple of names, got 3. For example: ('ant', 'bee')."),
        ({"batch_size": np.ones(2)}, 'fit: batch_size must be a whole number >= 1 or "all", got array([1., 1.]).'),
        ({"x": X * 1j}, f"fit: expected x of {COMPLEX}"),
        ({"y": X * 1j}, f"fit: expected y of {COMPLEX}"),
        ({"sample_weight": Y * 1j}, f"fit: expected sample_weight of {COMPLEX}"),
        ({"y": [[1, 2], [3], [4], [5]]},
         "fit: expected targets of one shape, got rows of unequal length. Dense(3) has one output a row: an output for "
         "each step needs return_sequences=True, or no pooling."),
        ({"y": np.array(["2020-01-01"] * 4, "datetime64[D]")},
         "fit: expected y of classes or numbers, got datetime64[D]. Make numbers of it."),
        ({"x": [[1, 2], [3], [4], [5]]}, "fit: expected rows of as many values each, got rows of unequal length."),
        ({"x": np.ones((4, 0))}, "fit: expected examples with something in them, got shape (4, 0)."),
        ({"network": "LSTM(2) >> Dense(3)", "x": np.ones((4, 0, 3))},
         "fit: expected examples with something in them, got shape (4, 0, 3)."),
        ({"network": "ReLU()", "x": np.ones(4)},
         "fit: expected examples of features, got x of shape (4,). Write x[:, None]."),
        ({"network": "GRU(2) >> Dense(3) >> Softmax()", "x": Masked(np.ones((4, 2, 3)), np.ones((4, 3)))},
         "Masked: expected values (rows, time, …) and a mask (rows, time), got shapes (4, 2, 3) and (4, 3). "
         "Give a True or False for each step."),
        ({"network": STEPS, "x": RAGGED, "y": [[0, 1], [2], [0], [1, 1]]},
         "fit: y[2] has 1 step, but x[2] has 2. Give a target for each step."),
        ({"network": STEPS, "x": RAGGED, "y": [[0, 1], [2], [0, 1, 2], [1, 1]]},
         "fit: expected targets for the 2 steps of the network's outputs, got 3 steps."),
        ({"network": STEPS, "x": RAGGED, "y": TAGS[:3]},
         "fit: expected 4 targets, one for each example, got shape (3, 2)."),
        ({"network": STEPS, "x": RAGGED, "y": 3}, "fit: expected 4 targets, one for each example, got shape ()."),
        ({"network": STEPS, "x": RAGGED, "y": Y},
         "fit: expected targets for the 2 steps of the network's outputs, got shape (4,)."),
        ({"network": STEPS, "x": RAGGED, "y": np.ones((4, 1), int)},
         "fit: expected targets for the 2 steps of the network's outputs, got 1 step."),
        ({"network": STEPS, "x": RAGGED, "y": Masked(np.ones((4, 2), int), np.ones((4, 2), bool))},
         "fit: y[1] has 2 steps, but x[1] has 1. Give a target for each step."),
        ({"network": STEPS, "x": RAGGED, "y": Masked(np.ones((4, 2), int), np.zeros((4, 2), bool))},
         "fit: expected a step that is no padding, got none."),
        ({"network": STEPS, "x": RAGGED, "y": [[0, 1], [-100], [0, 1], [1, 1]]},
         "fit: expected class numbers 0, 1, …, got -100. Count classes from 0."),
        ({"network": STEPS, "x": RAGGED, "y": [[0, 1], ["a"], [0, None], [1, 1]]},
         "fit: y[2, 1] is None, expected a class. Fill the gap or leave the row out."),
        ({"network": STEPS, "x": RAGGED, "y": TAGS, "sample_weight": np.ones((4, 3))},
         "fit: expected sample_weight of shape (4,) or (4, 2), got (4, 3)."),
        ({"network": STEPS, "x": RAGGED, "y": TAGS, "sample_weight": [np.ones(9), *map(np.ones_like, TAGS[1:])]},
         f"fit: sample_weight[0] has 9 steps, but y[0] has {len(TAGS[0])}. Give a weight for each step."),
        ({"network": STEPS, "x": RAGGED, "y": TAGS, "sample_weight": [np.ones(1)] * 4},
         "fit: expected sample_weight of shape (4,) or (4, 2), got (4, 1)."),
        ({"network": STEPS, "x": Masked(np.ones((4, 2, 3)), np.full((4, 2), 0.5)), "y": TAGS},
         "fit: expected a mask of True and False, got 0.5. Write mask > 0."),
        ({"network": STEPS, "x": RAGGED, "y": TAGS, "sample_weight": np.outer(np.eye(4)[1], [0, 1])},
         "fit: sample_weight is zero at every step that is no padding."),
        ({"network": "GRU(2) >> Dense(3) >> Softmax()", "x": RAGGED, "y": TAGS},
         "fit: expected targets of one shape, got rows of unequal length. Dense(3) has one output a row: an output for "
         "each step needs return_sequences=True, or no pooling."),
    ],
)  # fmt: skip
def test_fit_says_what_is_wrong(options, message):
    with pytest.raises(ChainruleError) as caught:
        train(**options)
    assert str(caught.value) == message


@pytest.mark.parametrize("transform", [jax.jit, jax.vmap, lambda model: jax.grad(lambda x: model(x).sum())])
def test_a_model_names_what_goes_into_programs(model, transform):
    with pytest.raises(ChainruleError) as caught:
        transform(model)(X)
    assert str(caught.value) == (
        f"{model.network!r}: a model runs compiled programs of its own, on arrays, and got a tracer. Within jax.jit, "
        "vmap or grad call model.network.forward(model.parameters, x)."
    )
    inside = jax.jit(lambda x: model.network.forward(model.parameters, x))
    np.testing.assert_allclose(inside(jnp.asarray(X)), model(X), rtol=1e-6)


@pytest.mark.parametrize("metrics", [3, "F1()"])
def test_evaluate_takes_a_list_of_metrics(model, metrics):
    with pytest.raises(ChainruleError, match="evaluate: metrics must be a list, got"):
        model.evaluate(X, Y, metrics=metrics)


@pytest.mark.parametrize("layer", [LSTM(2), GRU(2), GlobalMaxPool1D(), GlobalAveragePool1D()], ids=repr)
def test_sequences_without_steps_are_refused(layer):
    shapes = "at least one step" if isinstance(layer, LSTM | GRU) else "at least one place"
    for refused in (lambda: layer.output_shape((0, 3)), lambda: layer.forward({}, jnp.ones((4, 0, 3)))):
        with pytest.raises(ChainruleError, match=f"expected {shapes}, got shape \\(0, 3\\). Leave "):
            refused()


@pytest.mark.parametrize("state", [None, {}, 3, Adam().init(jnp.ones(2)), Adam().init({"w": jnp.ones(3)})], ids=str)
def test_a_state_of_other_parameters_is_refused(state):
    with pytest.raises(ChainruleError) as caught:
        Adam().update(jnp.ones(3), state)
    said = "expected the state of parameters like the gradients. Begin with init(parameters)."
    assert str(caught.value) == f"{Adam()!r}: {said}"


def test_evaluate_refuses_metrics_of_values_for_classes(model):
    with pytest.raises(ChainruleError, match=r"^evaluate: R2\(\) is for values, but y is a class\. "):
        model.evaluate(X, Y, metrics=["R2()"])


class OfAll(GradientDescent):
    """Descent that asks for all examples at once."""

    whole_batch = True


def test_an_optimizer_may_ask_for_all_examples_at_once():
    assert train(optimizer=OfAll(), batch_size=None).training["batch_size"] == "all"
    who = "OfAll(learning_rate=0.01)"
    with pytest.raises(ChainruleError) as caught:
        train(optimizer=ClipNorm(1.0) >> OfAll(), batch_size=3)
    assert str(caught.value) == (
        f'batch_size must be "all" for ClipNorm(max_norm=1.0) >> {who}, whose steps are for all examples at once; '
        "got 3. Leave it out."
    )
    with pytest.raises(ChainruleError) as caught:
        train(x=from_arrays(X, Y), y=None, optimizer=OfAll(), batch_size=None)
    assert str(caught.value) == (
        f"fit: the steps of {who} are for all examples at once, and a loader gives parts. Choose Adam()."
    )
    model = NetworkClassifier((2,), optimizer=OfAll(), epochs=1).fit(np.eye(300, 3), np.arange(300) % 3)
    assert model.model_.training["batch_size"] == "all"
