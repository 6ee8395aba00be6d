"""What the classifier and the regressor share."""

import warnings
from abc import abstractmethod
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from chainrule.activations import ReLU
from chainrule.arrays.masked import Shape
from chainrule.costs import Cost
from chainrule.data.preprocessing import KINDS
from chainrule.data.splitting import split
from chainrule.errors import ChainruleError, DivergedError
from chainrule.estimators.examples import Part, arrays, inputs, merged, together
from chainrule.formula.base import Formula, check_single
from chainrule.formula.exports import exported
from chainrule.formula.layer import Chain, Layer
from chainrule.layers import Dense, Flatten
from chainrule.metrics import Metric
from chainrule.model import Model
from chainrule.model.examples import check_exact
from chainrule.model.history import History
from chainrule.model.targets import sample_weights
from chainrule.notation import as_chain, as_formula, as_optimizer, parse
from chainrule.notation.choices import batch_size_of, is_whole
from chainrule.notation.fields import fields, replaced
from chainrule.optimizers import Optimizer
from chainrule.optimizers.schedules import over
from chainrule.regularizers import Regularizer
from chainrule.regularizers.stopping import EarlyStopping
from chainrule.training import Checkpoint, EpochEnd
from chainrule.training import fit as train
from chainrule.training.defaults import ADAM, SMOOTHING, Described, default, default_batch_size, default_epochs, hidden
from chainrule.training.ending import End, completed, default_cost

FORMULAS: dict[str, type[Formula]] = {
    "network": Layer,
    "cost": Cost,
    "optimizer": Optimizer,
    "regularizer": Regularizer,
    "early_stopping": EarlyStopping,
}
"""The parameters that are formulas, or their notation."""

AUTO = "auto"
"""What is chosen by the data: a network, or an optimizer."""

BATCH = 200  # examples a step, at most, where nothing is said
SET_APART = 0.1  # of the rows, for early stopping where no validation is chosen

Hidden = int | Sequence[int]


