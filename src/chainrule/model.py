"""A trained network: its parameters, what it is for, and how it was trained."""

import functools
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from chainrule.activations import Activation
from chainrule.costs import Cost
from chainrule.data.preprocessing import Preparation
from chainrule.errors import ChainruleError
from chainrule.examples import class_count, inputs, sample_weights, targets
from chainrule.history import History
from chainrule.layer import Chain, Layer, count, outputs_of
from chainrule.masked import Shape, rows_of, whole
from chainrule.metrics import MAE, R2, RMSE, Accuracy, Metric, as_metrics, check_measured, predicted_classes
from chainrule.notation import as_formula
from chainrule.programs import KEPT, compiled, on_device, refuse_fork, side_by_side, taking_any
from chainrule.regularizers import Regularizer, penalty
from chainrule.sparse import dense

ROWS = 1024  # the most rows that go through the network at once,
NUMBERS = 1 << 23  # as long as no layer makes more numbers of them than these
MANY = 8  # batches, for more of which a program is worth its compilation that lets the next one begin early


@dataclass(repr=False, eq=False)
class Model:
    """A network with its parameters; `fit` makes it, `load` reads it.

    Attributes:
        network: the composition of formulas.
        parameters, state: its arrays, a tree for each layer.
        input_shape: one example's shape.
        cost, regularizer: what training minimised.
        classes: the names of the classes in the order of the outputs; None for a regression.
        preparation: how raw rows become inputs; None where the network takes arrays as they are.
        history: what happened in training.
        training: every choice of the training in notation, by name.
    """

    network: Chain
    parameters: Any
    state: Any
    input_shape: Shape
    cost: Cost
    regularizer: Regularizer | None = None
    classes: tuple[Any, ...] | None = None
    preparation: Preparation | None = None
    history: History = field(default_factory=History)
    training: dict[str, Any] = field(default_factory=dict)

    def __call__(self, x: Any) -> np.ndarray:
        """The network's outputs, (rows, …, outputs): probabilities of a classifier, values of a regression.

        A model of a table takes raw rows (columns by name, a data frame, a list of records such as JSON's, in which a
        missing key is a blank cell) and answers in the target's units.

        Raises:
            ChainruleError: where the rows do not fit.
        """
        if self.preparation is None:
            return self.outputs(x)
        return self.preparation.restore(self.outputs(self.preparation.inputs(x)))

    def predict(self, x: Any) -> np.ndarray:
        """What the network predicts: names of classes, or values; (rows,) where it has one to give."""
        a = self(x)
        if self.classes is None:
            return a[..., 0] if a.shape[-1] == 1 else a
        return np.asarray(self.classes)[predicted_classes(a)]

    def predict_proba(self, x: Any) -> np.ndarray:
        """Each class's probability, (rows, classes), in the order of `classes`; one output is that of the second.

        Raises:
            ChainruleError: for a regression, a network whose outputs are no probabilities, or where the rows do not
                fit.
        """
        if self.classes is None:
            raise ChainruleError("predict_proba: this model predicts values, not classes. Call predict.")
        last = self.network.layers[-1]
        if not (isinstance(last, Activation) and last.probable):
            raise ChainruleError(
                f"predict_proba: the outputs of {last!r} are no probabilities. Call predict, or end the network with "
                f"Softmax()."
            )
        a = self(x)
        return a if a.shape[-1] > 1 else np.concatenate([1 - a, a], axis=-1)

    def warm_up(self) -> None:
        """Compile what predictions run, so that none of any number of rows waits for it: a server's first deed.

        Only of more than 8,192 rows at once, and of sequences longer than in training, the first takes its time.
        """
        for rows in _sizes(self._flat().rows):
            self.outputs(np.zeros((rows, *self.input_shape), np.int32 if self.network.tokens else np.float32))

    def outputs(self, x: Any) -> np.ndarray:
        """The network's outputs for prepared examples, any number of rows, compiled for a few sizes only."""
        refuse_fork()
        x = inputs(x, self.input_shape, self.network, self.network.tokens)
        network = self._flat()
        many = rows_of(x) > MANY * network.rows and not self.network.tokens  # YNNPACK sums tokens faster

        def forward(x: Any) -> jax.Array:
            sizes = x.shape if isinstance(x, np.ndarray) else jax.tree.map(np.shape, x)
            program = _outputs(network.structure, sizes, many and rows_of(x) == network.rows)
            return program(network.numbers, self.parameters, self.state, x)

        [a] = in_batches(forward, network.rows, x)
        return a

    def _flat(self) -> "Flat":
        """The network taken apart, which takes longer than its call for a row: once for as long as it is the same."""
        known = vars(self).get("_known")
        if known is None or known.network is not self.network:
            known = Flat(self.network, *jax.tree.flatten(self.network), most_rows(self.network, self.input_shape))
            vars(self)["_known"] = known
        return known

    def __getstate__(self) -> dict[str, Any]:
        """Without what is known, as structures can't be pickled, and with NumPy's arrays, which need no JAX."""
        state = {name: value for name, value in vars(self).items() if name != "_known"}
        return state | {name: jax.tree.map(np.asarray, state[name]) for name in ("parameters", "state")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, parameters=on_device(state["parameters"]), state=on_device(state["state"]))

    def evaluate(
        self, x: Any, y: Any = None, sample_weight: Any = None, metrics: Sequence[Metric | str] | None = None
    ) -> dict[str, Any]:
        """The cost (regulariser included) and the metrics, by name; metrics are in the target's own units.

        Args:
            x: raw rows with their target, or, where y is given, prepared examples.
            y: class numbers, or values in the shape of the outputs, as training saw them.
            sample_weight: one weight for each example.
            metrics: formulas or notation; by default accuracy for a classifier, else R², RMSE and MAE.

        Raises:
            ChainruleError: where the rows do not fit, or a class was never seen in training.
        """
        if y is None:
            if self.preparation is None:
                raise ChainruleError("evaluate: this model takes arrays, not raw rows: give the targets y too.")
            x, y = self.preparation.examples(x)
        x = inputs(x, self.input_shape, "evaluate", self.network.tokens)
        outputs = self.network.output_shape(self.input_shape)
        y, _ = targets(y, rows_of(x), self.network, outputs, self.cost, self.classes, "evaluate")
        sample_weight = sample_weights(sample_weight, rows_of(x), "evaluate")
        measured = self.metrics if metrics is None else as_metrics(metrics, "evaluate")
        if metrics is not None:
            target = "y" if self.preparation is None else self.preparation.roles.target
            check_measured(measured, "evaluate", target, class_count(y, self.classes, self.preparation is not None))
        through = functools.partial(_assess, self.network, self.cost, self.parameters, self.state)
        a, each = in_batches(through, self._flat().rows, x, y)
        values = {"cost": float(np.average(each.astype(np.float64), weights=sample_weight)) + self.penalty()}
        if self.preparation is not None and self.classes is None:
            a, y = self.preparation.restore(a), self.preparation.restore(y)
        for metric in measured:
            values[metric.label()] = metric(a, y, sample_weight)
        return values

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that tell most about a model of this kind; none that would add the units of several targets."""
        if self.classes is not None:
            return (Accuracy(),)
        return (R2(), RMSE(), MAE()) if self.preparation is None or len(self.preparation.predicted) == 1 else (R2(),)

    def penalty(self) -> float:
        """What the regulariser adds to the cost."""
        if self.regularizer is None:
            return 0.0
        return float(_penalty(self.regularizer, self.network, self.input_shape, self.parameters))

    def summary(self) -> "Summary":
        """A row for each layer: its notation, output shape and number of parameters; it prints as a table."""
        return summary(self.network, self.input_shape)

    def __repr__(self) -> str:
        return f"Model({self.network!r}, input_shape={self.input_shape})"

    def _repr_html_(self) -> str | None:
        """Its layers and its learning curves, for a notebook."""
        try:
            return import_module("chainrule.notebook").model(self)
        except Exception:  # a notebook then shows the notation
            return None

    def save(self, path: str | os.PathLike) -> None:
        """Write the model to a file (safetensors), whole or not at all. Raises `ChainruleError` where it can't."""
        from chainrule.storage import save

        save(self, Path(path))


