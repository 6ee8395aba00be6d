"""scikit-learn's estimators: formulas in, a `Model` out, and scikit-learn's conventions around it.

They train by `fit` and add to it only the ways of scikit-learn. What its own MLP refuses is there: any network, cost
and optimizer, class weights, dropout, early stopping of `partial_fit`, a warm start that keeps the optimizer's state,
arrays of any rank.
"""

import dataclasses
import warnings
from abc import abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple, Self, TypeGuard

import numpy as np
from scipy import sparse
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state, column_or_1d, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from chainrule.activations import ReLU, Sigmoid, Softmax
from chainrule.costs import Cost
from chainrule.data.splitting import split
from chainrule.errors import ChainruleError, DivergedError
from chainrule.examples import check_exact, sample_weights
from chainrule.formula import Formula
from chainrule.history import History
from chainrule.layer import Chain, Layer
from chainrule.layers import Dense, Flatten
from chainrule.masked import Shape
from chainrule.metrics import Metric
from chainrule.model import Model, as_chain
from chainrule.notation import as_formula, parse
from chainrule.optimizers import Optimizer, as_optimizer
from chainrule.regularizers import Regularizer
from chainrule.schedules import over
from chainrule.stopping import EarlyStopping
from chainrule.training import Checkpoint, EpochEnd
from chainrule.training import fit as train
from chainrule.training.ending import End, completed

FORMULAS: dict[str, type[Formula]] = {
    "network": Layer,
    "cost": Cost,
    "optimizer": Optimizer,
    "regularizer": Regularizer,
    "early_stopping": EarlyStopping,
}
"""The parameters that are formulas, or their notation."""

SET_APART = 0.1  # of the rows, for early stopping where no validation is chosen
TOGETHER = 64  # rows that are computed at least, so that a row's outputs do not depend on its company

Hidden = int | Sequence[int]


class Part(NamedTuple):
    """Some of the examples, their targets as `fit` takes them, and how much each counts."""

    x: Any
    E: np.ndarray
    weights: np.ndarray

    def take(self, rows: np.ndarray) -> "Part":
        """These rows of it."""
        return Part(self.x[rows], self.E[rows], self.weights[rows])


