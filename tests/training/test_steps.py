"""Outputs for each step of sequences of unequal length: trained, measured and predicted as if nothing were padded."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.arrays.masked import Masked, parts
from chainrule.costs import CategoricalCrossEntropy, Cost, CrossEntropy, Quadratic
from chainrule.costs.base import summed
from chainrule.errors import ChainruleError
from chainrule.formula.layer import Context
from chainrule.formula.network import regularized
from chainrule.metrics import F1, MAE, RMSE, Accuracy, TopK
from chainrule.model import load
from chainrule.model.targets import for_steps
from chainrule.notation import as_chain
from chainrule.optimizers import GradientDescent
from chainrule.regularizers import L2
from chainrule.training import fit
from chainrule.training.ending import ended
from chainrule.training.step import Problem, first, step

random = np.random.default_rng(0)
LENGTHS = random.integers(1, 9, 48)
X = [random.normal(size=(length, 2)).astype(np.float32) for length in LENGTHS]
Y = [np.int32(np.cumsum(x[:, 0]) > 0) + np.int32(np.cumsum(x[:, 1]) > 1) for x in X]
NAMES = [np.array(["low", "middle", "high"])[y] for y in Y]
TAGGER = "GRU(8, return_sequences=True) >> Dense(3) >> Softmax()"


def padded(sequences, time=9, fill=0):
    rest = [(0, 0)] * (sequences[0].ndim - 1)
    return np.stack([np.pad(s, [(0, time - len(s)), *rest], constant_values=fill) for s in sequences])


MASK = np.arange(9) < LENGTHS[:, None]


def train(network=TAGGER, x=X, y=Y, **options):
    return fit(network, x, y, **{"epochs": 3, "optimizer": "Adam(0.01)", "batch_size": 16, "progress": False} | options)


@pytest.fixture(scope="module")
def model():
    return train(epochs=20, regularizer="L2(1e-3)")


CASES = {
    "classes": (TAGGER, CategoricalCrossEntropy(), (Accuracy(), TopK(2))),
    "labels": ("Bidirectional(RNN(4, return_sequences=True)) >> Dense(3) >> Sigmoid()", CrossEntropy(), (MAE(),)),
    "values": ("Conv1D(5, 3, padding='same') >> ReLU() >> Dense(3)", Quadratic(), (MAE(), RMSE())),
    "alone": ("Conv1D(4, 2, padding='causal') >> Tanh() >> Dense(3) >> Softmax()", Quadratic(), ()),
    "attention": ("Identity() + SelfAttention(2, causal=True) >> Dense(3) >> Softmax()", CategoricalCrossEntropy(), ()),
    "statistics": ("Dense(4) >> BatchNorm() >> ReLU() >> Dense(3)", Quadratic(), (MAE(),)),
    "infinite": ("Dense(3) >> ReLU()", CategoricalCrossEntropy(), ()),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
@settings(max_examples=8, deadline=None)
@given(lengths=st.lists(st.integers(0, 5), min_size=3, max_size=3).filter(any), seed=st.integers(0, 99))
def test_padding_never_changes_cost_gradient_or_metrics(case, lengths, seed):
    network, cost, metrics = CASES[case]
    rng, network = np.random.default_rng(seed), as_chain(network)
    problem = Problem(network, cost, GradientDescent(1.0), L2(0.01), metrics)
    state = _first(problem)
    values = rng.normal(size=(3, 5, 2)).astype(np.float32)
    E = rng.integers(0, 3, (3, 5)).astype(np.int32) if cost.targets.of_all else rng.random((3, 5, 3)).astype(np.float32)
    weights = np.array([1.0, 0.5, 2.0], np.float32)
    mask = np.arange(5) < np.array(lengths)[:, None]

    outcomes = []
    for time, garbage in ((5, 0.0), (5, 1e20), (8, 7.0)):
        seen = np.pad(mask, [(0, 0), (0, time - 5)])
        x = np.pad(values, [(0, 0), (0, time - 5), (0, 0)])
        targets = np.pad(E, [(0, 0), (0, time - 5)] + [(0, 0)] * (E.ndim - 2), constant_values=1)
        x = Masked(np.where(seen[..., None], x, garbage), seen)
        moved, record = _step(problem, state, x, targets, weights)
        outcomes.append(jax.tree.map(np.asarray, (moved.parameters, record, moved.statistics)))
    for other in outcomes[1:]:
        for mine, theirs in zip(jax.tree.leaves(outcomes[0]), jax.tree.leaves(other), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=2e-5, atol=2e-6)

    moved, record, statistics = outcomes[0]
    assert record[-1] == pytest.approx(np.dot(weights, lengths))
    if jax.tree.leaves(statistics):  # a sequence alone has others
        return
    total = sum(weight * length for weight, length in zip(weights, lengths, strict=True))
    costs, gradient = 0.0, jax.tree.map(np.zeros_like, state.parameters)
    for row, length in enumerate(lengths):
        if length:
            alone, slope = _alone(
                cost, network, state.parameters, values[row : row + 1, :length], E[row : row + 1, :length]
            )
            costs += float(weights[row] * alone / total)
            gradient = jax.tree.map(lambda sum, own, w=weights[row] / total: sum + w * own, gradient, slope)
    penalised = regularized(network, (5, 2))
    added = jax.tree.map(lambda w, it_is: 0.01 * float(np.sum(w**2)) * it_is, state.parameters, penalised)
    if np.isfinite(costs):
        assert record[0] / record[-1] == pytest.approx(costs + sum(jax.tree.leaves(added)), rel=1e-4)
        step_of = lambda w, g, it_is: w - g - 0.02 * w * it_is  # noqa: E731
        descended = jax.tree.map(step_of, state.parameters, gradient, penalised)
        for mine, truth in zip(jax.tree.leaves(moved), jax.tree.leaves(descended), strict=True):
            np.testing.assert_allclose(mine, truth, rtol=1e-4, atol=1e-5)


_step = jax.jit(lambda problem, *rest: step(problem, *rest))


@functools.cache
def _first(problem):
    return first(problem, jax.random.key(0), (5, 2))


@jax.jit
def _alone(cost, network, parameters, x, E):
    def total(parameters):
        _, each, _ = cost.through(network, parameters, network.state((5, 2)), x, E, Context(training=True))
        return each.sum()

    return jax.value_and_grad(total)(parameters)


@pytest.mark.slow
def test_lists_masks_and_padded_tokens_train_alike():
    rng = np.random.default_rng(1)
    tokens = [rng.integers(1, 6, length) for length in LENGTHS]
    network = "Embedding(6, 4, padding_id=0) >> GRU(6, return_sequences=True) >> Dense(3) >> Softmax()"
    ways = {
        "lists": (tokens, Y),
        "masks": (Masked(padded(tokens), MASK), Masked(padded(Y, fill=-1), MASK)),
        "padding": (padded(tokens), padded(Y)),
        "padding and lists": (padded(tokens), Y),
        "mask and array": (Masked(padded(tokens), MASK), padded(Y, fill=-100)),
    }
    models = {name: train(network, *way, validation=way) for name, way in ways.items()}
    for name, model in models.items():
        assert model.history["cost"] == pytest.approx(models["lists"].history["cost"], rel=1e-5), name
        for column in ("accuracy", "validation_accuracy"):
            assert model.history[column] == pytest.approx(models["lists"].history[column]), name
        assert model.evaluate(*ways[name]) == pytest.approx(models["lists"].evaluate(*ways["lists"]), rel=1e-5), name
    by_padding = models["padding"].predict(padded(tokens))
    assert by_padding.shape == (48, 9)  # as it was given
    for row, own in zip(by_padding, models["padding"].predict(tokens), strict=True):
        np.testing.assert_array_equal(row[: len(own)], own)


def test_it_learns_and_tells_each_step(model):
    assert model.classes == (0, 1, 2)
    assert model.history["cost"][-1] < 0.5 * model.history["cost"][0]
    probabilities, classes = model.predict_proba(X), model.predict(X)
    for x, a, own, tags in zip(X, model(X), probabilities, classes, strict=True):
        assert a.shape == own.shape == (len(x), 3)
        assert tags.tolist() == a.argmax(axis=1).tolist()
        np.testing.assert_allclose(a, model.network.forward(model.parameters, x[None])[0], rtol=1e-4, atol=1e-6)


def test_it_is_measured_over_live_steps(model):
    a, E = np.concatenate(model(X)), np.concatenate(Y)
    measured = model.evaluate(X, Y, metrics=["Accuracy()", "F1()", "ConfusionMatrix()"])
    assert measured["accuracy"] == pytest.approx(np.mean(a.argmax(axis=1) == E))
    assert measured["f1"] == pytest.approx(F1()(a, E))
    assert measured["confusion_matrix"].sum() == LENGTHS.sum()
    cost = -np.log(a[np.arange(len(E)), E]).mean()
    assert measured["cost"] == pytest.approx(cost + model.penalty(), rel=1e-5)
    weights = np.linspace(0, 2, 48)
    weighted = model.evaluate(X, Y, sample_weight=weights)["accuracy"]
    assert weighted == pytest.approx(np.average(a.argmax(axis=1) == E, weights=np.repeat(weights, LENGTHS)))


def test_sequences_of_one_length_shorter_ones_and_longer_ones_are_predicted(model):
    x = random.normal(size=(3, 21, 2)).astype(np.float32)
    whole = model([*x])
    assert [a.shape for a in whole] == [(21, 3)] * 3
    for time in (1, 2, 5, 9, 13):
        for row, a in enumerate(model([*x[:, :time]])):
            np.testing.assert_allclose(a, whole[row][:time], rtol=1e-4, atol=1e-6)
    alone = model.predict([x[0, :5]])
    assert [tags.tolist() for tags in alone] == [whole[0][:5].argmax(axis=1).tolist()]
    assert model.evaluate([*x[:, :5]], np.zeros((3, 5), int))["cost"] > 0


def test_a_saved_model_tells_the_same(model, tmp_path):
    model.save(tmp_path / "tags.safetensors")
    again = load(tmp_path / "tags.safetensors")
    for mine, theirs in zip(again(X), model(X), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_names_are_classes_and_the_network_is_ended():
    with pytest.warns(UserWarning, match=r"Dense\(3\) >> Softmax\(\) is added, for 3 classes"):
        model = train("LSTM(8, return_sequences=True)", y=NAMES)
    assert model.classes == ("high", "low", "middle")
    assert {name for tags in model.predict(X) for name in tags} <= set(model.classes)
    assert model.evaluate(X, NAMES)["accuracy"] == pytest.approx(model.evaluate(X, NAMES)["accuracy"])


@pytest.mark.parametrize(
    ("y", "added"),
    [
        (Y, "Dense(3) >> Softmax()"),
        ([y > 0 for y in Y], "Dense(2) >> Softmax()"),
        ([x[:, 0] for x in X], "Dense(1)"),
        ([x + 1 for x in X], "Dense(2)"),
    ],
)
def test_the_end_for_steps(y, added):
    network = as_chain("Bidirectional(GRU(4, return_sequences=True))")
    for x, own in ((Masked(padded(X), MASK), y), (np.ones((20, 9, 2)), padded(y)[:20])):
        with pytest.warns(UserWarning, match="is added"):
            found = ended(network, (9, 2), for_steps(own, x, network), None, None)
        assert repr(found) == f"Bidirectional(GRU(4, return_sequences=True)) >> {added}"


def test_an_end_for_steps_is_trained():
    with pytest.warns(UserWarning, match=r"Dense\(3\) >> Softmax\(\) is added"):
        model = train("Identity()", epochs=1)
    assert repr(model.network) == "Identity() >> Dense(3) >> Softmax()"
    assert [a.shape for a in model(X)] == [(length, 3) for length in LENGTHS]


def test_steps_of_weight_0_train_nothing():
    keep = [np.arange(len(x)) % 3 > 0 for x in X]
    weighted = train(sample_weight=[np.float32(own) for own in keep])
    labelled = train(x=Masked(padded(X), MASK), y=Masked(padded(Y, fill=2), padded(keep).astype(bool)))
    assert weighted.history["cost"] == pytest.approx(labelled.history["cost"], rel=1e-6)
    rows = train(sample_weight=np.arange(48))
    steps = train(sample_weight=[np.full(length, row) for row, length in enumerate(LENGTHS)])
    assert rows.history["cost"] == pytest.approx(steps.history["cost"], rel=1e-6)


def test_early_stopping_watches_a_metric_of_live_steps():
    model = train(epochs=30, validation=0.25, early_stopping="EarlyStopping(2, monitor=F1())")
    assert model.history.best_epoch == np.argmax(model.history["validation_f1"]) + 1


def test_a_network_that_skips_steps_has_outputs_for_those_it_keeps():
    y = [own[::2] for own in Y]
    model = train("GRU(4, return_sequences=True) >> Stride1D(2) >> Dense(3) >> Softmax()", y=y)
    assert [len(a) for a in model(X)] == [len(own) for own in y]
    a = np.concatenate(model(X)).argmax(axis=1)
    assert model.evaluate(X, y)["accuracy"] == pytest.approx(np.mean(a == np.concatenate(y)))


def test_sequences_may_have_all_the_places_that_there_are():
    longest = max(map(len, X)) + 1  # no power of two
    model = train(f"LearnedPositions({longest}) >> Dense(3) >> Softmax()", epochs=1)
    [a] = model.predict([np.ones((longest, X[0].shape[1]))])
    assert len(a) == longest
    with pytest.raises(ChainruleError, match=rf"expected at most {longest} steps, got shape \({longest + 1}, "):
        model.predict([np.ones((longest + 1, X[0].shape[1]))])


class OfRows(Cost):
    """Somebody's own cost that compares whole sequences."""

    takes_steps = False
    textbook = "sum(abs(a - E))"

    def each(self, a, E):
        return summed(jnp.abs(a - E).sum(axis=1)) if a.ndim > 2 else summed(jnp.abs(a - E))


def test_a_cost_of_whole_rows_takes_sequences_of_one_length_only():
    x = random.normal(size=(20, 5, 2)).astype(np.float32)
    model = train("GRU(2, return_sequences=True)", x, x, cost=OfRows())
    a = parts(model(x))[0]
    assert model.evaluate(x, x, metrics=[])["cost"] == pytest.approx(np.abs(a - x).sum(axis=(1, 2)).mean(), rel=1e-5)
    with pytest.raises(ChainruleError) as caught:
        train("GRU(2, return_sequences=True)", X, X, cost=OfRows())
    assert str(caught.value) == (
        "OfRows(): is the cost of a whole row, and takes no steps of sequences of unequal length. "
        "Give sequences of one length."
    )
