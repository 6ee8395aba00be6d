"""Metrics of probabilities, of order and of agreement, and of relative and median errors: against scikit-learn's."""

import numpy as np
import pytest
from sklearn import metrics as theirs
from sklearn.calibration import calibration_curve
from sklearn.datasets import load_breast_cancer, load_iris

from chainrule import NetworkClassifier
from chainrule.errors import ChainruleError
from chainrule.metrics import (
    MAPE,
    ROCAUC,
    AveragePrecision,
    BalancedAccuracy,
    BrierScore,
    CalibrationError,
    Kappa,
    LogLoss,
    Matthews,
    MedianAbsoluteError,
    Recall,
)
from chainrule.regularizers import EarlyStopping
from chainrule.training import fit


def samples(classes, count=12):
    """Probabilities (n, classes), often with ties; classes (n,), each of which occurs; and weights, or none."""
    for seed in range(count):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(classes + 3, 40))
        a = rng.dirichlet(np.ones(classes), n)
        if seed % 2:  # with ties
            a = rng.multinomial(10, a) / 10
        E = np.concatenate([np.arange(classes), rng.integers(0, classes, n - classes)])
        yield a, E, [None, rng.random(n) + 0.1, rng.integers(1, 4, n)][seed % 3]


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_of_classes(classes):
    several = {"multi_class": "ovr", "labels": range(classes)} if classes > 2 else {}
    for a, E, w in samples(classes):
        of = {"sample_weight": w}
        score = a[:, 1] if classes == 2 else a
        truths = {
            ROCAUC(): theirs.roc_auc_score(E, score, **of, **several),
            AveragePrecision(): theirs.average_precision_score(E, score, **of),
            LogLoss(): theirs.log_loss(E, a, **of),
            BrierScore(): theirs.brier_score_loss(E, a, **of),
            BalancedAccuracy(): theirs.balanced_accuracy_score(E, a.argmax(axis=1), **of),
            Matthews(): theirs.matthews_corrcoef(E, a.argmax(axis=1), **of),
            Kappa(): theirs.cohen_kappa_score(E, a.argmax(axis=1), **of),
            Kappa("linear"): theirs.cohen_kappa_score(E, a.argmax(axis=1), weights="linear", **of),
            Kappa("quadratic"): theirs.cohen_kappa_score(E, a.argmax(axis=1), weights="quadratic", **of),
        }
        for metric, truth in truths.items():
            for expected in (E, E[:, None], np.eye(classes)[E]):
                assert metric(a, expected, w) == pytest.approx(truth, rel=1e-9, abs=1e-12), metric
            if classes == 2 and not isinstance(metric, Kappa | Matthews | BalancedAccuracy):
                assert metric(a[:, 1:], E, w) == pytest.approx(truth, rel=1e-9), metric


def test_of_values():
    for seed in range(30):
        rng = np.random.default_rng(seed)
        n, outputs = int(rng.integers(1, 30)), int(rng.integers(1, 4))
        a, E = np.round(rng.normal(size=(2, n, outputs)), seed % 3 + 1)
        w = [None, rng.random(n) + 0.1, rng.integers(1, 4, n)][seed % 3]
        for metric, truth in [(MAPE(), theirs.mean_absolute_percentage_error),
                              (MedianAbsoluteError(), theirs.median_absolute_error)]:  # fmt: skip
            assert metric(a, E, w) == pytest.approx(truth(E, a, sample_weight=w), rel=1e-9), metric
    assert MedianAbsoluteError()(np.arange(4.0)[:, None], np.zeros(4), np.array([1, 1, 1, 1])) == 1.5
    assert MedianAbsoluteError()(np.arange(10.0)[:, None], np.zeros(10), np.full(10, 0.1)) == 4.5
    assert MedianAbsoluteError()(np.arange(4.0)[:, None], np.zeros(4), np.array([0, 5, 1, 1])) == 1


def test_calibration_is_that_of_the_bins_of_scikit_learn():
    for a, E, _ in samples(2):
        sure, right = a.max(axis=1), a.argmax(axis=1) == E
        part, mean = calibration_curve(right, sure, n_bins=10)
        counts = np.bincount(np.searchsorted(np.linspace(0, 1, 11)[1:-1], sure))
        truth = (counts[counts > 0] * abs(part - mean)).sum() / len(E)
        assert CalibrationError(10)(a, E) == pytest.approx(truth)
    a, E, w = np.array([[0.8], [0.8], [0.3]]), np.array([1, 0, 0]), np.array([3, 1, 1])
    assert CalibrationError()(a, E, w) == pytest.approx((4 * abs(0.75 - 0.8) + abs(1 - 0.7)) / 5)


