"""A trained network: its parameters, what it is for, and how it was trained."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.activations import Activation
from chainrule.arrays.compilation import refuse_fork
from chainrule.data.files import write_whole
from chainrule.data.preprocessing import Unseen
from chainrule.errors import ChainruleError
from chainrule.formula.displays import displayed
from chainrule.formula.exports import exported
from chainrule.formula.layer import Layer
from chainrule.metrics import Metric, predicted_classes
from chainrule.model.evaluation import added, evaluate, usual_metrics
from chainrule.model.examples import inputs, lengthened
from chainrule.model.file import fields, to_bytes
from chainrule.model.prediction import FEW, Program, sizes
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
        missing key is a blank cell) and answers in the target's units. Many rows are prepared block after block.

        Raises:
            ChainruleError: where the rows do not fit.
        """
        if self.preprocessor is None:
            return self.outputs(x)
        return _beneath(a for _, a in self.in_blocks(x))

    def in_blocks(self, rows: Any, counted: Unseen | None = None) -> Iterator[tuple[slice, np.ndarray]]:
        """The answers to raw rows, those to many a block at a time, each with the rows that it is of.

        Only one block at a time is prepared and computed. What training never showed is said at the end; of one of
        several tables it is only counted.
        """
        if self.preprocessor is None:
            raise ChainruleError("in_blocks: this model takes arrays, not raw rows. Call it.")
        for some, x in self.preprocessor.in_blocks(rows, counted):
            yield some, self._in_own_units(self.outputs(x))

    def predict(self, x: Any) -> Any:
        """What the network predicts: names of classes, or values; (rows,) where it has one to give.

        Of steps, (rows, time), or a list of arrays (steps,) where the sequences are of unequal length.
        """
        return self._of_outputs(self.decide, x)

    def decide(self, outputs: np.ndarray) -> np.ndarray:
        """What outputs say: names of classes, or values, one for each target."""
        outputs = self.cost.estimate(outputs)
        if self.classes is None:
            return outputs[..., 0] if outputs.shape[-1] == 1 else outputs
        return self._names[predicted_classes(outputs)]

    def predict_proba(self, x: Any) -> Any:
        """Each class's probability, (rows, classes), in the order of `classes`; one output is that of the second.

        Of steps, (rows, time, classes), or a list of arrays (steps, classes).

        Raises:
            ChainruleError: for a regression, a network whose outputs are no probabilities, or where the rows do not
                fit.
        """
        if self.classes is None:
            raise ChainruleError("predict_proba: this model predicts values, not classes. Call predict.")
        if not is_probable(last := self.network.layers[-1]):
            raise ChainruleError(
                f"predict_proba: the outputs of {last!r} are no probabilities. Call predict, or end the network with "
                f"Softmax()."
            )
        return self._of_outputs(probabilities, x)

    def _in_own_units(self, outputs: np.ndarray) -> np.ndarray:
        """Outputs of prepared rows in the target's own units, float64; those for classes as they are."""
        if self.preprocessor is None or self.classes is not None:
            return outputs
        return self.cost.rescaled(outputs.astype(np.float64), *self.preprocessor.units)

    def _of_outputs(self, of: Callable[[np.ndarray], np.ndarray], x: Any) -> Any:
        """Something of the outputs, of those of each sequence, or of each block of many raw rows."""
        if self.preprocessor is not None:
            return _beneath(of(a) for _, a in self.in_blocks(x))
        a = self.outputs(x)
        return [of(steps) for steps in a] if isinstance(a, list) else of(a)

    def warm_up(self) -> None:
        """Compile what predictions run, so that none of any number of rows waits for it: a server's first deed.

        Only of more than 8,192 rows at once, and of sequences longer than in training, the first takes its time.
        """
        for rows in {*sizes(self._program.most), *range(1, FEW + 1)}:
            self.outputs(np.zeros((rows, *self.input_shape), np.int32 if self.network.tokens else np.float32))

    def outputs(self, x: Any) -> Any:
        """The network's outputs for prepared examples, any number of rows, compiled for a few sizes only."""
        refuse_fork()
        x = inputs(x, self.input_shape, self.network, self.network.tokens, finite=False)
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
            x: raw rows with their target, or, where y is given, prepared examples; or a `Loader` of both.
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

    def to_onnx(self, path: str | os.PathLike, arrays: bool = False, masked: bool = False) -> None:
        """Write the model to an ONNX file, as `interchange.to_onnx` says."""
        exported("to_onnx", self, path, arrays, masked)


def is_probable(layer: Layer) -> bool:
    """Whether a layer gives probabilities."""
    return isinstance(layer, Activation) and layer.probable


def probabilities(outputs: np.ndarray) -> np.ndarray:
    """Each class's probability, (rows, classes), from outputs; one output is that of the second."""
    return outputs if outputs.shape[-1] > 1 else np.concatenate([1 - outputs, outputs], axis=-1)


def _beneath(blocks: Iterable[np.ndarray]) -> np.ndarray:
    """The rows of blocks one after another; those of a lone one as they are."""
    found = [*blocks]
    return found[0] if len(found) == 1 else np.concatenate(found)


def load(path: str | os.PathLike) -> Model:
    """Read a model from its file, or from the folder of a run; or from the ONNX file that was made of it.

    Raises:
        ChainruleError: for a missing file, one of something else, cut short, altered, or of another version.
    """
    return Model(**fields(path))
