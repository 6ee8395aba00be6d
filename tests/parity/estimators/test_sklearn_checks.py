"""All that scikit-learn asks of its own estimators."""

import pytest
from sklearn.utils.estimator_checks import check_estimator

from chainrule import NetworkClassifier, NetworkRegressor


@pytest.mark.filterwarnings("ignore:Can't check dok sparse matrix:UserWarning")
@pytest.mark.parametrize("kind", [NetworkClassifier, NetworkRegressor])
def test_every_check_of_scikit_learn_passes(kind):
    check_estimator(kind((16,), optimizer="Adam(0.02)", epochs=40, metrics=()), on_skip=None)
