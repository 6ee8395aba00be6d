"""In and out: what is trained here as other libraries have it, and what was trained there as networks of ours."""

import os
from typing import Any

from chainrule.model import Model

__all__ = ["to_onnx"]


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
