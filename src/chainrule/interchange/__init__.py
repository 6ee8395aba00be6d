"""In and out: what is trained here as other libraries have it, and what was trained there as networks of ours."""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from chainrule.costs import Cost
from chainrule.errors import ArgumentError, ChainruleError
from chainrule.formula.layer import Layer
from chainrule.interchange.keras import from_keras, to_keras
from chainrule.interchange.pytorch import from_torch, to_torch
from chainrule.model import Model
from chainrule.regularizers import Regularizer

__all__ = [
    "from_keras",
    "from_onnx",
    "from_torch",
    "read",
    "to_keras",
    "to_onnx",
    "to_torch",
    "write",
    "writer",
]

Way = TypeVar("Way")


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


def read(
    path: str | os.PathLike,
    network: Layer | str | None = None,
    input_shape: Iterable[int] | None = None,
    **choices: Any,
) -> Model:
    """A model that another library saved, by the suffix of its file: see `from_torch`, `from_keras` and `from_onnx`.

    Args:
        path: the file.
        network, input_shape: where the file holds weights alone, the network and one example's shape.
        **choices: of that function.
    """
    return _by_suffix(path, READERS)(path, network, input_shape, **choices)


def write(model: Model, path: str | os.PathLike) -> None:
    """Write a model for another library, by the suffix of the file: see `to_onnx`, `to_torch` and `to_keras`."""
    writer(path)(model, path)


def writer(path: str | os.PathLike) -> "Callable[[Model, str | os.PathLike], None]":
    """What writes a file of this name; refused where nothing does."""
    return _by_suffix(path, WRITERS)


def _from_onnx(path: Any, network: Any, input_shape: Any, *, names: Any = None, **choices: Any) -> Model:
    if network is not None or names is not None:
        raise ArgumentError("{} has its own network. Leave {network} and {names} out.", path)
    return from_onnx(path, input_shape, **choices)


OF_TORCH, OF_KERAS = (".safetensors", ".pt", ".pth"), (".keras", ".weights.h5")
READERS: dict[str, Callable[..., Model]] = {
    **dict.fromkeys(OF_TORCH, from_torch),
    **dict.fromkeys(OF_KERAS, from_keras),
    ".onnx": _from_onnx,
}
"""What reads a file, by its suffix."""
WRITERS: dict[str, Callable[[Model, str | os.PathLike], None]] = {
    ".onnx": to_onnx,
    **dict.fromkeys(OF_TORCH, to_torch),
    **dict.fromkeys(OF_KERAS, to_keras),
}
"""What writes a file, by its suffix."""


def _by_suffix(path: str | os.PathLike, ways: dict[str, Way]) -> Way:
    for suffix, way in ways.items():
        if Path(path).name.lower().endswith(suffix):
            return way
    *first, last = ways
    raise ChainruleError(f"Expected the name of a file that ends in {', '.join(first)} or {last}, got {str(path)!r}.")