class Network(BaseEstimator):
    """What the classifier and the regressor share."""

    model_: Model
    n_iter_: int
    n_outputs_: int
    _seed: int
    _rows: int
    _shape: Shape
    _checkpoint: Checkpoint | None

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
        self.minutes = minutes
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
            params |= {path: value for name in FORMULAS for path, value in fields(name, self._formula(name))}
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
                setattr(self, name, replaced(self._formula(name), fields, value, f"{type(self).__name__}: {path}"))
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

    # What sklearn-onnx asks of estimators that it does not know, so that pipelines with a network in them convert.

    def onnx_shape_calculator(self) -> Any:
        """What tells sklearn-onnx the types and sizes of the outputs."""
        return exported("onnx_shape_calculator", self)

    def onnx_converter(self) -> Any:
        """What writes the network's nodes into a graph of sklearn-onnx."""
        return exported("onnx_converter", self)

    # Training.

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train the network; with `warm_start`, go on where the last call ended, for `epochs` more.

        Optimizer, noise, early stopping and history then go on as if it had never ended. So does a schedule with its
        `steps`. One whose length is open is as long as all calls so far and this one together: after 10 epochs of
        CosineDecay, which ended at a rate of 0, 10 more see the second half of one over 20.

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
        self._train(X, y, sample_weight, self.epochs, self.warm_start and hasattr(self, "model_"), None, self.minutes)
        if self._stopping is not None and self.epochs != AUTO and self.history_.stopped == "epochs":
            warnings.warn(
                f"{type(self).__name__}: {self.epochs} epochs ended before early stopping did. Give more epochs.",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def _train(
        self, X: Any, y: Any, weights: Any, epochs: Any, go_on: bool, classes: Any = None, minutes: Any = None
    ) -> Self:
        """Train on examples as people give them, for some epochs, afresh or after the last call's."""
        for name in FORMULAS:
            check_single(self._formula(name), "Give one number; NetworkSearch tries several.")
        asked = self._asked(X, y, weights, epochs, go_on, classes, minutes)
        done = len(self.history_) if go_on else 0
        last: deque[EpochEnd] = deque(maxlen=1)
        try:
            model = train(**asked, callbacks=[last.append])
        except DivergedError as error:
            if self._stopping is None or not last:
                raise
            model = error.model
            warnings.warn(f"{error} The best epoch before is kept.", ConvergenceWarning, stacklevel=3)
        self.model_, self._checkpoint = model, last[0].checkpoint() if last else None
        self.n_iter_ = len(self.history_) - done
        return self

    def _asked(
        self, X: Any, y: Any, weights: Any, epochs: Any, go_on: bool = False, classes: Any = None, minutes: Any = None
    ) -> dict[str, Any]:
        """What `chainrule.fit` is asked to do."""
        x, y = self._validated(X, y, reset=not go_on)
        E = self._targets(y, classes, go_on)
        self._rows = self._rows if go_on else x.shape[0]
        network = self._completed(x.shape[1:])
        if not go_on:
            self._seed = _seed(self.random_state)
        part, held_out = self._parts(Part(inputs(x, network), E, self._weights(y, weights)))
        size = self._size(len(part.E))
        epochs, whole = (self._counted(each, len(part.E), size) for each in (epochs, self.epochs))
        part = merged(part) if size == "all" else part
        after = self._checkpoint if go_on else None
        done = int(after.state.step) if after else 0
        optimizer = self._scheduled(epochs, whole, len(part.E), size, done) if minutes is None else self._optimizer
        return {
            "network": network,
            "x": part.x,
            "y": part.E,
            "sample_weight": part.weights,
            "cost": self._chosen_cost(network),
            "optimizer": optimizer,
            "regularizer": self.regularizer,
            "epochs": epochs,
            "minutes": minutes,
            "batch_size": size,
            "validation": held_out and tuple(held_out),
            "early_stopping": self._stopping,
            "metrics": self.metrics,
            "seed": self._seed,
            "progress": bool(self.verbose),
            "classes": self._names,
            "after": after,
        }

    def _validated(self, X: Any, y: Any, reset: bool) -> Any:
        numeric = isinstance(self, RegressorMixin)
        return self._checked(X, y, reset=reset, multi_output=True, y_numeric=numeric)

    def _checked(self, X: Any, *y: Any, **choices: Any) -> Any:
        """Examples by scikit-learn's checks, and no numbers that it or we would round."""
        who = type(self).__name__
        for name, column in arrays(X):
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
        size = self.batch_size
        size = "all" if is_whole(size) and rows <= size else size
        size = batch_size_of(self._optimizer, size, default_batch_size(rows) if self._chosen else BATCH)
        return "all" if is_whole(size) and rows <= size else size

    def _counted(self, epochs: Any, rows: int, size: Any) -> Any:
        """How many epochs there are; "auto": as many as the data need."""
        return default_epochs(self._described._replace(rows=rows), size) if epochs == AUTO else epochs

    def _scheduled(self, epochs: Any, whole: Any, rows: int, size: Any, done: int) -> Any:
        """The optimizer with its schedule's open length filled in: all the steps so far, and those of this call.

        But at least those of the `whole` run's epochs, since a call of `partial_fit` is only a part of it.
        """
        if not (is_whole(whole) and is_whole(epochs)) or not (is_whole(size) or size == "all"):
            return self._optimizer  # `fit` refuses these
        steps = 1 if size == "all" else -(-rows // size)
        return over(self._optimizer, float(max(whole * steps, done + epochs * steps)))

    def _parts(self, part: Part) -> tuple[Part, Part | None]:
        """The rows to train on and those to validate on; each part has its share of every class."""
        who, fraction = type(self).__name__, self.validation
        if isinstance(fraction, tuple) and len(fraction) in (2, 3):
            x, y = self._validated(*fraction[:2], reset=False)
            E = self._targets(y, getattr(self, "classes_", None), True)
            return part, Part(inputs(x, self._completed(x.shape[1:])), E, self._weights(y, *fraction[2:]))
        if fraction is None and self._stopping is not None:
            fraction = SET_APART
        if fraction is None:
            return part, None
        if not isinstance(fraction, float) or not 0 < fraction < 1:
            raise ChainruleError(f"{who}: validation must be (X, y) or a fraction between 0 and 1, got {fraction!r}.")
        classes = part.E if part.E.ndim == 1 else None
        places = split(len(part.E), validation=fraction, test=0, seed=self._seed, classes=classes, name=who)
        return part.take(places.train), part.take(places.validation)

    @property
    def _optimizer(self) -> Any:
        """What minimises the cost: what is said, else what suits a network that is chosen, else Adam."""
        if self.optimizer != AUTO:
            return as_optimizer(self.optimizer)
        return as_optimizer((default(self._described) if self._chosen else ADAM).optimizer)

    @property
    def _chosen(self) -> bool:
        """Whether the network is chosen by the data."""
        return isinstance(self.network, str) and self.network == AUTO

    @property
    def _described(self) -> Described:
        """What the data are, as far as it matters to what is chosen for them."""
        shape = self._shape
        classes = isinstance(self, ClassifierMixin) and self._ending[0]
        return Described(KINDS.get(len(shape), "arrays"), shape, self._rows, int(classes), self._ending[0])

    def _chosen_cost(self, network: Chain) -> Any:
        """The cost that is said, else that of the network's end, of classes smoothed where the network is chosen."""
        if self.cost is not None or not self._chosen or self._names is None:
            return self.cost
        return replace(default_cost(network), smoothing=SMOOTHING)  # type: ignore[call-arg]

    @property
    def _cost(self) -> Cost | None:
        """The cost that is said."""
        return None if self.cost is None else as_formula(self.cost, Cost)

    def _completed(self, shape: Shape) -> Chain:
        """The network, with the output layer and its activation where they are not given."""
        outputs, end = self._ending
        self._shape = shape
        if self._chosen:
            network = as_chain(f"Standardize() >> {hidden(self._described)}")
        elif isinstance(self.network, Layer | str):
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
        x = inputs(x, self.model_.network)
        return model.outputs(together(x))[: x.shape[0]].astype(np.float64)


def _hidden(sizes: Any) -> list[Layer]:
    """Hidden layers of these sizes."""
    sizes = np.atleast_1d(np.asarray(sizes, object)).tolist()
    return [layer for units in sizes for layer in (Dense(units), ReLU())]


def _seed(random_state: Any) -> int:
    """A whole number is the seed itself; a generator, or NumPy's global one for None, draws it."""
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
