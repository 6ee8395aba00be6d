import logging
import re
from dataclasses import FrozenInstanceError, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.costs import CategoricalCrossEntropy, Quadratic
from chainrule.data.preprocessing import Preprocessor
from chainrule.data.table import Table
from chainrule.errors import ChainruleError
from chainrule.formula.network import count, initialize
from chainrule.model import Model
from chainrule.model.prediction import in_batches, most_rows
from chainrule.model.summary import SummaryRow, summary
from chainrule.notation import as_chain
from chainrule.regularizers import L1, L2

random = np.random.default_rng(0)
X = random.normal(size=(1025, 4)).astype(np.float32)
Y = random.integers(0, 3, 1025)
WEIGHTS = random.uniform(0, 2, 1025)


def model(network: str, shape=(4,), **options) -> Model:
    """A model as it is before any training."""
    chain = as_chain(network)
    return Model(chain, initialize(chain, shape, jax.random.key(0)), chain.state(shape), shape, **options)


@pytest.fixture(scope="module")
def classifier():
    return model(
        "Dense(5) >> Tanh() >> Dense(3) >> Softmax()",
        cost=CategoricalCrossEntropy(),
        regularizer=L1(0.01) + L2(0.1),
        classes=("a", "b", "c"),
    )


@pytest.fixture(scope="module")
def regression():
    return model("Dense(1)", cost=Quadratic())


def refused(text: str, action, *arguments) -> None:
    with pytest.raises(ChainruleError, match=f"^{re.escape(text)}$"):
        action(*arguments)


def test_outputs_are_those_of_the_network_for_any_number_of_rows(classifier):
    direct = np.asarray(classifier.network.apply(classifier.parameters, classifier.state, X)[0])
    for rows in (0, 1, 2, 3, 1000, 1024, 1025):
        outputs = classifier.outputs(X[:rows])
        assert outputs.shape == (rows, 3)
        np.testing.assert_allclose(outputs, direct[:rows], rtol=2e-6)
        np.testing.assert_array_equal(classifier(X[:rows]), outputs)


def test_few_rows_that_are_much_work_are_shared_among_threads(classifier, monkeypatch):
    expected = classifier.outputs(X)
    monkeypatch.setattr("chainrule.model.prediction.WORK", 0)
    monkeypatch.setattr("chainrule.model.prediction.cores", lambda: 3)
    for rows in (1, 2, 5, 8, 22):
        np.testing.assert_allclose(classifier.outputs(X[:rows]), expected[:rows], rtol=2e-6)


def test_few_sizes_are_compiled():
    sizes = set()

    def double(x):
        sizes.add(len(x))
        return 2 * x

    for rows in (*range(70), 1000, 1023, 1024, 1025, 3000):
        x = np.arange(rows, dtype=np.float32)
        np.testing.assert_array_equal(in_batches(double, 1024, x)[0], 2 * x)
    assert sizes == {1, 8, 64, 128, 1024}


@pytest.mark.parametrize(
    ("rows", "size", "calls"), [(0, 1, 1), (4, 1, 4), (5, 8, 1), (32, 8, 4), (33, 64, 1), (100, 128, 1), (512, 128, 4)]
)
def test_few_rows_take_few_batches_and_little_padding(rows, size, calls):
    seen = []
    in_batches(lambda x: seen.append(len(x)) or x, 1024, np.zeros(rows))
    assert seen == [size] * calls


@pytest.mark.parametrize("notation", ["Dense(5) >> Dense(3)", "Embedding(7, 2) >> GlobalMaxPool1D() >> Dense(3)"])
def test_after_the_warm_up_no_number_of_rows_compiles(notation, caplog):
    own = model(notation, cost=Quadratic())
    own.warm_up()
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        for rows in (1, 2, 7, 9, 100, 700):
            own.predict(np.zeros((rows, 4), int if own.network.tokens else float))
    assert [record.message for record in caplog.records if record.message.startswith("Compiling")] == []


def test_a_second_prediction_compiles_nothing(classifier, caplog):
    classifier.predict(X)
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        classifier.predict(X[:1000])
    assert [record.message for record in caplog.records if record.message.startswith("Compiling")] == []


def test_a_classifier_predicts_names(classifier):
    names = classifier.predict(X[:9])
    assert names.tolist() == [classifier.classes[place] for place in classifier(X[:9]).argmax(axis=1)]


def test_one_output_predicts_the_likelier_of_two_classes():
    binary = model("Dense(1) >> Sigmoid()", cost=Quadratic(), classes=("no", "yes"))
    assert binary.predict(X[:9]).tolist() == np.where(binary(X[:9])[:, 0] > 0.5, "yes", "no").tolist()


def test_probabilities_have_a_column_for_each_class(classifier, regression):
    np.testing.assert_array_equal(classifier.predict_proba(X[:9]), classifier(X[:9]))
    binary = model("Dense(1) >> Sigmoid()", cost=Quadratic(), classes=("no", "yes"))
    both = binary.predict_proba(X[:9])
    np.testing.assert_array_equal(both[:, 1:], binary(X[:9]))
    np.testing.assert_array_equal(both.sum(axis=1), 1)
    assert binary.predict(X[:9]).tolist() == [("no", "yes")[place] for place in both.argmax(axis=1)]
    refused("predict_proba: this model predicts values, not classes. Call predict.", regression.predict_proba, X[:9])