class Flat(NamedTuple):
    """A network as JAX takes it apart, and the most rows that go through it at once."""

    network: Chain
    numbers: list[Any]
    structure: Any
    rows: int


def most_rows(network: Chain, shape: Shape) -> int:
    """The most rows that go through a network at once, by the most numbers that it makes of an example on its way."""
    reached = [*(at for _, at in network.walk(shape)), network.output_shape(shape)]
    widest = max(map(math.prod, reached))
    return min(ROWS, max(_power_below(NUMBERS // max(widest, 1)), 16))


class SummaryRow(NamedTuple):
    """A layer of a network in its summary."""

    layer: str
    output_shape: Shape
    parameters: int


class Summary(tuple[SummaryRow, ...]):
    """The rows of a network's summary, which print as a table."""

    def __str__(self) -> str:
        cells = [("layer", "output shape", "parameters")]
        cells += [(row.layer, str(row.output_shape), f"{row.parameters:,}") for row in self]
        cells += [("", "", f"{sum(row.parameters for row in self):,}")]
        first, second, third = (max(map(len, column)) for column in zip(*cells, strict=True))
        return "\n".join(f"{a:<{first}}  {b:>{second}}  {c:>{third}}" for a, b, c in cells)

    def _repr_html_(self) -> str | None:
        """The same as a table, for a notebook."""
        try:
            return import_module("chainrule.notebook").summary(self)
        except Exception:  # a notebook then shows the rows
            return None


def summary(network: Layer, shape: Shape) -> Summary:
    """A row for each layer: its notation, output shape and number of parameters.

    >>> from chainrule.layers import Dense
    >>> from chainrule.activations import Softmax
    >>> print(summary(Dense(10) >> Softmax(), (64,)))
    layer      output shape  parameters
    Dense(10)         (10,)         650
    Softmax()         (10,)           0
                                    650
    """
    reached = as_chain(network).walk(shape)
    return Summary(SummaryRow(repr(layer), layer.output_shape(at), count(layer, at)) for layer, at in reached)


def as_chain(network: Layer | str) -> Chain:
    """A network as a chain, from a layer or its notation."""
    layer = as_formula(network, Layer)
    return layer if isinstance(layer, Chain) else Chain((layer,))


_penalty = compiled(static_argnames="shape")(penalty)


def in_batches(function: Callable, most: int, *batch: Any) -> list[np.ndarray]:
    """A function of batches, of so many rows at most, applied to any number, padded to compile only for a few sizes.

    The next batch is on its way while the last one is computed.
    """
    rows = rows_of(batch)
    size = _size(rows, most)
    ahead, parts = None, []
    for start in range(0, max(rows, 1), size):
        part = batch if rows == size else jax.tree.map(lambda array, at=start: _rows(array, at, size), batch)
        results = jax.tree.leaves(function(*part))
        parts += [] if ahead is None else [[*map(np.asarray, ahead)]]
        ahead = results
    parts.append([np.asarray(result)[: rows - size * len(parts)] for result in ahead or ()])
    return [np.concatenate(column) for column in zip(*parts, strict=True)]  # also a single one: JAX's own is read-only


def _sizes(most: int) -> list[int]:
    """How many rows may go through a network at once, falling: few sizes, since each is a program to compile."""
    return [most, *(size for size in (128, 64, 8, 1) if size < most)]


@functools.lru_cache
def _size(rows: int, most: int) -> int:
    """How many rows go at once: at least half of the first batch are rows, and fewer than the most take 8 at most."""
    return next((size for size in _sizes(most) if size < 2 * rows), 1)


def _rows(array: np.ndarray, start: int, size: int) -> np.ndarray:
    """So many rows from `start`, zeros where there are no more."""
    part = array[start : start + size]
    return part if len(part) == size else np.pad(part, [(0, size - len(part))] + [(0, 0)] * (array.ndim - 1))


def _power_below(number: int) -> int:
    """The largest power of two up to a number, at least 1."""
    return 1 << max(number.bit_length() - 1, 0)


@functools.lru_cache(KEPT)
def _outputs(structure: Any, sizes: Any, many: bool) -> Callable:
    """The program of a structure, from the network's numbers, its arrays and a batch, for one size of batches."""

    def outputs(numbers: list[Any], parameters: Any, state: Any, x: Any) -> jax.Array:
        return whole(outputs_of(structure.unflatten(numbers), parameters, state, dense(x))[0])

    return taking_any(jax.jit(outputs, compiler_options=side_by_side() if many else None))


@compiled()
def _assess(network: Chain, cost: Cost, parameters: Any, state: Any, x: jax.Array, E: jax.Array) -> tuple:
    a, each, _ = cost.through(network, parameters, state, dense(x), E)
    return a, each