def test_several_labels_are_each_ranked():
    rng = np.random.default_rng(0)
    a, E, w = rng.random((30, 4)).round(1), rng.random((30, 4)) > 0.6, rng.random(30)
    assert ROCAUC()(a, E, w) == pytest.approx(theirs.roc_auc_score(E, a, sample_weight=w))
    assert AveragePrecision()(a, E.astype(float), w) == pytest.approx(
        theirs.average_precision_score(E, a, sample_weight=w)
    )
    with pytest.raises(ChainruleError, match=r"^ROCAUC\(\): E\[0, 1\] is 0\.3, expected 0 or 1\.$"):
        ROCAUC()(np.ones((2, 2)), np.array([[0, 0.3], [1, 1]]))


def test_a_class_that_never_occurs():
    a, E = np.random.default_rng(0).dirichlet(np.ones(3), 20), np.arange(20) % 2
    for metric in (ROCAUC(), AveragePrecision()):
        said = (
            rf"^{type(metric).__name__}\(\) is the mean over the other classes: no example, or each, is of class 2\.$"
        )
        with pytest.warns(UserWarning, match=said):
            figure = metric(a, E)
        each = [metric(a[:, [place]], place == E) for place in (0, 1)]
        assert figure == pytest.approx(np.mean(each))
        with pytest.warns(UserWarning, match=r"^\w+\(\) tells nothing of examples that are all of one class\.$"):
            assert np.isnan(metric(a, np.zeros(20, int)))
    assert BalancedAccuracy()(a, E) == pytest.approx(np.mean([(a.argmax(axis=1) == c)[c == E].mean() for c in (0, 1)]))
    assert Recall()(a, E) < BalancedAccuracy()(a, E)
    assert Matthews()(a[:1], E[:1]) == 0
    with pytest.warns(UserWarning, match="tells nothing of examples that are all of one class and are given it"):
        assert np.isnan(Kappa()(np.array([[0.9, 0.1]]), np.array([0])))


@pytest.mark.parametrize(
    "metric", [ROCAUC(), AveragePrecision(), LogLoss(), BrierScore(), CalibrationError()], ids=repr
)
def test_outputs_that_are_no_numbers_make_a_figure_that_is_none(metric):
    a, E = np.full((4, 3), np.nan), np.arange(4) % 3
    assert np.isnan(metric(a, E))
    assert np.isnan(MedianAbsoluteError()(a, E, np.arange(1, 5)))
    assert np.isnan(MAPE()(a, E))


def test_outputs_that_are_no_numbers_agree_with_nothing():
    a, E = np.array([[0.9, 0.1], [np.nan, np.nan], [0.1, 0.9], [0.1, 0.9]]), np.array([0, 0, 1, 1])
    assert BalancedAccuracy()(a, E) == 0.75
    for metric, truth in ((Matthews(), theirs.matthews_corrcoef), (Kappa(), theirs.cohen_kappa_score)):
        assert metric(a, E) == pytest.approx(truth(E, [0, 2, 1, 1]))


def test_a_probability_of_0_counts_as_the_least_there_is():
    assert LogLoss()(np.array([[1.0, 0.0]]), np.array([1])) == pytest.approx(52 * np.log(2))
    assert LogLoss()(np.array([[1.0, 0.0]]), np.array([0])) == 0


# In training


X, Y = load_breast_cancer(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)
WATCHED = [Matthews(), LogLoss(), ROCAUC(), CalibrationError(5)]


@pytest.mark.parametrize("metric", WATCHED[:2], ids=repr)
def test_each_is_followed_and_can_end_a_training(metric):
    model = fit(
        "Dense(4) >> Tanh() >> Dense(2) >> Softmax()", X, Y, optimizer="Adam(0.02)", epochs=6, validation=0.3,
        early_stopping=EarlyStopping(2, monitor=metric), metrics=["Accuracy()", *map(repr, WATCHED)],
        batch_size=64, progress=False,
    )  # fmt: skip
    values = model.history[f"validation_{metric.label()}"]
    best = max(values) if metric.higher_is_better else min(values)
    assert values[model.history.best_epoch - 1] == best
    assert {"log_loss", "validation_calibration_error_5", "validation_roc_auc"} <= {*model.history.columns}
    found, p = model.evaluate(X, Y, metrics=WATCHED), np.asarray(model(X), float)
    assert found["roc_auc"] == pytest.approx(theirs.roc_auc_score(Y, p[:, 1]))
    assert found["log_loss"] == pytest.approx(theirs.log_loss(Y, p / p.sum(axis=1, keepdims=True)), rel=1e-5)


def test_scorers_of_scikit_learn_agree():
    x, y = load_iris(return_X_y=True)
    x = x.astype(np.float32)
    model = NetworkClassifier((8,), optimizer="Adam(0.05)", epochs=5, random_state=0).fit(x, y)
    found = model.model_.evaluate(x, y, metrics=[ROCAUC(), LogLoss(), BalancedAccuracy()])
    for scoring, label, sign in (("roc_auc_ovr", "roc_auc", 1), ("neg_log_loss", "log_loss", -1)):
        assert sign * theirs.get_scorer(scoring)(model, x, y) == pytest.approx(found[label], rel=1e-5)
    assert theirs.get_scorer("balanced_accuracy")(model, x, y) == pytest.approx(found["balanced_accuracy"])
