"""What users give as examples, checked: inputs, targets as the cost wants them, and weights."""

import math
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

from chainrule.arrays.dtypes import rounded
from chainrule.arrays.masked import Masked, Shape
from chainrule.arrays.sparse import Sparse, dense, is_sparse
from chainrule.costs import Cost
from chainrule.errors import ChainruleError
from chainrule.formula.layer import Chain
from chainrule.formula.network import deciding

Classes = tuple[Any, ...] | None

LARGEST = math.sqrt(np.finfo(np.float32).max)
"""The largest number whose square is a float32."""

BLANKS = ("None", "nan", "NaT", "<NA>")  # how values that are missing print


def inputs(x: Any, shape: Shape | None = None, who: Any = "fit", tokens: int | None = None) -> Any:
    """Inputs as an array of finite float32 numbers, or of tokens (int32), of the given shape each.

    Sparse matrices come back as a `Sparse`, or dense where that takes less memory or the network takes tokens.
    Sequences of unequal length (a list of arrays, or a `Masked`) come back as a `Masked`; their time may differ from
    that of the shape.

    Raises:
        ChainruleError: naming the first entry that is no finite number or no token, or the shape that does not fit.
    """
    if isinstance(x, Tracer):
        raise ChainruleError(
            f"{who}: a model runs compiled programs of its own, on arrays, and got a tracer. Within jax.jit, vmap or "
            f"grad call model.network.forward(model.parameters, x)."
        )
    _check_real(x, who, "x")
    if is_sparse(x):
        x = x.toarray() if tokens else _sparse(x, who)
    if isinstance(x, Sparse):
        if shape not in (None, (x.features,)):
            raise _other_shape(who, shape, (len(x.columns), x.features), "")
        return x
    if _is_ragged(x):
        x = _side_by_side([inputs(row, None, f"{who}: x[{index}]", tokens) for index, row in enumerate(x)], who)
    if isinstance(x, Masked):
        mask = np.asarray(x.checked().mask, bool)
        values = inputs(np.where(_over(mask, x.values), x.values, 0), None, who, tokens)
        if values.ndim < 3 and not tokens:
            raise ChainruleError(f"{who}: expected rows of as many values each, got rows of unequal length.")
        if shape is not None and (values.ndim != len(shape) + 1 or values.shape[2:] != shape[1:]):
            raise _other_shape(who, shape, values.shape, "")
        return Masked(values, mask)
    try:
        given = np.asarray(x)
        array = given if tokens else np.asarray(given, np.float32)
    except (TypeError, ValueError) as error:
        raise ChainruleError(f"{who}: expected an array of numbers, got {type(x).__name__}: {error}.") from None
    if array.ndim < 1 or (shape is not None and array.shape[1:] != shape):
        one = "" if array.shape != shape else " For a single example, add an axis: x[None]."
        raise _other_shape(who, shape, array.shape, one)
    if 0 in array.shape[1:]:
        raise _nothing_in(who, array.shape)
    if tokens:
        return _tokens(array, tokens, who)
    check_exact(given, who, "x")
    check_finite(array, who, "x")
    return array


def as_targets(y: Any, who: str = "fit") -> np.ndarray:
    """Targets of any kind as an array. Raises `ChainruleError` where they are none."""
    try:
        y = np.asarray(y)
    except ValueError:
        raise ChainruleError(f"{who}: expected targets of one shape, got rows of unequal length.") from None
    _check_real(y, who, "y")
    if y.dtype.kind in "Mm" or y.dtype.names:
        raise ChainruleError(f"{who}: expected y of classes or numbers, got {y.dtype}. Make numbers of it.")
    return y


def class_count(E: np.ndarray, classes: Classes, standardised: bool = False) -> int | None:
    """How many classes targets are of: 0 for values, None for numbers from 0 to 1, which may be either."""
    if classes:
        return len(classes)
    return None if not standardised and ((E >= 0) & (E <= 1)).all() else 0


