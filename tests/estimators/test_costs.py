"""Estimators with other costs than the usual ones, each on a real data set."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.metrics import mean_gamma_deviance, mean_poisson_deviance
from sklearn.preprocessing import scale

from chainrule import NetworkClassifier, NetworkRegressor
from chainrule.errors import ChainruleError

X, Y = load_diabetes(return_X_y=True)
X = scale(X)
LINEAR = {"network": "Dense(1)", "optimizer": "Adam(0.02)", "epochs": 60, "batch_size": 64, "random_state": 0}
FEW = LINEAR | {"epochs": 1}


def test_a_quantile_leaves_its_part_below():
    y = Y / Y.std()
    for tau in (0.1, 0.9):
        model = NetworkRegressor(**LINEAR | {"epochs": 150}, cost=f"Quantile({tau})").fit(X, y)
        assert np.mean(y < model.predict(X)) == pytest.approx(tau, abs=0.05)


@pytest.mark.slow
def test_several_quantiles_and_a_variance_have_outputs_of_their_own():
    y = Y / Y.std()
    options = LINEAR | {"network": (), "epochs": 150}
    with_quantiles = NetworkRegressor(**options, cost="Quantile((0.1, 0.5, 0.9))").fit(X, y)
    low, middle, high = with_quantiles.model_(X.astype(np.float32)).T
    np.testing.assert_array_equal(with_quantiles.predict(X), middle)
    assert np.mean((low < y) & (y < high)) == pytest.approx(0.8, abs=0.08)
    with_variance = NetworkRegressor(**options, cost="GaussianNLL()").fit(X, y)
    assert with_variance.score(X, y) > 0.4
    assert with_variance.model_(X.astype(np.float32)).shape == (len(X), 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cost", "deviance"), [("Poisson()", mean_poisson_deviance), ("Gamma()", mean_gamma_deviance), ("Tweedie()", None)]
)
def test_counts_and_prices_end_in_exp(cost, deviance):
    y = np.round(Y / 20) + 1
    model = NetworkRegressor(**LINEAR | {"network": ()}, cost=cost).fit(X, y)
    assert repr(model.model_.network) == "Dense(1) >> Exp()"
    a = model.predict(X)
    assert (a > 0).all()
    deviance = deviance or mean_poisson_deviance
    assert deviance(y, a) < 0.75 * deviance(y, np.full_like(y, y.mean()))


@pytest.mark.slow
@pytest.mark.parametrize("cost", ["Hinge()", "SquaredHinge()", "CategoricalHinge()"])
def test_margins_tell_classes_by_scores(cost):
    x, y = load_breast_cancer(return_X_y=True)
    names = np.array(["bad", "good"])[y]
    model = NetworkClassifier(**LINEAR | {"network": (8,), "epochs": 20}, cost=cost).fit(scale(x), names)
    assert model.score(scale(x), names) > 0.95
    assert model.model_.evaluate(scale(x), y)["accuracy"] == pytest.approx(model.score(scale(x), names))
    assert ((model.decision_function(scale(x)) > 0) == (model.predict(scale(x)) == "good")).all()
    with pytest.raises(ChainruleError) as caught:
        model.predict_proba(scale(x))
    assert str(caught.value) == (
        f"NetworkClassifier: the outputs behind {cost} are scores, and no probabilities. Call decision_function, or "
        f"choose another cost."
    )


OF_CLASSES = ("Hinge()", "CategoricalHinge()", "Focal()", "CategoricalFocal()", "SparsemaxCost()", "Hellinger()")


@pytest.mark.slow
@pytest.mark.parametrize("cost", OF_CLASSES)
def test_costs_of_several_classes(cost):
    x, y = load_iris(return_X_y=True)
    model = NetworkClassifier(**LINEAR | {"network": (8,), "epochs": 40}, cost=cost).fit(scale(x), y)
    assert model.score(scale(x), y) > 0.93
    if not model.model_.cost.targets.scores:
        np.testing.assert_allclose(model.predict_proba(scale(x)).sum(axis=1), 1, rtol=1e-6)
    if cost == "SparsemaxCost()":
        assert (model.predict_proba(scale(x)) == 0).any()


@pytest.mark.slow
def test_several_labels_by_margins():
    x, y = load_iris(return_X_y=True)
    labels = np.eye(3, dtype=int)[y]
    model = NetworkClassifier(**LINEAR | {"network": (8,), "epochs": 40}, cost="Hinge()").fit(scale(x), labels)
    assert model.score(scale(x), labels) > 0.8


def test_what_can_t_be_is_named_with_its_place():
    with pytest.raises(ChainruleError) as caught:
        NetworkRegressor(**FEW, cost="Poisson()").fit(X, Y - 100)
    place = int(np.argmax(Y < 100))
    assert str(caught.value) == f"fit: y[{place}, 0] is {Y[place] - 100}, expected a number >= 0."