def test_outputs_that_are_no_probabilities_are_not_called_so():
    raw = model("Dense(3)", cost=Quadratic(), classes=("a", "b", "c"))
    why = "the outputs of Dense(3) are no probabilities. Call predict, or end the network with Softmax()."
    refused(f"predict_proba: {why}", raw.predict_proba, X[:9])


def test_a_regression_predicts_values(regression):
    assert regression.predict(X[:9]).shape == (9,)
    np.testing.assert_array_equal(regression.predict(X[:9]), regression(X[:9])[:, 0])
    assert model("Dense(2)", cost=Quadratic()).predict(X[:9]).shape == (9, 2)


def test_lists_and_whole_numbers_are_examples_too(regression):
    np.testing.assert_array_equal(regression([[1, 2, 3, 4]]), regression(np.array([[1, 2, 3, 4]], np.float32)))


def test_examples_that_do_not_fit(regression):
    text = "Chain((Dense(1),)): expected examples of shape (rows, 4), got {}."
    refused(text.format("(2, 3)"), regression, np.zeros((2, 3)))
    refused(text.format("(2, 4, 1)"), regression, np.zeros((2, 4, 1)))
    refused(text.format("()"), regression, 1.0)
    refused(text.format("(4,)") + " For a single example, add an axis: x[None].", regression, X[0])


def test_examples_that_are_no_finite_numbers(regression):
    for value, shown in [(np.nan, "nan"), (np.inf, "inf")]:
        x = X[:5].copy()
        x[3, 2] = value
        text = f"Chain((Dense(1),)): x[3, 2] is {shown}, expected finite numbers. Fill the gap or leave the row out."
        refused(text, regression, x)
    with pytest.raises(
        ChainruleError, match=r"^Chain\(\(Dense\(1\),\)\): expected an array of numbers, got list: could not convert"
    ):
        regression([["a", "b", "c", "d"]])


def test_an_evaluation_is_what_it_is_by_hand(classifier):
    a = classifier(X).astype(np.float64)
    each, right = -np.log(a[np.arange(1025), Y]), a.argmax(axis=1) == Y
    term = sum(
        0.01 * np.abs(p["kernel"]).sum() + 0.1 * np.square(p["kernel"]).sum() for p in classifier.parameters[::2]
    )
    assert classifier.penalty() == pytest.approx(term, rel=1e-6)
    for weights in (None, WEIGHTS):
        expected = {"cost": np.average(each, weights=weights) + term, "accuracy": np.average(right, weights=weights)}
        assert classifier.evaluate(X, Y, weights) == pytest.approx(expected, rel=1e-6)


def test_one_hot_targets_say_the_same(classifier):
    assert classifier.evaluate(X, np.eye(3)[Y]) == classifier.evaluate(X, Y)


def test_an_evaluation_of_a_regression(regression):
    y = X @ [1.0, 2, 3, 4] + 1
    error = regression.predict(X).astype(np.float64) - y
    for weights in (None, WEIGHTS):
        mean = np.average(error**2, weights=weights)
        variance = np.average((y - np.average(y, weights=weights)) ** 2, weights=weights)
        expected = {
            "cost": mean / 2,
            "r2": 1 - mean / variance,
            "rmse": mean**0.5,
            "mae": np.average(abs(error), weights=weights),
        }
        assert regression.evaluate(X, y, weights) == pytest.approx(expected, rel=1e-5)
        assert regression.evaluate(X, y[:, None], weights) == pytest.approx(expected, rel=1e-5)


def test_metrics_may_be_chosen(classifier):
    values = classifier.evaluate(X, Y, metrics=["TopK(2)", "F1()"])
    assert list(values) == ["cost", "top_k_2", "f1"]
    two = np.argsort(-classifier(X), axis=1)[:, :2]
    assert values["top_k_2"] == pytest.approx((two == Y[:, None]).any(axis=1).mean())


def test_parameters_that_are_changed_in_place_count_and_predictions_can_be_written():
    own = model("Dense(4) >> Dense(3)", cost=Quadratic())
    own(X[:2])
    for p in own.parameters:
        p["kernel"], p["bias"] = 0 * p["kernel"], 0 * p["bias"]
    outputs = own(X[:2])
    outputs += 1
    assert outputs.tolist() == [[1.0] * 3] * 2


def test_a_model_is_frozen_and_another_of_other_fields_predicts_by_them(classifier):
    with pytest.raises(FrozenInstanceError, match=r"^cannot assign to field 'network'$"):
        classifier.network = as_chain("Dense(3)")
    before = classifier.predict(X[:9])
    renamed = replace(classifier, classes=("x", "y", "z"))
    assert [*before] == [*map({"x": "a", "y": "b", "z": "c"}.get, renamed.predict(X[:9]))]
    body = replace(
        classifier,
        network=as_chain("Dense(5) >> Tanh()"),
        parameters=classifier.parameters[:2],
        state=classifier.state[:2],
    )
    assert body.outputs(X[:9]).shape == (9, 5)