def as_names(classes: Any) -> Classes:
    """The names of classes as a tuple."""
    if classes is None:
        return None
    if not isinstance(classes, list | tuple | np.ndarray) or any(map(np.ndim, classes)):
        raise ChainruleError(f"fit: classes must be a tuple of names, got {classes!r}. For example: ('ant', 'bee').")
    return tuple(classes)


def targets(
    y: Any, rows: int, network: Chain, outputs: Shape, cost: Cost, classes: Classes, who: str = "fit"
) -> tuple[np.ndarray, Classes]:
    """The targets E, class numbers (int32) or values (float32), and the classes if there are any.

    Raises:
        ChainruleError: for another number of rows, classes or values than the network has.
    """
    y = as_targets(y, who)
    if y.ndim == 0 or len(y) != rows:
        raise ChainruleError(f"{who}: expected {rows} targets, one for each example, got shape {y.shape}.")
    if rows == 0:
        raise ChainruleError(f"{who}: expected at least one example, got none.")
    outputs, no, yes = cost.target_shape(outputs), cost.targets.no, cost.targets.yes
    if y.dtype.kind == "i" and no < 0 and outputs[-1] == 1 and np.isin(y, (no, yes)).all():
        y, classes = (y == yes).astype(int), classes or (no, yes)
    if y.dtype.kind in "USOb":
        y, classes = _numbered(y, classes, who)
    one_fewer = y.shape[1:] == outputs[:-1]
    if y.dtype.kind in "iu" and one_fewer and (classes or outputs[-1] >= cost.targets.fewest):
        classes = classes or tuple(range(max(outputs[-1], 2)))
        _check_classes(y, classes, network, outputs, who)
        return y.astype(np.int32), classes
    if y.shape[1:] != outputs and not (one_fewer and outputs[-1] == 1):
        last = repr(deciding(network))
        remedy = f"Put Flatten() before {last}." if y.ndim < len(outputs) else f"Change the last layer, {last}."
        raise ChainruleError(
            f"{who}: expected targets of shape {(rows, *outputs)}, as the network's outputs, or class numbers "
            f"{(rows, *outputs[:-1])}, got {y.dtype} of shape {y.shape}. {remedy}"
        )
    check_exact(y, who, "y")
    y = y.astype(np.float32)
    check_finite(y, who, "y")
    y = y.reshape(rows, *outputs)
    cost.check(y, f"{who}: y")
    if not cost.targets.of_all:
        return y, None
    classes = classes or tuple(range(outputs[-1]))
    _check_classes(y.argmax(axis=-1), classes, network, outputs, who)
    return y, classes


def take(examples: Any, rows: np.ndarray) -> Any:
    """Some rows, by index or mask, of arrays that belong together."""
    return jax.tree.map(lambda array: array[rows], examples)


def sample_weights(weights: Any, rows: int, who: str = "fit") -> np.ndarray | None:
    """A weight for each example, float32 (rows,), none negative and some not zero; None where all count alike."""
    if weights is None:
        return None
    _check_real(weights, who, "sample_weight")
    try:
        weights = np.asarray(weights, np.float32)
    except (TypeError, ValueError):
        kind = type(weights).__name__
        raise ChainruleError(f"{who}: expected sample_weight to be numbers, one an example, got {kind}.") from None
    if weights.shape != (rows,):
        raise ChainruleError(f"{who}: expected sample_weight of shape {(rows,)}, got {weights.shape}.")
    check_finite(weights, who, "sample_weight")
    if weights.min() < 0 or weights.max() == 0:
        raise ChainruleError(f"{who}: sample_weight must not be negative, and not zero everywhere.")
    return weights


def balanced_weights(y: np.ndarray) -> np.ndarray:
    """A weight for each example that lets every class count alike: rows / (classes · rows of its class).

    >>> balanced_weights(np.array([0, 0, 1, 1, 1, 1])).tolist()
    [1.5, 1.5, 0.75, 0.75, 0.75, 0.75]
    """
    _, numbers, counts = np.unique(y, return_inverse=True, return_counts=True)
    return (len(y) / (len(counts) * counts))[numbers].astype(np.float32)


