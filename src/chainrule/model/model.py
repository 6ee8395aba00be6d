"""A trained network: its parameters, what it is for, and how it was trained."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.activations import Activation
from chainrule.arrays.compilation import refuse_fork
from chainrule.data.files import write_whole
from chainrule.errors import ChainruleError
from chainrule.formula.displays import displayed
from chainrule.metrics import Metric, predicted_classes
from chainrule.model.evaluation import added, evaluate, usual_metrics
from chainrule.model.examples import inputs, lengthened
from chainrule.model.file import fields, to_bytes
from chainrule.model.prediction import Program, sizes
from chainrule.model.summary import Summary, summary
from chainrule.model.trained import Trained


@dataclass(frozen=True, repr=False, eq=False)
class Model(Trained):
    """A network with its parameters: `fit` makes it, `load` reads it, `dataclasses.replace` makes another of it.

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

    def __call__(self, x: Any) -> Any:
        """The network's outputs, (rows, …, outputs): probabilities of a classifier, values of a regression.

        Of sequences of unequal length (a list of arrays, or a `Masked`), a network with outputs for each step gives a
        list: (steps, outputs) for each sequence, of its own length. Padded arrays of tokens stay as they are padded.

        A model of a table takes raw rows (columns by name, a data frame, a list of records such as JSON's, in which a
        missing key is a blank cell) and answers in the target's units. A large `Table` is prepared block after block.

        Raises:
            ChainruleError: where the rows do not fit.
        """
        if self.preprocessor is None:
            return self.outputs(x)
        answers = [self.preprocessor.restore(self.outputs(x)) for _, x in self.preprocessor.in_blocks(x)]
        return answers[0] if len(answers) == 1 else np.concatenate(answers)

    def predict(self, x: Any) -> Any:
        """What the network predicts: names of classes, or values; (rows,) where it has one to give.

        Of steps, (rows, time), or a list of arrays (steps,) where the sequences are of unequal length.
        """
        return _each(self._predicted, self(x))

    def _predicted(self, a: np.ndarray) -> np.ndarray:
        if self.classes is None:
            return a[..., 0] if a.shape[-1] == 1 else a
        return self._names[predicted_classes(a)]

    def predict_proba(self, x: Any) -> Any:
        """Each class's probability, (rows, classes), in the order of `classes`; one output is that of the second.

        Of steps, (rows, time, classes), or a list of arrays (steps, classes).

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
        return _each(lambda a: a if a.shape[-1] > 1 else np.concatenate([1 - a, a], axis=-1), self(x))

    def warm_up(self) -> None:
        """Compile what predictions run, so that none of any number of rows waits for it: a server's first deed.

        Only of more than 8,192 rows at once, and of sequences longer than in training, the first takes its time.
        """
        for rows in sizes(self._program.most):
            self.outputs(np.zeros((rows, *self.input_shape), np.int32 if self.network.tokens else np.float32))

    def outputs(self, x: Any) -> Any:
        """The network's outputs for prepared examples, any number of rows, compiled for a few sizes only."""
        refuse_fork()
        x = inputs(x, self.input_shape, self.network, self.network.tokens)
        return self._program(self.parameters, self.state, lengthened(x, self.input_shape, self.network))

    @cached_property
    def _program(self) -> Program:
        return Program(self.network, self.input_shape)

    @cached_property
    def _names(self) -> np.ndarray:
        return np.asarray(self.classes)

    def evaluate(
        self, x: Any, y: Any = None, sample_weight: Any = None, metrics: Sequence[Metric | str] | None = None
    ) -> dict[str, Any]:
        """The cost (regulariser included) and the metrics, by name; metrics are in the target's own units.

        Args:
            x: raw rows with their target, or, where y is given, prepared examples.
            y: class numbers, or values in the shape of the outputs, as training saw them.
            sample_weight: one weight for each example, or for each of its steps.
            metrics: formulas or notation; by default accuracy for a classifier, else R², RMSE and MAE.

        Raises:
            ChainruleError: where the rows do not fit, or a class was never seen in training.
        """
        return evaluate(self, x, y, sample_weight, metrics)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that tell most about a model of this kind; none that would add the units of several targets."""
        return usual_metrics(self)

    def penalty(self) -> float:
        """What the regulariser adds to the cost."""
        return added(self)

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


def _each(of: Callable[[np.ndarray], np.ndarray], a: Any) -> Any:
    """Something of outputs, or of those of each sequence."""
    return [of(steps) for steps in a] if isinstance(a, list) else of(a)


def load(path: str | os.PathLike) -> Model:
    """Read a model from its file, or from the folder of a run.

    Raises:
        ChainruleError: for a missing file, one of something else, cut short, altered, or of another version.
    """
    return Model(**fields(path))