class Network(BaseEstimator):
    """What the classifier and the regressor share."""

    model_: Model
    n_iter_: int
    n_outputs_: int
    _seed: int
    _checkpoint: Checkpoint | None

    def __init__(
        self,
        network: Layer | str | Hidden = (100,),
        *,
        cost: Cost | str | None = None,
        optimizer: Any = "Adam()",
        regularizer: Regularizer | str | None = None,
        epochs: int = 200,
        batch_size: int | Literal["all"] = 200,
        validation: float | tuple[Any, ...] | None = None,
        early_stopping: EarlyStopping | int | str | bool | None = None,
        metrics: Sequence[Metric | str] | None = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: bool | int = False,
    ):
        self.network = network
        self.cost = cost
        self.optimizer = optimizer
        self.regularizer = regularizer
        self.epochs = epochs
        self.batch_size = batch_size
        self.validation = validation
        self.early_stopping = early_stopping
        self.metrics = metrics
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose

    # What scikit-learn asks of every estimator.

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name; `deep` adds every field of every formula by its path: `optimizer__learning_rate`."""
        params = super().get_params(deep=False)
        if deep:
            params |= {path: value for name in FORMULAS for path, value in _fields(name, self._formula(name))}
        return params

    def set_params(self, **params: Any) -> Self:
        """Change parameters, or fields of their formulas by their paths; formulas may be given in notation.

        Raises:
            ChainruleError: a ValueError, for a path that leads nowhere or a value that its field refuses.
        """
        super().set_params(**{path: value for path, value in params.items() if "__" not in path})
        for path, value in params.items():
            name, *fields = path.split("__")
            if fields:
                setattr(self, name, _replaced(self._formula(name), fields, value, f"{type(self).__name__}: {path}"))
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = tags.input_tags.three_d_array = True
        return tags

    @property
    def history_(self) -> History:
        """The costs and metrics of each epoch, with those of the calls that the last one went on from."""
        check_is_fitted(self)
        return self.model_.history

    @property
    def loss_curve_(self) -> list[float]:
        """The cost of each epoch."""
        return self.history_["cost"]

    # Training.

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train the network; with `warm_start`, go on where the last call ended.

        Args:
            X: examples, (rows, features) or of a higher rank: an array, a data frame, or a sparse matrix, which is made
                dense a batch at a time.
            y: what to predict, (rows,) or (rows, outputs).
            sample_weight: how much each example counts, (rows,).

        Raises:
            ChainruleError: a ValueError, for a choice, a shape or a value that does not fit.
            DivergedError: a ChainruleError, where the cost is no longer finite; with early stopping, the best epoch
                before is kept instead, with a ConvergenceWarning.
        """
        self._train(X, y, sample_weight, self.epochs, self.warm_start and hasattr(self, "model_"))
        if self._stopping is not None and self.history_.stopped == "epochs":
            warnings.warn(
                f"{type(self).__name__}: {self.epochs} epochs ended before early stopping did. Give more epochs.",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def _train(self, X: Any, y: Any, weights: Any, epochs: int, go_on: bool, classes: Any = None) -> Self:
        """Train on examples as people give them, for some epochs, afresh or after the last call's."""
        x, y = self._validated(X, y, reset=not go_on)
        E = self._targets(y, classes, go_on)
        network = self._completed(x.shape[1:])
        if not go_on:
            self._seed = _seed(self.random_state)
        part, held_out = self._parts(Part(_inputs(x, network), E, self._weights(y, weights)))
        size = self._size(len(part.E))
        part = merged(part) if size == "all" else part
        done = len(self.history_) if go_on else 0
        planned = done + epochs if _is_whole(epochs) else 0
        last: deque[EpochEnd] = deque(maxlen=1)
        try:
            model = train(
                network,
                part.x,
                part.E,
                sample_weight=part.weights,
                cost=self.cost,
                optimizer=self._scheduled(planned, len(part.E), size),
                regularizer=self.regularizer,
                epochs=epochs,
                batch_size=size,
                validation=held_out and tuple(held_out),
                early_stopping=self._stopping,
                metrics=self.metrics,
                callbacks=[last.append],
                seed=self._seed,
                progress=bool(self.verbose),
                classes=self._names,
                after=self._checkpoint if go_on else None,
            )
        except DivergedError as error:
            if self._stopping is None or not last:
                raise
            model = error.model
            warnings.warn(f"{error} The best epoch before is kept.", ConvergenceWarning, stacklevel=3)
        self.model_, self._checkpoint = model, last[0].checkpoint() if last else None
        self.n_iter_ = len(self.history_) - done
        return self

    def _validated(self, X: Any, y: Any, reset: bool) -> Any:
        numeric = isinstance(self, RegressorMixin)
        return self._checked(X, y, reset=reset, multi_output=True, y_numeric=numeric)

    def _checked(self, X: Any, *y: Any, **choices: Any) -> Any:
        """Examples by scikit-learn's checks, and no numbers that it or we would round."""
        who = type(self).__name__
        for name, column in _arrays(X):
            check_exact(column, who, name)
        try:
            return validate_data(self, X, *y, accept_sparse=True, allow_nd=True, **choices)
        except ValueError as error:
            if not str(error).startswith("could not convert string to float"):
                raise
            text = str(error).removeprefix("could not convert string to float: ")
            raise ChainruleError(
                f"{who}: expected X of numbers, got text such as {text}. Put scikit-learn's OneHotEncoder before it, "
                f"or train on the table by chainrule.runs.train."
            ) from None

    @abstractmethod
    def _targets(self, y: Any, classes: Any, known: bool) -> np.ndarray:
        """The targets as `fit` takes them; `known`: they must be of the kind that an earlier call has seen."""

    @property
    def _names(self) -> tuple[Any, ...] | None:
        """The names of the classes that the targets number; None where the targets are values."""
        return None

    def _weights(self, y: Any, weights: Any = None) -> np.ndarray:
        """How much each example counts; always an array, so that weights compile nothing again."""
        rows = y.shape[0]
        given = sample_weights(weights, rows, type(self).__name__)
        return np.ones(rows, np.float32) if given is None else given

    @property
    def _stopping(self) -> EarlyStopping | int | str | None:
        rule = self.early_stopping
        return (EarlyStopping() if rule else None) if isinstance(rule, bool) else rule

    def _formula(self, name: str) -> Any:
        """A parameter's value, read where it is notation; `fit` says what is wrong where it can't be."""
        value = getattr(self, name, None)
        try:
            return parse(value, FORMULAS[name]) if isinstance(value, str) and name in FORMULAS else value
        except ChainruleError:
            return value

    def _size(self, rows: int) -> Any:
        """The batch size, "all" where one batch holds every row."""
        return "all" if _is_whole(self.batch_size) and rows <= self.batch_size else self.batch_size

    def _scheduled(self, epochs: int, rows: int, size: Any) -> Any:
        """The optimizer with its schedule's open length filled in: a call of `partial_fit` is not the whole run."""
        if not _is_whole(self.epochs) or not (_is_whole(size) or size == "all"):
            return self.optimizer  # `fit` refuses these
        steps = 1 if size == "all" else -(-rows // size)
        return over(as_optimizer(self.optimizer), float(max(self.epochs, epochs) * steps))

    def _parts(self, part: Part) -> tuple[Part, Part | None]:
        """The rows to train on and those to validate on; each part has its share of every class."""
        who, fraction = type(self).__name__, self.validation
        if isinstance(fraction, tuple) and len(fraction) in (2, 3):
            x, y = self._validated(*fraction[:2], reset=False)
            E = self._targets(y, getattr(self, "classes_", None), True)
            return part, Part(_inputs(x, self._completed(x.shape[1:])), E, self._weights(y, *fraction[2:]))
        if fraction is None and self._stopping is not None:
            fraction = SET_APART
        if fraction is None:
            return part, None
        if not isinstance(fraction, float) or not 0 < fraction < 1:
            raise ChainruleError(f"{who}: validation must be (X, y) or a fraction between 0 and 1, got {fraction!r}.")
        classes = part.E if part.E.ndim == 1 else None
        places = split(len(part.E), validation=fraction, test=0, seed=self._seed, classes=classes, name=who)
        return part.take(places.train), part.take(places.validation)

    def _completed(self, shape: Shape) -> Chain:
        """The network, with the output layer and its activation where they are not given."""
        outputs, end = self._ending
        if isinstance(self.network, Layer | str):
            network = as_chain(self.network)
        else:
            network = Chain((*[Flatten()] * (len(shape) > 1), *_hidden(self.network), Dense(outputs)))
        return completed(network, shape, (outputs,), end)

    @property
    @abstractmethod
    def _ending(self) -> tuple[int, End]:
        """How many outputs the targets need, and the activation that gives them."""

    def _outputs(self, X: Any, model: Model) -> np.ndarray:
        """A model's outputs for examples as people give them, float64."""
        x = self._checked(X, reset=False)
        x = _inputs(x, self.model_.network)
        return model.outputs(_together(x))[: x.shape[0]].astype(np.float64)


class NetworkClassifier(ClassifierMixin, Network):
    """A network as scikit-learn's classifier: of two classes, several, or several labels at once.

    The output layer and its activation are added to fit the classes unless the network ends with them: one output
    and Sigmoid for two classes, Softmax for more, a Sigmoid for each of several labels.

    Unlike `MLPClassifier`, it trains for `epochs` epochs unless `early_stopping` ends them, in float32. Where one batch
    holds all rows, neither their order nor their repetition changes a bit of the result.

    Args:
        network: layers, their notation, or the sizes of hidden layers, which end in ReLU.
        cost: by default cross-entropy, the partner of the end.
        optimizer: a formula, its notation, or one of Optax's.
        regularizer: L1, L2 or a sum of them, on the kernels (`L2(alpha / 2 / rows)` is scikit-learn's alpha).
        epochs: how often every example is seen.
        batch_size: examples a step, at most; "all" for all at once.
        validation: what to measure on after each epoch: (X, y), (X, y, weights) or a fraction of the rows.
        early_stopping: a rule, its patience in epochs, or True; keeps the best epoch, by the cost or by any metric:
            "EarlyStopping(10, monitor=F1())". Without `validation`, it sets a tenth of the rows apart.
        class_weight: "balanced", or how much each class counts, {class: weight}.
        metrics: measured beside the cost in each epoch.
        random_state: a whole number, which gives the same bits every time; a RandomState or None.
        warm_start: whether `fit` goes on where its last call ended, with the optimizer's state.
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
        epochs: int = 200,
        batch_size: int | Literal["all"] = 200,
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
        """The probability of each class, (rows, classes), or of each label, (rows, labels)."""
        z = self.decision_function(X)
        if self._multilabel:
            return expit(z)
        if z.ndim == 1:
            z = np.stack([np.zeros_like(z), z], axis=1)[:, : len(self.classes_)]
        elif isinstance(self.model_.network.layers[-1], Sigmoid):  # each class against the rest
            return expit(z) / expit(z).sum(axis=1, keepdims=True)
        return softmax(z, axis=1)

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """The logarithm of `predict_proba`."""
        return np.log(self.predict_proba(X))

    def decision_function(self, X: Any) -> np.ndarray:
        """What the last activation is given: log-odds (rows,) of the second of two classes, else (rows, classes)."""
        check_is_fitted(self)
        model = self.model_
        body = {"network": Chain(model.network.layers[:-1]), "parameters": model.parameters[:-1]}
        z = self._outputs(X, dataclasses.replace(model, **body, state=model.state[:-1]))
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
                "MultiOutputClassifier around it, or 0 and 1 for each label."
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
            return y.astype(np.float32)
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
        if self._multilabel:
            return len(self.classes_), Sigmoid
        end = as_formula(self.cost, Cost).partner if self.cost is not None else None
        end = end or (Softmax if len(self.classes_) > 2 else Sigmoid)
        return (1 if end is Sigmoid and len(self.classes_) <= 2 else max(len(self.classes_), 2)), end


class NetworkRegressor(RegressorMixin, Network):
    """A network as scikit-learn's regressor, of one value or several.

    The output layer is added unless the network ends with as many outputs as there are values to predict. Targets are
    taken as they are: put `TransformedTargetRegressor` around it where they are large.

    Args:
        network, optimizer, …: as for `NetworkClassifier`.
        cost: by default half the squared error.

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
        values = self._outputs(X, self.model_)
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
        return self.n_outputs_, None if self.cost is None else as_formula(self.cost, Cost).partner


def merged(part: Part) -> Part:
    """The same examples with equal ones made one of their total weight, in an order of their own.

    For a batch of all rows, order and repetition can't matter; so they change no bit.

    >>> part = Part(np.float32([[1], [0], [1]]), np.int32([1, 0, 1]), np.float32([1, 0, 2]))
    >>> merged(part)
    Part(x=array([[1.]], dtype=float32), E=array([1], dtype=int32), weights=array([3.], dtype=float32))
    """
    rows = len(part.E)
    part = part._replace(x=part.x.toarray()) if sparse.issparse(part.x) else part
    columns = [np.ascontiguousarray(array + 0).reshape(rows, -1).view(np.uint8) for array in part[:2]]  # + 0: no -0.0
    table = np.ascontiguousarray(np.concatenate(columns, axis=1))
    _, first, place = np.unique(table.view(f"V{table.shape[1]}").ravel(), return_index=True, return_inverse=True)
    total = np.bincount(place, part.weights).astype(np.float32)
    return part.take(first)._replace(weights=total).take(np.flatnonzero(total)) if total.any() else part


def _fields(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Every field below a formula, by its path; the formulas of a tuple are named by their place."""
    for name, inner in _inner(value).items():
        yield f"{path}__{name}", inner
        yield from _fields(f"{path}__{name}", inner)


def _inner(value: Any) -> dict[str, Any]:
    if isinstance(value, Formula):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}  # type: ignore[arg-type]
    if isinstance(value, tuple) and all(isinstance(item, Formula) for item in value):
        return {str(place): item for place, item in enumerate(value)}
    return {}


def _replaced(value: Any, path: Sequence[str], new: Any, who: str) -> Any:
    """A formula with another value at the end of a path of fields."""
    if not path:
        return parse(new) if isinstance(new, str) and not isinstance(value, str) else new
    name, *rest = path
    inner = _inner(value)
    if name not in inner:
        known = ", ".join(inner) or "none"
        raise ChainruleError(f"{who} is no parameter: {value!r} has the fields {known}, not {name!r}.")
    changed = inner | {name: _replaced(inner[name], rest, new, who)}
    return tuple(changed.values()) if isinstance(value, tuple) else dataclasses.replace(value, **changed)


def _is_whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int | np.integer) and bool(value > 0)


def _hidden(sizes: Any) -> list[Layer]:
    """Hidden layers of these sizes."""
    sizes = np.atleast_1d(np.asarray(sizes, object)).tolist()
    return [layer for units in sizes for layer in (Dense(units), ReLU())]


def _seed(random_state: Any) -> int:
    """A whole number is the seed itself; a generator, or NumPy's global one for None, draws it."""
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def _together(x: Any) -> Any:
    """Examples with rows of zeros behind them, where they are few."""
    missing = (max(TOGETHER - x.shape[0], 0), *x.shape[1:])
    if sparse.issparse(x):
        return sparse.vstack([x, sparse.csr_array(missing, dtype=x.dtype)])
    return np.concatenate([x, np.zeros(missing, x.dtype)])


def _are_exact(x: np.ndarray) -> bool:
    """Whether all are whole numbers, and of a type that does not round such."""
    small = x.dtype.kind != "f" or not (np.abs(x) >= 2 / np.finfo(x.dtype).eps).any()
    return small and np.array_equal(x, np.round(x))


def _arrays(X: Any) -> Iterator[tuple[str, np.ndarray]]:
    """The columns of a data frame, which an array of all would round; an array, or the numbers in a sparse one."""
    if hasattr(X, "columns") and hasattr(X, "items"):
        yield from ((f"X[{name!r}]", np.asarray(column)) for name, column in X.items())
    else:
        yield "X", X.tocoo().data if sparse.issparse(X) else np.asarray(X)


def _inputs(x: Any, network: Chain) -> np.ndarray:
    """Examples as the network takes them: float32, also sparse; or tokens, also where an encoder made them floats."""
    if sparse.issparse(x) and not network.tokens and not network.categories:
        return x.tocsr().astype(np.float32)
    x = x.toarray() if sparse.issparse(x) else x
    if network.tokens:
        return x.astype(np.int32) if _are_exact(x) else x  # `fit` refuses the others
    with np.errstate(over="ignore"):  # infinity is refused by `fit`
        return x.astype(np.float32)
