"""Targets as the cost wants them: names of classes become numbers, values take the outputs' shape."""

from typing import Any

import numpy as np

from chainrule.costs import CategoricalCrossEntropy, Cost, CrossEntropy
from chainrule.errors import ChainruleError
from chainrule.layer import Chain, Shape
from chainrule.model import check_finite

Classes = tuple[Any, ...] | None

BLANKS = ("None", "nan", "NaT", "<NA>")  # how values that are missing print


def targets(
    y: Any, rows: int, network: Chain, outputs: Shape, cost: Cost, classes: Classes
) -> tuple[np.ndarray, Classes]:
    """The targets E, class numbers (int32) or values (float32), and the classes if there are any.

    Raises:
        ChainruleError: for another number of rows, classes or values than the network has.
    """
    y = np.asarray(y)
    if y.ndim == 0 or len(y) != rows:
        raise ChainruleError(f"fit: expected {rows} targets, one for each example, got shape {y.shape}.")
    if rows == 0:
        raise ChainruleError("fit: expected at least one example, got none.")
    if y.dtype.kind in "USOb":
        y, classes = _numbered(y, classes)
    one_fewer = y.shape[1:] == outputs[:-1]
    if y.dtype.kind in "iu" and one_fewer and (classes or outputs[-1] > 1 or isinstance(cost, CrossEntropy)):
        classes = classes or tuple(range(max(outputs[-1], 2)))
        _check_classes(y, classes, network, outputs)
        return y.astype(np.int32), classes
    if y.shape[1:] != outputs and not (one_fewer and outputs[-1] == 1):
        raise ChainruleError(
            f"fit: expected targets of shape {(rows, *outputs)}, as the network's outputs, or class numbers "
            f"{(rows, *outputs[:-1])}, got {y.dtype} of shape {y.shape}. Change the last layer, {_last(network)}."
        )
    y = y.astype(np.float32)
    check_finite(y, "fit", "y")
    y = y.reshape(rows, *outputs)
    if not isinstance(cost, CategoricalCrossEntropy):
        return y, None
    classes = classes or tuple(range(outputs[-1]))
    _check_classes(y.argmax(axis=-1), classes, network, outputs)
    return y, classes


def _numbered(y: np.ndarray, classes: Classes) -> tuple[np.ndarray, tuple[Any, ...]]:
    """Class numbers for names of classes."""
    if y.dtype.kind in "OS":
        for place, name in np.ndenumerate(y):
            if not isinstance(name, str) and str(name) in BLANKS:
                at = ", ".join(map(str, place))
                raise ChainruleError(f"fit: y[{at}] is {name}, expected a class. Fill the gap or leave the row out.")
        y = y.astype(str)
    if not classes:
        found, numbers = np.unique(y, return_inverse=True)
        return numbers.reshape(y.shape), tuple(found.tolist())
    number = {name: index for index, name in enumerate(classes)}
    unknown = [name for name in y.ravel().tolist() if name not in number]
    if unknown:
        raise ChainruleError(f"fit: the class {unknown[0]!r} is not one of the training part's: {classes}.")
    return np.vectorize(number.get, otypes=[int])(y), classes


def _check_classes(y: np.ndarray, classes: tuple[Any, ...], network: Chain, outputs: Shape) -> None:
    wanted = max(len(classes), int(y.max()) + 1)
    if y.min() < 0:
        raise ChainruleError(f"fit: expected class numbers 0, 1, …, got {int(y.min())}. Count classes from 0.")
    if len(classes) <= y.max() < outputs[-1]:
        raise ChainruleError(
            f"fit: y has the class number {int(y.max())}, but the classes are {classes}. Name them all."
        )
    if wanted != outputs[-1] and not (wanted == 2 and outputs[-1] == 1):
        raise ChainruleError(
            f"fit: the targets have {wanted} classes, but {_last(network)} gives {outputs[-1]} outputs. "
            f"End it with Dense({wanted}) >> Softmax()."
        )


def _last(network: Chain) -> str:
    """The last layer that decides the number of outputs, for messages."""
    deciding = [layer for layer in network.layers if layer.output_shape.__func__ is not _unchanged]
    return repr((deciding or network.layers)[-1])


_unchanged = Chain.__mro__[1].output_shape  # Layer's: the shape stays as it is
