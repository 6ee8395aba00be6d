"""NetworkSearch finds what GridSearchCV finds, of networks that are trained together."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import scale

from chainrule import NetworkClassifier, NetworkRegressor
from chainrule.errors import ChainruleError
from chainrule.estimators import NetworkSearch, search

X, Y = load_iris(return_X_y=True)
X = scale(X)
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y]
WEIGHTS = np.random.default_rng(0).uniform(0.5, 2, len(Y))


def network(**options):
    return NetworkClassifier((8,), **{"epochs": 3, "batch_size": 32, "random_state": 0} | options)


@pytest.fixture
def counted(monkeypatch) -> list[int]:
    """How many networks are trained at each call."""
    counts = []

    def trained(group, *of):
        counts.append(len(group))
        return train(group, *of)

    train = search._trained
    monkeypatch.setattr(search, "_trained", trained)
    return counts


def same(ours, theirs) -> None:
    """Two searches have found the same to rounding, in the same form."""
    times = {"mean_fit_time", "std_fit_time", "mean_score_time", "std_score_time"}
    assert list(ours.cv_results_) == list(theirs.cv_results_)
    for name in ours.cv_results_.keys() - times:
        mine, its = ours.cv_results_[name], theirs.cv_results_[name]
        if getattr(mine, "dtype", None) == np.float64:
            np.testing.assert_allclose(mine, its, rtol=1e-4, err_msg=name)
        else:
            np.testing.assert_array_equal(mine, its, err_msg=name)
    assert ours.best_params_ == theirs.best_params_
    assert ours.best_score_ == pytest.approx(theirs.best_score_, rel=1e-4)


def test_it_finds_what_a_grid_search_finds(counted):
    grid = {"optimizer__learning_rate": [1e-6, 0.003, 0.1], "network": [(4,), "Dense(8) >> ELU()"]}
    choices = {"cv": 3, "scoring": ["neg_log_loss", "accuracy"], "refit": "neg_log_loss", "return_train_score": True}
    ours = NetworkSearch(network(), grid, **choices).fit(X, NAMES, sample_weight=WEIGHTS)
    assert counted == [3] * 6
    same(ours, GridSearchCV(network(), grid, **choices).fit(X, NAMES, sample_weight=WEIGHTS))
    assert type(ours.best_estimator_) is NetworkClassifier
    assert ours.best_estimator_.model_.training["optimizer"] == "Adam(learning_rate=0.1)"
    assert set(ours.predict(X)) <= set(NAMES)
    assert (ours.estimator.get_params()["network"], ours.cv, ours.n_jobs) == ((8,), 3, None)


@pytest.mark.slow
def test_values_with_early_stopping_and_splits_that_are_drawn(counted):
    x, y = load_diabetes(return_X_y=True)
    model = NetworkRegressor((8,), epochs=4, early_stopping=1, batch_size=64, random_state=1, regularizer="L2(0.1)")
    grid = [
        {"optimizer": ["Adam(0.01)", "Adam(0.1)", "Momentum(0.001)"]},
        {"regularizer__strength": [0.0, 1.0], "optimizer": ["Adam(0.03)"]},
    ]
    with warnings.catch_warnings(action="ignore"):  # epochs end before early stopping does
        ours = NetworkSearch(model, grid, cv=KFold(2, shuffle=True, random_state=0)).fit(x, y / 100)
        theirs = GridSearchCV(model, grid, cv=KFold(2, shuffle=True, random_state=0)).fit(x, y / 100)
        assert counted == [4, 4]
        same(ours, theirs)
        assert NetworkSearch(model, grid, cv=KFold(2, shuffle=True)).fit(x, y).best_index_ in range(5)


def test_one_that_diverges_fails_by_itself():
    grid = {"optimizer__learning_rate": [0.01, 1e30]}
    model = NetworkRegressor("Dense(1)", optimizer="GradientDescent(1.0)", epochs=3, random_state=0)
    asked = NetworkSearch(model, grid, cv=2)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = asked.fit(X, X[:, 0])
    [failed] = [str(warning.message) for warning in told if warning.category is FitFailedWarning]
    assert "Lower the learning rate of " in failed
    assert np.isnan(found.cv_results_["mean_test_score"]).tolist() == [False, True]
    assert found.best_params_ == {"optimizer__learning_rate": 0.01}


def test_what_is_wrong_with_all_is_said_by_each():
    with pytest.raises(ValueError, match="batch_size must be a whole number >= 1"):
        NetworkSearch(network(batch_size=0), {"optimizer__learning_rate": [0.1, 0.2]}, cv=2, error_score="raise").fit(
            X, Y
        )


def test_what_is_no_network_is_refused():
    with pytest.raises(ChainruleError) as caught:
        NetworkSearch(MLPClassifier(), {"alpha": [0.1]}).fit(X, Y)
    assert str(caught.value) == (
        "NetworkSearch: expected a NetworkClassifier or NetworkRegressor, got MLPClassifier. Use GridSearchCV for it."
    )


def test_an_estimator_holds_one_number():
    with pytest.raises(ChainruleError) as caught:
        network(optimizer="Adam([0.1, 0.2])").fit(X, Y)
    assert str(caught.value) == (
        "Adam(learning_rate=[0.1, 0.2]): learning_rate holds 2 numbers, of a population. "
        "Give one number; NetworkSearch tries several."
    )
