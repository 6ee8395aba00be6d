"""Metrics against scikit-learn's, with and without weights, and the same in training as on the host."""

from functools import reduce
from operator import add

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as theirs

from chainrule.errors import ChainruleError
from chainrule.metrics import (
    F1,
    MAE,
    R2,
    RMSE,
    ROCAUC,
    Accuracy,
    AveragePrecision,
    ConfusionMatrix,
    MeanMetric,
    MedianAbsoluteError,
    Metric,
    Precision,
    Recall,
    TopK,
    predicted_classes,
)
from chainrule.notation.families import family


@st.composite
def classifications(draw):
    """Probabilities (n, k), classes (n,) and weights or None; often with ties and with classes that never occur."""
    n, k = draw(st.integers(1, 30)), draw(st.integers(2, 6))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    a = np.round(rng.random((n, k)), draw(st.sampled_from([1, 6])))
    E = rng.integers(0, draw(st.integers(1, k)), n)
    return a, E, draw(st.sampled_from([None, rng.random(n) + 0.1]))


@st.composite
def regressions(draw):
    n, k = draw(st.integers(2, 30)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    scale = 10.0 ** draw(st.integers(-3, 6))
    return rng.normal(size=(n, k)) * scale, rng.normal(size=(n, k)) * scale, draw(
        st.sampled_from([None, rng.random(n) + 0.1])
    )  # fmt: skip


@settings(max_examples=60)
@given(classifications())
def test_classification(sample):
    a, E, w = sample
    labels, predicted = np.arange(a.shape[1]), a.argmax(axis=1)
    options = {"sample_weight": w}
    assert Accuracy()(a, E, w) == pytest.approx(theirs.accuracy_score(E, predicted, **options))
    confusion = theirs.confusion_matrix(E, predicted, labels=labels, **options)
    np.testing.assert_allclose(ConfusionMatrix()(a, E, w), confusion)
    for average in ("macro", "weighted", "micro"):
        scores = theirs.precision_recall_fscore_support(E, predicted, average=average, zero_division=0, **options)
        for ours, score in zip((Precision, Recall, F1), scores, strict=False):
            assert ours(average)(a, E, w) == pytest.approx(score), (ours, average)


@settings(max_examples=40)
@given(classifications(), st.integers(1, 7))
def test_top_k(sample, k):
    a, E, w = sample
    order = np.argsort(-a, axis=1, kind="stable")[:, :k]  # of equals, the first count
    truth = np.average((order == E[:, None]).any(axis=1), weights=w)
    assert TopK(k)(a, E, w) == pytest.approx(truth)
    assert TopK(1)(a, E, w) == pytest.approx(Accuracy()(a, E, w))
    assert TopK(a.shape[1])(a, E, w) == pytest.approx(1)


def test_top_k_agrees_with_scikit_learn_where_nothing_is_equal():
    rng = np.random.default_rng(0)
    a, E, w = rng.random((50, 5)), rng.integers(0, 5, 50), rng.random(50)
    for k in (1, 2, 4):
        truth = theirs.top_k_accuracy_score(E, a, k=k, sample_weight=w, labels=range(5))
        assert TopK(k)(a, E, w) == pytest.approx(truth)


@settings(max_examples=60)
@given(regressions())
def test_regression(sample):
    a, E, w = sample
    assert MAE()(a, E, w) == pytest.approx(theirs.mean_absolute_error(E, a, sample_weight=w))
    assert RMSE()(a, E, w) == pytest.approx(theirs.mean_squared_error(E, a, sample_weight=w) ** 0.5)
    assert R2()(a, E, w) == pytest.approx(theirs.r2_score(E, a, sample_weight=w))


def test_a_constant_target_is_explained_exactly_or_not_at_all():
    E = np.full((3, 1), 2.0)
    assert R2()(E, E) == theirs.r2_score(E, E) == 1
    assert R2()(E + 1, E) == theirs.r2_score(E, E + 1) == 0
    for value in (0.1, np.float32(0.1), 1e-300, 3e20):  # whose mean is rounded to another number
        E = np.full((7, 2), value)
        assert R2()(E, E) == 1
        assert R2()(E * 1.5, E) == R2()(E * 1.5, E, np.arange(7)) == 0
    E = np.array([[0.1], [0.1], [5.0]])
    assert R2()(E + 1, E, np.array([1, 1, 0])) == 0


@pytest.mark.parametrize("metric", [Accuracy(), TopK(1), TopK(3), Precision(), Recall(), F1()], ids=repr)
@pytest.mark.parametrize("outputs", [1, 3])
def test_an_output_that_is_no_number_is_never_right(metric, outputs):
    a, E = np.full((4, outputs), np.nan), np.array([0, 0, 1, 0])
    assert metric(a, E) == 0
    a[0] = [0.4] if outputs == 1 else [0.6, 0.3, 0.1]
    right = F1("micro")(a, E) if isinstance(metric, F1) else metric(a, E)
    assert right == pytest.approx(
        {Accuracy: 1 / 4, TopK: 1 / 4, Precision: 1 / 2, Recall: 1 / 6, F1: 2 / 5}[type(metric)]
    )
    if isinstance(metric, MeanMetric):
        assert metric.each(jnp.asarray(a, jnp.float32), jnp.asarray(E)).tolist() == [1, 0, 0, 0]


def test_an_output_that_is_no_number_is_given_no_class():
    a = np.array([[0.2, 0.8], [np.nan, np.nan], [0.9, np.nan]])
    assert ConfusionMatrix()(a, np.array([1, 0, 1])).tolist() == [[0, 0], [0, 1]]


@pytest.mark.parametrize("metric", [Accuracy(), TopK(1), ConfusionMatrix(), Precision(), Recall(), F1()], ids=repr)
@pytest.mark.parametrize("wrong", [-1, 7, 3])
def test_classes_that_there_are_not_are_refused_with_their_place(metric, wrong):
    with pytest.raises(ChainruleError) as caught:
        metric(np.ones((4, 3)), np.array([0, 2, wrong, wrong]))
    assert str(caught.value) == f"{metric!r}: E[2] is {wrong}, expected a class number from 0 to 2."
    with pytest.raises(ChainruleError, match="expected a class number from 0 to 1"):
        metric(np.ones((4, 1)), np.array([[0], [1], [wrong], [0]]))


ALL = [one() for one in family(Metric) if one.__module__.startswith("chainrule.")]
SEES_ALL = (ROCAUC, AveragePrecision, MedianAbsoluteError)
"""Those that keep something of each example."""

some_classes = pytest.mark.filterwarnings("ignore:.* is the mean over the other classes|.* tells nothing of examples")


@pytest.mark.parametrize("metric", ALL, ids=repr)
def test_other_shapes_and_types_are_refused(metric):
    a, E = np.ones((4, 3)), np.zeros(4, int)
    shapes = "expected outputs (rows, …, outputs), and targets of the same shape or class numbers (rows, …)"
    weights = "expected weights of shape (4,), none negative and not all 0, got shape"
    for args, said in {
        ((4, 3), (5,)): f"{shapes}, got outputs of shape (4, 3) and targets of shape (5,).",
        ((4, 3), (4, 2)): f"{shapes}, got outputs of shape (4, 3) and targets of shape (4, 2).",
        ((4,), (4,)): f"{shapes}, got outputs of shape (4,) and targets of shape (4,).",
        ((0, 3), (0,)): f"{shapes}, got outputs of shape (0, 3) and targets of shape (0,).",
    }.items():
        with pytest.raises(ChainruleError) as caught:
            metric(*map(np.ones, args))
        assert str(caught.value) == f"{metric!r}: {said}"
    for wrong in (np.ones(3), -np.ones(4), np.zeros(4), np.full(4, np.nan)):
        with pytest.raises(ChainruleError) as caught:
            metric(a, E, wrong)
        assert str(caught.value) == f"{metric!r}: {weights} {wrong.shape}."
    real = "expected outputs and targets that are real numbers, got"
    for args, said in [((a + 1j, E), "complex128 and int64"), ((a, E.astype(str)), "float64 and <U21")]:
        with pytest.raises(ChainruleError) as caught:
            metric(*args)
        assert str(caught.value) == f"{metric!r}: {real} {said}. Number the classes from 0."


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_in_half_precision_sums_are_those_of_single(dtype):
    a, E = jnp.full((2, 1000), 300, dtype), jnp.zeros((2, 1000), dtype)
    assert RMSE().each(a, E).tolist() == pytest.approx([90_000, 90_000], rel=1e-6)
    assert MAE().each(a, E).tolist() == [300, 300]
    assert RMSE()(a, E) == MAE()(a, E) == 300


@pytest.mark.parametrize("metric", [Accuracy(), Precision(), Recall(), F1(), ConfusionMatrix(), TopK(1)], ids=repr)
def test_one_hot_targets_are_class_numbers(metric):
    a, E = np.random.default_rng(0).random((20, 3)), np.random.default_rng(1).integers(0, 3, 20)
    np.testing.assert_array_equal(metric(a, E), metric(a, np.eye(3)[E]))
    np.testing.assert_array_equal(metric(a, E), metric(a, E[:, None]))


@pytest.mark.parametrize("metric", [Accuracy(), Precision(), Recall(), F1(), ConfusionMatrix(), TopK(1)], ids=repr)
def test_a_single_output_is_the_probability_of_class_1(metric):
    a, E = np.random.default_rng(0).random((20, 1)), np.random.default_rng(1).integers(0, 2, 20)
    np.testing.assert_array_equal(metric(a, E), metric(np.hstack([1 - a, a]), E))


MEAN_METRICS = [one() for one in family(MeanMetric) if one.__module__.startswith("chainrule.")]


@pytest.mark.parametrize("metric", MEAN_METRICS, ids=repr)
def test_in_training_it_is_the_mean_of_the_same_numbers(metric):
    rng = np.random.default_rng(0)
    a, E, w = rng.random((20, 7)).astype(np.float32), rng.integers(0, 7, 20), rng.random(20)
    each = metric.each(jnp.asarray(a), jnp.asarray(E))
    assert each.shape == (20,)
    assert metric(a, E, w) == pytest.approx(float(metric.from_mean(np.average(each, weights=w))), rel=1e-5)


@pytest.mark.parametrize("metric", MEAN_METRICS, ids=repr)
def test_each_step_is_an_example(metric):
    rng = np.random.default_rng(0)
    a, E = rng.random((4, 5, 7)), rng.integers(0, 7, (4, 5))
    assert metric.each(a, E).shape == (4, 5)
    assert metric(a, E) == pytest.approx(metric(a.reshape(20, 7), E.reshape(20)))


@some_classes
@pytest.mark.parametrize("metric", ALL, ids=repr)
def test_steps_of_weight_0_are_as_if_they_were_not_there(metric):
    rng = np.random.default_rng(0)
    a, E, counts = rng.random((4, 5, 7)), rng.integers(0, 7, (4, 5)), rng.random((4, 5)) > 0.5
    a[~counts], E[~counts] = np.nan, -100
    of_rows = rng.random(4)
    for weights, each in (
        (counts, None),
        (counts * of_rows[:, None], np.broadcast_to(of_rows[:, None], (4, 5))[counts]),
    ):
        np.testing.assert_allclose(metric(a, E, weights), metric(a[counts], E[counts], each), rtol=1e-12)


def test_on_the_host_it_is_computed_in_float64():
    a = np.array([[1e8], [1e8 + 1]])
    assert MAE()(a, np.array([[1e8], [1e8]])) == 0.5


def test_every_metric_has_a_label_and_a_direction():
    labels = {metric().label(): metric.higher_is_better for metric in family(Metric)}
    assert TopK(1).label() == "top_k_1"
    assert labels.items() >= {"accuracy": True, "top_k": True, "mae": False, "rmse": False, "r2": True}.items()
    assert labels["confusion_matrix"]


def test_of_equals_the_first_class_is_predicted():
    assert predicted_classes(np.array([[0.4, 0.4, 0.2]])).tolist() == [0]
    assert predicted_classes(np.array([[0.5], [0.51]])).tolist() == [0, 1]


def test_an_unknown_average_is_refused():
    with pytest.raises(ChainruleError) as caught:
        F1("samples")
    said = "F1: average must be one of 'macro', 'weighted', 'micro', got 'samples'. The default is 'macro'."
    assert str(caught.value) == said


@pytest.mark.parametrize("weights", [None, np.random.default_rng(1).integers(0, 3, 100)], ids=["alike", "weighted"])
def test_metrics_of_many_examples_are_computed_in_blocks(weights, monkeypatch):
    rng = np.random.default_rng(0)
    values, classes = (rng.normal(size=(100, 2)), rng.normal(size=(100, 2))), (rng.random((100, 3)), np.arange(100) % 3)
    measures = dict.fromkeys((MAE(), RMSE(), R2()), values) | dict.fromkeys((Accuracy(), F1()), classes)
    whole = {metric: metric(*examples, weights) for metric, examples in measures.items()}
    monkeypatch.setattr("chainrule.arrays.memory.NUMBERS", 16)
    monkeypatch.setattr("chainrule.arrays.memory.ROWS", 16)
    for metric, examples in measures.items():
        assert metric(*examples, weights) == pytest.approx(whole[metric], rel=1e-12)


class Median(Metric):
    """One that has to see all errors at once."""

    def __call__(self, a, E, weights=None):
        return float(np.median(np.repeat(a - E, 1 if weights is None else weights.astype(int), axis=0)))


@some_classes
@settings(max_examples=40)
@given(st.integers(0, 10**6), st.lists(st.integers(1, 9), min_size=1, max_size=4), st.booleans())
def test_tallies_of_parts_add_up_to_that_of_the_whole(seed, sizes, weighted):
    rng = np.random.default_rng(seed)
    rows = sum(sizes)
    a, E, weights = rng.random((rows, 7)), rng.integers(0, 7, rows), rng.integers(1, 4, rows) if weighted else None
    values = rng.normal(10.0 ** rng.integers(0, 6), 1, (rows, 7))
    parts = [slice(end - size, end) for end, size in zip(np.cumsum(sizes), sizes, strict=True)]
    for metric in [*ALL, F1("micro"), Recall("weighted"), Median()]:
        known = values if metric.measures != "classes" else E
        tallies = [metric.tally(a[some], known[some], weights if weights is None else weights[some]) for some in parts]
        found = metric.figure(reduce(add, tallies))
        np.testing.assert_allclose(found, metric(a, known, weights), rtol=1e-9, err_msg=repr(metric))


def test_a_target_that_is_constant_in_its_parts_only_is_none():
    E, a = np.repeat([[1.0], [3.0]], 5, axis=0), np.zeros((10, 1))
    tallies = [R2().tally(a[some], E[some]) for some in (slice(0, 5), slice(5, 10))]
    assert R2().figure(tallies[0] + tallies[1]) == R2()(a, E) == -4


@pytest.mark.parametrize("metric", [metric for metric in ALL if not isinstance(metric, SEES_ALL)], ids=repr)
def test_a_tally_does_not_grow_with_the_examples(metric):
    sizes = {
        sum(np.size(each) for each in vars(tally).values()) if hasattr(tally, "__dict__") else np.size(tally)
        for rows in (10, 1000)
        for tally in [metric.tally(np.ones((rows, 7)), np.zeros(rows, int))]
    }
    assert len(sizes) == 1
    assert sizes.pop() <= 8 * 7
