"""A network as scikit-learn's classifier."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
from scipy import sparse
from scipy.special import expit, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted

from chainrule.activations import Sigmoid, Softmax
from chainrule.costs import Cost
from chainrule.costs.targets import VALUES
from chainrule.errors import ChainruleError
from chainrule.estimators.base import Hidden, Network
from chainrule.formula.layer import Chain, Layer
from chainrule.metrics import Metric
from chainrule.model.model import is_probable, probabilities
from chainrule.regularizers import Regularizer
from chainrule.regularizers.stopping import EarlyStopping
from chainrule.training.ending import End


class NetworkClassifier(ClassifierMixin, Network):
    """A network as scikit-learn's classifier: of two classes, several, or several labels at once.

    The output layer and its activation are added to fit the classes unless the network ends with them: one output
    and Sigmoid for two classes, Softmax for more, a Sigmoid for each of several labels.

    Unlike `MLPClassifier`, it trains for `epochs` epochs unless `early_stopping` ends them, in float32. Where one batch
    holds all rows, neither their order nor their repetition changes a bit of the result.

    Args:
        network: layers, their notation, or the sizes of hidden layers, which end in ReLU; or "auto": what suits the
            data, with numbers standardised, and labels smoothed where no cost is said.
        cost: by default cross-entropy, whose canonical activation is the end. Behind Hinge, SquaredHinge and
            CategoricalHinge there is none: their outputs are scores, and there are no probabilities.
        optimizer: a formula, its notation, or one of Optax's; or "auto": what suits a network that is chosen.
        regularizer: L1, L2, … or a sum of them, on the kernels (`L2(alpha / 2 / rows)` is scikit-learn's alpha);
            constraints too, such as MaxNorm(3).
        epochs: how often every example is seen; or "auto": for 3,000 steps in all on tables, 2,000 on other examples,
            20 (of tables 40) to 300 times.
        minutes: how many `fit` may take, with what it goes on from; it does as many of the epochs as there is room for.
            Schedules of an open length end with it, and the result depends on the machine's pace.
        batch_size: examples a step, at most; "all" for all at once. By default 200, or 32 to 256 for a network that is
            chosen, or "all" for an optimizer that asks for it.
        validation: what to measure on after each epoch: (X, y), (X, y, weights) or a fraction of the rows.
        early_stopping: a rule, its patience in epochs, or True; keeps the best epoch, by the cost or by any metric:
            "EarlyStopping(10, monitor=F1())". Without `validation`, it sets a tenth of the rows apart.
        class_weight: "balanced", or how much each class counts, {class: weight}.
        metrics: measured beside the cost in each epoch.
        random_state: a whole number, which gives the same bits every time; a RandomState or None.
        warm_start: whether `fit` goes on where its last call ended, with the optimizer's state, as its page says.
        verbose: whether to show progress.

    Attributes:
        model_: the trained `Model`.
        classes_: the classes, sorted.
        history_, loss_curve_: what happened in training.
        n_iter_: how many epochs the last call trained.

    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> NetworkClassifier((16,), optimizer="Adam(0.01)", random_state=0).fit(X, y).score(X, y) > 0.95
    True
    """

    classes_: np.ndarray
    _multilabel: bool

    def __init__(
        self,
        network: Layer | str | Hidden = (100,),
        *,
        cost: Cost | str | None = None,
        optimizer: Any = "Adam()",
        regularizer: Regularizer | str | None = None,
        epochs: int | Literal["auto"] = 200,
        minutes: float | None = None,
        batch_size: int | Literal["all"] | None = None,
        validation: float | tuple[Any, ...] | None = None,
        early_stopping: EarlyStopping | int | str | bool | None = None,
        class_weight: Any = None,
        metrics: Sequence[Metric | str] | None = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: bool | int = False,
    ):
        super().__init__(
            network,
            cost=cost,
            optimizer=optimizer,
            regularizer=regularizer,
            epochs=epochs,
            minutes=minutes,
            batch_size=batch_size,
            validation=validation,
            early_stopping=early_stopping,
            metrics=metrics,
            random_state=random_state,
            warm_start=warm_start,
            verbose=verbose,
        )
        self.class_weight = class_weight

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train one epoch more, on these examples.

        Args:
            X, y, sample_weight: as for `fit`.
            classes: all classes there will be, where the first call does not show them all.

        With early stopping, `model_` is that of the best epoch so far, and `history_.stopped` says when the patience
        has run out; give `validation=(X, y)` where the examples of each call are others.
        """
        if self.class_weight == "balanced":
            raise ChainruleError(
                "NetworkClassifier: partial_fit can't know how many rows of each class will come for class_weight=\""
                'balanced". Give {class: weight}.'
            )
        go_on = hasattr(self, "model_")
        classes = self.classes_ if go_on and classes is None else classes
        return self._train(X, y, sample_weight, 1, go_on, classes)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each example, (rows,); 0 or 1 for each of several labels, (rows, labels)."""
        z = self.decision_function(X)
        if self._multilabel:
            return (z > 0).astype(int)
        return self.classes_[(z > 0) * (len(self.classes_) - 1) if z.ndim == 1 else z.argmax(axis=1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, (rows, classes), or of each label, (rows, labels).

        Raises:
            ChainruleError: where the outputs are scores, as behind Hinge.
        """
        check_is_fitted(self)
        last = self.model_.network.layers[-1]
        if self.model_.cost.targets.scores:
            raise ChainruleError(
                f"NetworkClassifier: the outputs behind {self.model_.cost!r} are scores, and no probabilities. Call "
                f"decision_function, or choose another cost."
            )
        if not isinstance(last, Sigmoid | Softmax) and is_probable(last):
            return probabilities(self._outputs(X, self.model_))
        z = self.decision_function(X)
        if self._multilabel:
            return expit(z)
        if z.ndim == 1:
            z = np.stack([np.zeros_like(z), z], axis=1)[:, : len(self.classes_)]
        elif isinstance(last, Sigmoid):  # each class against the rest
            return expit(z) / expit(z).sum(axis=1, keepdims=True)
        return softmax(z, axis=1)

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """The logarithm of `predict_proba`."""
        return np.log(self.predict_proba(X))

    def decision_function(self, X: Any) -> np.ndarray:
        """What the last activation is given: log-odds (rows,) of the second of two classes, else (rows, classes).

        Where the outputs are scores, it is these.
        """
        check_is_fitted(self)
        model = self.model_
        if not model.cost.targets.scores:
            body = {"network": Chain(model.network.layers[:-1]), "parameters": model.parameters[:-1]}
            model = dataclasses.replace(model, **body, state=model.state[:-1])
        z = self._outputs(X, model)
        if self._multilabel or len(self.classes_) > 2:
            return z
        return z[:, 0] if z.shape[1] == 1 else z[:, 1] - z[:, 0]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _targets(self, y: Any, classes: Any, known: bool) -> np.ndarray:
        check_classification_targets(y)
        kind = type_of_target(y)
        if kind == "multiclass-multioutput":
            raise ChainruleError(
                "NetworkClassifier: y has several columns of several classes. Use sklearn.multioutput's "
                "MultiOutputClassifier around it, or 0 and 1 for each label; for a class at each step of sequences, "
                "chainrule.fit."
            )
        multilabel = kind == "multilabel-indicator"
        y = (y.toarray() if sparse.issparse(y) else y) if multilabel else column_or_1d(y, warn=True)
        shown = np.arange(y.shape[1]) if multilabel else np.unique(y)
        named = shown if classes is None else np.unique(classes)
        if not known:
            self.classes_, self._multilabel = named, multilabel
            self.n_outputs_ = len(named) if multilabel or len(named) > 2 else 1
        elif not np.array_equal(named, self.classes_) or multilabel != self._multilabel:
            raise ChainruleError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                f"Previously got {self.classes_}, `y` has {named}"
            )
        if multilabel:
            targets = VALUES if (cost := self._cost) is None else cost.targets
            return np.where(y > 0, targets.yes, targets.no).astype(np.float32)
        if len(unknown := np.setdiff1d(shown, self.classes_)):
            raise ChainruleError(
                f"NetworkClassifier: y has the class {unknown[0]!r}, which is none of {self.classes_}. Name them all "
                f"in the first call: classes=[…]."
            )
        return np.searchsorted(self.classes_, y).astype(np.int32)

    @property
    def _names(self) -> tuple[Any, ...] | None:
        return None if self._multilabel else tuple(self.classes_.tolist())

    def _weights(self, y: Any, weights: Any = None) -> np.ndarray:
        given = super()._weights(y, weights)
        return given if self.class_weight is None else given * compute_sample_weight(self.class_weight, y)

    @property
    def _ending(self) -> tuple[int, End]:
        cost, count = self._cost, len(self.classes_)
        end = next(iter(cost.canonical_activations), None) if cost else None
        if cost and cost.targets.scores:
            one = cost.targets.fewest == 1
        else:
            end = Sigmoid if self._multilabel else end or (Softmax if count > 2 else Sigmoid)
            one = end is Sigmoid
        return (count if self._multilabel else 1 if one and count <= 2 else max(count, 2)), end