def test_wide_layers_see_fewer_rows_at_once():
    assert most_rows(as_chain("Reshape((4, 1)) >> Conv1D(32768, 1) >> GlobalMaxPool1D()"), (4,)) == 64
    sizes = set()
    in_batches(lambda x: sizes.add(len(x)) or x, 64, X[:200])
    assert sizes == {64}


def test_no_regulariser_no_term(regression):
    assert regression.penalty() == 0.0


def test_a_summary_has_a_row_for_each_layer(classifier):
    assert list(classifier.summary()) == [
        SummaryRow("Dense(5)", (5,), 25),
        SummaryRow("Tanh()", (5,), 0),
        SummaryRow("Dense(3)", (3,), 18),
        SummaryRow("Softmax()", (3,), 0),
    ]
    assert sum(row.parameters for row in classifier.summary()) == sum(
        map(jnp.size, jax.tree.leaves(classifier.parameters))
    )
    assert list(summary(as_chain("Flatten() >> PReLU()"), (2, 3))) == [
        SummaryRow("Flatten()", (6,), 0),
        SummaryRow("PReLU(initial=0.25)", (6,), 6),
    ]


def test_a_prepared_model_takes_raw_rows():

    table = {"width": [1.0, 2, 3, 4], "kind": ["a", "b", "a", "b"], "price": [10.0, 20, 30, 40]}
    preprocessor = Preprocessor.fit(table)
    priced = model("Dense(1)", shape=preprocessor.input_shape, cost=Quadratic(), preprocessor=preprocessor)
    outputs = priced.outputs(preprocessor.inputs(table))
    np.testing.assert_allclose(priced(table), 25 + outputs.astype(np.float64) * np.std(table["price"]))
    np.testing.assert_array_equal(priced.predict(table), priced(table)[:, 0])


def test_many_rows_and_few_are_predicted_alike():
    network = model("Dense(3) >> Tanh() >> Dense(2) >> Softmax()", cost=CategoricalCrossEntropy())
    x = np.random.default_rng(1).normal(size=(10_000, 4)).astype(np.float32)
    np.testing.assert_allclose(network(x)[-50:], network(x[-50:]), rtol=1e-5)


def test_a_summary_shows_branches_below_their_composition_and_counts_all_repetitions():
    network = (
        "Dense(4) >> Repeat(Identity() + Dense(4) * (Dense(1) >> Sigmoid()), 3) >> (Identity() | Dense(2) >> ReLU())"
    )
    rows = summary(network, (3,))
    assert list(rows) == [
        SummaryRow("Dense(4)", (4,), 16),
        SummaryRow("Repeat 3 times", (4,), 0),
        SummaryRow("  Add", (4,), 0),
        SummaryRow("    + Identity()", (4,), 0),
        SummaryRow("    + Multiply", (4,), 0),
        SummaryRow("        * Dense(4)", (4,), 60),
        SummaryRow("        * Dense(1)", (1,), 15),
        SummaryRow("          Sigmoid()", (1,), 0),
        SummaryRow("Concatenate", (6,), 0),
        SummaryRow("  | Identity()", (4,), 0),
        SummaryRow("  | Dense(2)", (2,), 10),
        SummaryRow("    ReLU()", (2,), 0),
    ]
    assert sum(row.parameters for row in rows) == count(as_chain(network), (3,))


def test_a_summary_tells_what_is_frozen_beside_the_sum():
    rows = summary("Frozen(Dense(8) >> Frozen(PReLU())) >> Repeat(Frozen(Dense(8)), 2) >> Dense(2)", (3,))
    assert list(rows) == [
        SummaryRow("Frozen", (8,), 0),
        SummaryRow("  Dense(8)", (8,), 32, 32),
        SummaryRow("  Frozen", (8,), 0),
        SummaryRow("    PReLU(initial=0.25)", (8,), 8, 8),
        SummaryRow("Repeat 2 times", (8,), 0),
        SummaryRow("  Frozen", (8,), 0),
        SummaryRow("    Dense(8)", (8,), 144, 144),
        SummaryRow("Dense(2)", (2,), 18),
    ]
    assert [line.split() for line in str(rows).splitlines()[-2:]] == [["202"], ["frozen", "184"]]


def test_rows_of_a_large_table_are_answered_block_after_block(monkeypatch):
    rows = 40_000
    table = Table({"a": np.arange(rows) % 97.0, "b": np.array(["x", "y"], dtype=object)[np.arange(rows) % 2]})
    preprocessor = Preprocessor.fit(Table({**table, "y": table["a"]}))
    priced = model("Dense(1)", shape=preprocessor.input_shape, cost=Quadratic(), preprocessor=preprocessor)
    whole = priced(table)
    monkeypatch.setattr("chainrule.arrays.memory.NUMBERS", 1)
    assert [x.shape for _, x in preprocessor.in_blocks(table)] == [(16384, 3), (23616, 3)]
    np.testing.assert_array_equal(priced(table), whole)