def check_categories(x: Any, categories: int) -> None:
    """Refuse a fraction among the first inputs where they are categories, as standardised columns are."""
    if not categories:
        return
    x = np.asarray(dense(x))
    wrong = x[:, :categories] % 1 != 0
    if wrong.any():
        row, column = np.argwhere(wrong)[0].tolist()
        raise ChainruleError(
            f"fit: x[{row}, {column}] is {x[row, column]}, expected a category's number 0, 1, …, or −1 for none. "
            f"Number the categories (OrdinalEncoder) and do not standardise them."
        )


def check_finite(array: np.ndarray, who: str, name: str) -> None:
    """Refuse what no network can compute with, naming the first; the sum of squares is the faster look."""
    if array.dtype.kind == "f" and not math.isfinite(np.vdot(array, array)):
        wrong = np.argwhere(_unfit(array))
        if len(wrong):
            place = tuple(int(i) for i in wrong[0])
            raise _refused(who, f"{name}[{', '.join(map(str, place))}]", array[place])


def check_exact(array: np.ndarray, who: Any, name: str) -> None:
    """Refuse whole numbers so large that float64 rounds them, so that several may become one; names the first."""
    if array.dtype.kind in "iu" and (large := rounded(array)).any():
        place = tuple(np.argwhere(large)[0].tolist())
        raise ChainruleError(
            f"{who}: {name}[{', '.join(map(str, place))}] is {array[place]}, which float64 rounds. Round the numbers, "
            f"or, if they are names, encode them as categories."
        )


def _unfit(array: np.ndarray) -> np.ndarray:
    """Where numbers are NaN, infinite, or too large for their squares and products to be float32."""
    return ~(np.abs(array) <= LARGEST)


def _check_real(array: Any, who: Any, name: str) -> None:
    if getattr(getattr(array, "dtype", None), "kind", "") == "c":  # which NumPy would cut down with a mere warning
        raise ChainruleError(
            f"{who}: expected {name} of real numbers, got {array.dtype}. Make of a complex number two real ones."
        )


def _other_shape(who: Any, shape: Shape | None, got: Shape, remedy: str) -> ChainruleError:
    expected = f"(rows, {', '.join(map(str, shape))})" if shape else "(rows, …)"
    return ChainruleError(f"{who}: expected examples of shape {expected}, got {got}.{remedy}")


def _sparse(matrix: Any, who: Any) -> Any:
    """The rows of a sparse matrix, dense where that takes less memory; refuses NaN and infinity at their place."""
    if matrix.ndim != 2:
        raise _other_shape(who, None, matrix.shape, "")
    if matrix.dtype.kind not in "biuf":
        raise ChainruleError(f"{who}: expected a sparse matrix of numbers, got {matrix.dtype}. Give floats.")
    if matrix.shape[1] == 0:
        raise _nothing_in(who, matrix.shape)
    check_exact(matrix.tocoo().data, who, "x.data")
    matrix = matrix.tocsr().astype(np.float32)
    if _unfit(matrix.data).any():
        found = matrix.tocoo()
        entry = int(_unfit(found.data).argmax())
        raise _refused(who, f"x[{found.row[entry]}, {found.col[entry]}]", found.data[entry])
    return Sparse.of(matrix)


def _refused(who: Any, place: str, value: Any) -> ChainruleError:
    if math.isfinite(value):
        most = f"{LARGEST:.2g}"
        return ChainruleError(f"{who}: {place} is {value:.2g}, expected numbers up to {most}. Divide by their scale.")
    return ChainruleError(f"{who}: {place} is {value}, expected finite numbers. Fill the gap or leave the row out.")


def _nothing_in(who: Any, shape: Shape) -> ChainruleError:
    return ChainruleError(f"{who}: expected examples with something in them, got shape {shape}.")


