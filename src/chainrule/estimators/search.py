"""scikit-learn's grid search over networks, of which those that differ in numbers alone are trained together."""

import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Self

import jax
import joblib
import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.model_selection import GridSearchCV, ParameterGrid, check_cv
from sklearn.utils import _safe_indexing

from chainrule.errors import ChainruleError
from chainrule.estimators.base import FORMULAS, Network
from chainrule.formula.base import Formula
from chainrule.training import fit as train

Known = dict[Any, dict[str, Any]]


class NetworkSearch(GridSearchCV):
    """`GridSearchCV` for a network: candidates that differ only in numbers are trained together, as a population.

    Parameters, attributes and scores are those of `GridSearchCV`, scores to rounding. Numbers are the float fields of
    formulas: rates, strengths, slopes; candidates of another structure (layers, units, batch size) are a population of
    their own. `n_jobs` is not used, and `mean_fit_time` is what it takes to look a trained network up.

    >>> from sklearn.datasets import load_iris
    >>> from chainrule import NetworkClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = NetworkClassifier((8,), epochs=5, batch_size=32, random_state=0)
    >>> search = NetworkSearch(model, {"optimizer__learning_rate": [1e-5, 1e-3, 0.1]}, cv=3).fit(X, y)
    >>> search.best_params_
    {'optimizer__learning_rate': 0.1}
    """

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Train and score every candidate on every split, and then the best one on all rows.

        Args:
            X, y: as the estimator takes them.
            params: more that the estimator takes, such as `sample_weight`; and `groups` for the splits.

        Raises:
            ChainruleError: for an estimator that is no network.
        """
        network, jobs = self.estimator, self.n_jobs
        cv: Any = self.cv
        if not isinstance(network, Network):
            raise ChainruleError(
                f"NetworkSearch: expected a NetworkClassifier or NetworkRegressor, got {type(network).__name__}. "
                f"Use GridSearchCV for it."
            )
        splitter: Any = check_cv(cv, y, classifier=is_classifier(network))
        splits = [*splitter.split(X, y, **({"groups": params["groups"]} if "groups" in params else {}))]
        candidates = [_own(network).set_params(**each) for each in ParameterGrid(self.param_grid)]
        known: Known = {}
        for rows, _ in splits:
            weights = params.get("sample_weight")
            part = [None if each is None else _safe_indexing(each, rows) for each in (X, y, weights)]
            for group in _groups(candidates):
                known |= _trained(group, *part)
        try:  # what it does not know is trained by itself
            self.estimator, self.cv, self.n_jobs = _remembering(network, known), splits, None
            super().fit(X, y, **params)
        finally:
            self.estimator, self.cv, self.n_jobs = network, cv, jobs
        if hasattr(self, "best_estimator_"):
            self.best_estimator_.__class__ = type(network)
        return self


def _groups(candidates: Sequence[Network]) -> Iterator[Sequence[Network]]:
    """Candidates of one structure, where there are several; those that have some minutes each are none."""
    groups = defaultdict(list)
    for candidate in candidates:
        groups[_structure(candidate)].append(candidate)
    return (group for group in groups.values() if len(group) > 1 and group[0].minutes is None)


def _structure(candidate: Network) -> Any:
    """What two candidates have alike that can be trained together."""
    params = [candidate._formula(name) for name in candidate.get_params(deep=False)]
    return tuple(jax.tree.structure(value) if isinstance(value, Formula) else _content(value) for value in params)


def _trained(group: Sequence[Network], X: Any, y: Any, weights: Any) -> Known:
    """What each of a group learns of some rows, by what it is and what they are; of those that end well."""
    together = _own(group[0])
    for name in FORMULAS:
        formulas = [candidate._formula(name) for candidate in group]
        if isinstance(formulas[0], Formula):
            setattr(together, name, jax.tree.map(_several, *formulas))
    try:
        with warnings.catch_warnings(action="ignore"):
            models = train(**together._asked(X, y, weights, together.epochs))
    except ChainruleError:  # each says by itself what is wrong
        return {}
    if not isinstance(models, list):  # they are all the same
        models = [models] * len(group)
    learned = {name: value for name, value in vars(together).items() if name not in together.get_params(deep=False)}
    return {
        _key(candidate, X, y, weights): learned | {"model_": model, "n_iter_": len(model.history), "_checkpoint": None}
        for candidate, model in zip(group, models, strict=True)
        if model.history.stopped != "diverged"
    }


def _own(network: Network) -> Network:
    """A copy that nothing was learned by."""
    return clone(network)  # type: ignore[return-value]


def _several(*numbers: Any) -> Any:
    """A number that all have alike, or those of each."""
    return numbers[0] if len({*numbers}) == 1 else np.array(numbers, float)


def _key(network: Network, X: Any, y: Any, weights: Any) -> tuple[str, str]:
    """By what a network and its rows are known again."""
    params = [network._formula(name) for name in network.get_params(deep=False)]
    known_by = [repr(value) if isinstance(value, Formula) else _content(value) for value in params]
    return " ".join(known_by), _content((X, y, weights))


def _content(value: Any) -> str:
    """A digest of what it holds; what can't be digested, such as a function, is only like itself."""
    try:
        return str(joblib.hash(value))
    except Exception:  # whatever it says of itself when it is pickled
        return f"{id(value)}"


def _remembering(network: Network, known: Known) -> Network:
    """The network, but it knows what comes of the rows that it was trained on already."""

    class Remembering(type(network)):  # type: ignore[misc]
        def _train(self, X: Any, y: Any, weights: Any, *how: Any, **choices: Any) -> Self:
            found = known.pop(_key(self, X, y, weights), None) if known else None
            if found is None:
                return super()._train(X, y, weights, *how, **choices)
            vars(self).update(found)
            return self

    Remembering.__name__ = type(network).__name__
    return Remembering(**network.get_params(deep=False))
