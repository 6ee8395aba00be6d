"""A trained network: its parameters, what it is for, and how it was trained."""

import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np

from chainrule.activations import Activation
from chainrule.arrays.compilation import compiled, on_device, refuse_fork
from chainrule.arrays.masked import Shape, rows_of
from chainrule.arrays.sparse import dense
from chainrule.costs import Cost
from chainrule.data.files import write_whole
from chainrule.data.preprocessing import Preprocessor
from chainrule.errors import ChainruleError
from chainrule.formula.displays import displayed
from chainrule.formula.layer import Chain
from chainrule.metrics import MAE, R2, RMSE, Accuracy, Metric, predicted_classes
from chainrule.model.examples import class_count, inputs, sample_weights, targets
from chainrule.model.file import fields, to_bytes
from chainrule.model.history import History
from chainrule.model.prediction import MANY, Flat, in_batches, most_rows, outputs_program, sizes
from chainrule.model.summary import Summary, summary
from chainrule.notation import as_metrics, check_measured
from chainrule.regularizers import Regularizer, penalty


@dataclass(repr=False, eq=False)
class Model:
    """A network with its parameters; `fit` makes it, `load` reads it.

    Attributes:
        network: the composition of formulas.
        parameters, state: its arrays, a tree for each layer.
        input_shape: one example's shape.
        cost, regularizer: what training minimised.
        classes: the names of the classes in the order of the outputs; None for a regression.
        preprocessor: how raw rows become inputs; None where the network takes arrays as they are.
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
    preprocessor: Preprocessor | None = None
    history: History = field(default_factory=History)
    training: dict[str, Any] = field(default_factory=dict)

    def __call__(self, x: Any) -> np.ndarray:
        """The network's outputs, (rows, …, outputs): probabilities of a classifier, values of a regression.

        A model of a table takes raw rows (columns by name, a data frame, a list of records such as JSON's, in which a
        missing key is a blank cell) and answers in the target's units.

        Raises:
            ChainruleError: where the rows do not fit.
        """
        if self.preprocessor is None:
            return self.outputs(x)
        return self.preprocessor.restore(self.outputs(self.preprocessor.inputs(x)))

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
        for rows in sizes(self._flat().rows):
            self.outputs(np.zeros((rows, *self.input_shape), np.int32 if self.network.tokens else np.float32))

    def outputs(self, x: Any) -> np.ndarray:
        """The network's outputs for prepared examples, any number of rows, compiled for a few sizes only."""
        refuse_fork()
        x = inputs(x, self.input_shape, self.network, self.network.tokens)
        network = self._flat()
        many = rows_of(x) > MANY * network.rows and not self.network.tokens  # YNNPACK sums tokens faster

        def forward(x: Any) -> jax.Array:
            sizes = x.shape if isinstance(x, np.ndarray) else jax.tree.map(np.shape, x)
            program = outputs_program(network.structure, sizes, many and rows_of(x) == network.rows)
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
            if self.preprocessor is None:
                raise ChainruleError("evaluate: this model takes arrays, not raw rows: give the targets y too.")
            x, y = self.preprocessor.examples(x)
        x = inputs(x, self.input_shape, "evaluate", self.network.tokens)
        outputs = self.network.output_shape(self.input_shape)
        y, _ = targets(y, rows_of(x), self.network, outputs, self.cost, self.classes, "evaluate")
        sample_weight = sample_weights(sample_weight, rows_of(x), "evaluate")
        measured = self.metrics if metrics is None else as_metrics(metrics, "evaluate")
        if metrics is not None:
            target = "y" if self.preprocessor is None else self.preprocessor.schema.target
            check_measured(measured, "evaluate", target, class_count(y, self.classes, self.preprocessor is not None))
        through = functools.partial(_assess, self.network, self.cost, self.parameters, self.state)
        a, each = in_batches(through, self._flat().rows, x, y)
        values = {"cost": float(np.average(each.astype(np.float64), weights=sample_weight)) + self.penalty()}
        if self.preprocessor is not None and self.classes is None:
            a, y = self.preprocessor.restore(a), self.preprocessor.restore(y)
        for metric in measured:
            values[metric.label()] = metric(a, y, sample_weight)
        return values

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that tell most about a model of this kind; none that would add the units of several targets."""
        if self.classes is not None:
            return (Accuracy(),)
        return (R2(), RMSE(), MAE()) if self.preprocessor is None or len(self.preprocessor.predicted) == 1 else (R2(),)

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
        return displayed("model", self)

    def save(self, path: str | os.PathLike) -> None:
        """Write the model to a file (safetensors), whole or not at all. Raises `ChainruleError` where it can't."""
        write_whole(Path(path), to_bytes(self))


def load(path: str | os.PathLike) -> Model:
    """Read a model from its file, or from the folder of a run.

    Raises:
        ChainruleError: for a missing file, one of something else, cut short, altered, or of another version.
    """
    return Model(**fields(path))


@compiled()
def _assess(network: Chain, cost: Cost, parameters: Any, state: Any, x: jax.Array, E: jax.Array) -> tuple:
    a, each, _ = cost.through(network, parameters, state, dense(x), E)
    return a, each


_penalty = compiled(static_argnames="shape")(penalty)
