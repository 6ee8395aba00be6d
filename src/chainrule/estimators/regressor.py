"""A network as scikit-learn's regressor."""

from typing import Any, Self

import numpy as np
from scipy import sparse
from sklearn.base import RegressorMixin
from sklearn.utils import column_or_1d
from sklearn.utils.validation import check_is_fitted

from chainrule.errors import ChainruleError
from chainrule.estimators.base import Network
from chainrule.model.examples import check_exact
from chainrule.training.ending import End


class NetworkRegressor(RegressorMixin, Network):
    """A network as scikit-learn's regressor, of one value or several.

    The output layer is added unless the network ends with as many outputs as there are values to predict. Targets are
    taken as they are: put `TransformedTargetRegressor` around it where they are large.

    Args:
        network, optimizer, …: as for `NetworkClassifier`.
        cost: by default half the squared error. With Poisson, Gamma or Tweedie the network ends in Exp; of several
            outputs for each value, those of GaussianNLL or of several quantiles, `predict` gives the mean, or the
            quantile nearest to the median, and `model_(X)` all of them.

    Attributes:
        model_: the trained `Model`.
        history_, loss_curve_: what happened in training.
        n_iter_: how many epochs the last call trained.

    >>> from sklearn.datasets import make_regression
    >>> X, y = make_regression(200, 5, random_state=0)
    >>> NetworkRegressor((32,), optimizer="Adam(0.01)", random_state=0).fit(X, y / 100).score(X, y / 100) > 0.95
    True
    """

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train one epoch more, on these examples; for early stopping, see `NetworkClassifier.partial_fit`."""
        return self._train(X, y, sample_weight, 1, hasattr(self, "model_"))

    def predict(self, X: Any) -> np.ndarray:
        """The predicted values, (rows,), or (rows, outputs) for several."""
        check_is_fitted(self)
        values = self.model_.cost.estimate(self._outputs(X, self.model_))
        return values[:, 0] if self.n_outputs_ == 1 else values

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _targets(self, y: Any, classes: Any, known: bool) -> np.ndarray:
        y = np.asarray(y.toarray() if sparse.issparse(y) else y)
        y = column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y
        outputs = 1 if y.ndim == 1 else y.shape[1]
        if known and outputs != self.n_outputs_:
            raise ChainruleError(
                f"NetworkRegressor: expected {self.n_outputs_} values an example as in the first call, got {outputs}. "
                f"Set warm_start=False to begin anew."
            )
        check_exact(y, type(self).__name__, "y")
        self.n_outputs_ = outputs
        return y.reshape(len(y), outputs).astype(np.float32)

    @property
    def _ending(self) -> tuple[int, End]:
        if (cost := self._cost) is None:
            return self.n_outputs_, None
        return self.n_outputs_ * cost.outputs_per_target, next(iter(cost.canonical_activations), None)
