"""scikit-learn's estimators: formulas in, a `Model` out, and scikit-learn's conventions around it.

They train by `fit` and add to it only the ways of scikit-learn. What its own MLP refuses is there: any network, cost
and optimizer, class weights, dropout, early stopping of `partial_fit`, a warm start that keeps the optimizer's state,
arrays of any rank.
"""

from chainrule.estimators.classifier import NetworkClassifier
from chainrule.estimators.regressor import NetworkRegressor
from chainrule.estimators.search import NetworkSearch

__all__ = ["NetworkClassifier", "NetworkRegressor", "NetworkSearch"]
