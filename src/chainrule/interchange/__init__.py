"""In and out: what is trained here as other libraries have it, and what was trained there as networks of ours."""

import os
from collections.abc import Iterable, Sequence
from typing import Any

from chainrule.costs import Cost
from chainrule.model import Model
from chainrule.regularizers import Regularizer

__all__ = ["from_onnx", "to_onnx"]


def from_onnx(
    path: str | os.PathLike,
    input_shape: Iterable[int] | None = None,
    *,
    cost: Cost | str | None = None,
    regularizer: Regularizer | str | None = None,
    classes: Sequence[Any] | None = None,
) -> Model:
    """A network from the graph of an ONNX file that PyTorch, Keras, scikit-learn or others wrote, with its arrays.

    Chains, and whatever parts and meets again, become compositions of layers: residual blocks, gates, branches joined,
    attention. Constants are computed, what is x · σ(x) in two nodes becomes SiLU, and transpositions and reshapes are
    gone where layers can do without. Images, series and volumes come with their channels last, as everywhere here,
    though the graph may have them first; so do the outputs that have places.

    Files that Chainrule wrote give the model that was written, to the bit.

    Args:
        path: the file; arrays in files of their own are read from the same folder.
        input_shape: one example's shape as the graph has it, where its sizes are not all fixed.
        cost, regularizer: for measures and further training; by default as in `fit`.
        classes: the names of the classes in the order of the outputs; by default those in the graph, or 0, 1, ….

    Raises:
        ChainruleError: without the onnx package; for a file of something else, cut short, or with arrays that are not
            in its folder; and for what no formula computes, by its node and operator.
    """
    from chainrule.interchange.onnx.reading.files import from_onnx

    return from_onnx(path, input_shape, cost=cost, regularizer=regularizer, classes=classes)


def to_onnx(model: Model, path: str | os.PathLike, arrays: bool = False, masked: bool = False) -> None:
    """Write a model to an ONNX file, whole or not at all, in operators of opset 20.

    A model of a table takes raw rows, as many as there are: an input for each column, by its name, (rows, 1). Numbers
    are double, NaN where a cell is blank; categories and text are strings, "" where it is; dates and times are seconds
    since 1970 in UTC. Images are float (rows, height, width, channels), series double (rows, steps, channels), NaN
    behind the last step. Text is taken apart by ONNX Runtime's own operator `Tokenizer`, which other runtimes lack.
    Where training was not told to fill blank cells, a row with one has no answer: NaN, and no name.

    Any other model takes "x", arrays of any number of rows; and of steps, where it takes sequences of any length.

    The answers to classes are "label", their names, (rows,), and "probabilities", (rows, classes), or "scores" where
    they are none; else "values" in the units of the targets, (rows, targets), and beside them "values std" behind
    GaussianNLL, or each quantile, such as "values 0.9", behind Quantile.

    `chainrule.load` reads the same model from the file, to the bit.

    Args:
        model: the model.
        path: the file, whose name ends in .onnx.
        arrays: whether inputs are arrays as the network takes them, rather than raw rows.
        masked: whether there is an input "mask" (rows, steps) too, False where a step of a sequence is padding. A
            network with outputs for each step then has a mask of these, "steps".

    Raises:
        ChainruleError: without the onnx package; for a layer that has no ONNX form; for a mask where the network mixes
            the steps of sequences; for 2 GB of parameters and more; or where the file can't be written.

    >>> from chainrule import fit
    >>> model = fit("Dense(2)", [[1.0], [2.0]], [[1.0, 0.0], [2.0, 0.0]], batch_size=2, epochs=1, progress=False)
    >>> to_onnx(model, "nowhere/model.onnx")
    Traceback (most recent call last):
    chainrule.errors.ChainruleError: Can't write nowhere/model.onnx: No such file or directory. Nothing was written.
    """
    from chainrule.interchange.onnx import writing

    writing.to_onnx(model, path, arrays, masked)


def onnx_shape_calculator(estimator: Any) -> Any:
    """What an estimator gives sklearn-onnx that asks for it; see `pipelines`."""
    from chainrule.interchange import pipelines

    pipelines.register(type(estimator))
    return pipelines.shapes


def onnx_converter(estimator: Any) -> Any:
    """What an estimator gives sklearn-onnx that asks for it; see `pipelines`."""
    from chainrule.interchange import pipelines

    return pipelines.convert