def _tokens(array: np.ndarray, tokens: int, who: str) -> np.ndarray:
    if array.dtype.kind not in "iu":
        raise ChainruleError(f"{who}: expected tokens, whole numbers from 0 to {tokens - 1}, got {array.dtype}.")
    wrong = np.argwhere((array < 0) | (array >= tokens))
    if len(wrong):
        place = tuple(int(i) for i in wrong[0])
        raise ChainruleError(
            f"{who}: x[{', '.join(map(str, place))}] is {array[place]}, expected a token from 0 to {tokens - 1}. "
            f"Enlarge the vocabulary: Embedding({int(array.max()) + 1}, …)."
        )
    return array.astype(np.int32)


def _is_ragged(x: Any) -> bool:
    """Whether it is a list of sequences of unequal length."""
    if (
        isinstance(x, Masked)
        or not (isinstance(x, list | tuple) or getattr(x, "dtype", None) is np.dtype(object))
        or not len(x)
    ):
        return False
    return all(np.ndim(row) > 0 for row in x) and len({len(row) for row in x}) > 1


def _side_by_side(sequences: list[np.ndarray], who: str) -> Masked:
    """Sequences padded with zeros to the longest."""
    longest = max(map(len, sequences))
    if len({sequence.shape[1:] for sequence in sequences}) > 1:
        raise ChainruleError(f"{who}: expected sequences that differ in length only, got steps of different shapes.")
    padded = [np.pad(s, [(0, longest - len(s))] + [(0, 0)] * (s.ndim - 1)) for s in sequences]
    return Masked(np.stack(padded), np.arange(longest) < np.array([len(s) for s in sequences])[:, None])


def _over(mask: np.ndarray, values: Any) -> np.ndarray:
    """A mask in as many axes as the values have."""
    return mask.reshape(mask.shape + (1,) * (np.ndim(values) - mask.ndim))


def _numbered(y: np.ndarray, classes: Classes, who: str) -> tuple[np.ndarray, tuple[Any, ...]]:
    """Class numbers for names of classes."""
    if y.dtype.kind in "OS":
        for place, name in np.ndenumerate(y):
            if not isinstance(name, str) and str(name) in BLANKS:
                at = ", ".join(map(str, place))
                raise ChainruleError(f"{who}: y[{at}] is {name}, expected a class. Fill the gap or leave the row out.")
        y = y.astype(str)
    if not classes:
        found, numbers = np.unique(y, return_inverse=True)
        return numbers.reshape(y.shape), tuple(found.tolist())
    number = {name: index for index, name in enumerate(classes)}
    unknown = [name for name in y.ravel().tolist() if name not in number]
    if unknown:
        raise ChainruleError(f"{who}: the class {unknown[0]!r} is not one of the training part's: {classes}.")
    return np.vectorize(number.get, otypes=[int])(y), classes


def _check_classes(y: np.ndarray, classes: tuple[Any, ...], network: Chain, outputs: Shape, who: str) -> None:
    wanted = max(len(classes), int(y.max()) + 1)
    if y.min() < 0:
        raise ChainruleError(f"{who}: expected class numbers 0, 1, …, got {int(y.min())}. Count classes from 0.")
    if len(classes) <= y.max() < outputs[-1]:
        raise ChainruleError(
            f"{who}: y has the class number {int(y.max())}, but the classes are {classes}. Name them all."
        )
    shown = np.unique(y)
    if y.max() >= len(classes) and (shown[0] > 0 or 2 * len(shown) < wanted):
        numbers = ", ".join(map(str, shown[:5])) + (", …" if len(shown) > 5 else "")
        raise ChainruleError(
            f"{who}: y has the class numbers {numbers}, but class numbers are 0, 1, …, one for each of "
            f"{outputs[-1]} outputs of {deciding(network)!r}. Number the {len(shown)} classes from 0 to "
            f"{len(shown) - 1}, or give their names: y.astype(str)."
        )
    if wanted != outputs[-1] and not (wanted == 2 and outputs[-1] == 1):
        raise ChainruleError(
            f"{who}: the targets have {wanted} classes, but {deciding(network)!r} gives {outputs[-1]} outputs. "
            f"End it with Dense({wanted}) >> Softmax()."
        )
