"""What users give as examples, checked: inputs as arrays of numbers or tokens."""

import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

from chainrule.arrays.dtypes import rounded
from chainrule.arrays.masked import Masked, Shape, over
from chainrule.arrays.sparse import is_sparse
from chainrule.errors import ChainruleError
from chainrule.formula.layer import Chain

LARGEST = math.sqrt(np.finfo(np.float32).max)
"""The largest number whose square is a float32."""


def inputs(x: Any, shape: Shape | None = None, who: Any = "fit", tokens: int | None = None, finite: bool = True) -> Any:
    """Inputs as an array of finite float32 numbers, or of tokens (int32), of the given shape each.

    Sparse matrices come back as SciPy's own, of rows, which are made arrays a batch at a time.
    Sequences of unequal length (a list of arrays, or a `Masked`) come back as a `Masked`; their time may differ from
    that of the shape. An array is not looked through for what is not `finite`, where somebody else does.

    Raises:
        ChainruleError: naming the first entry that is no finite number or no token, or the shape that does not fit.
    """
    if isinstance(x, Tracer):
        raise ChainruleError(
            f"{who}: a model runs compiled programs of its own, on arrays, and got a tracer. Within jax.jit, vmap or "
            f"grad call model.network.forward(model.parameters, x)."
        )
    if type(x) is np.ndarray and x.dtype == np.float32 and x.shape[1:] == shape and not (tokens or finite):
        return x  # as nearly all are
    check_real(x, who, "x")
    if is_sparse(x):
        return _sparse(x, shape, who, tokens)
    if is_ragged(x) or _are_sequences(x, shape, tokens):
        x = side_by_side([inputs(row, None, f"{who}: x[{index}]", tokens) for index, row in enumerate(x)], who)
    if isinstance(x, Masked):
        mask = live_steps(x, who)
        values = inputs(np.where(over(mask, np.ndim(x.values)), x.values, 0), None, who, tokens)
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
        _check_tokens(array, tokens, who, lambda place: place)
        return array.astype(np.int32)
    check_exact(given, who, "x")
    if finite:
        check_finite(array, who, "x")
    return array


def live_steps(x: Masked, who: Any) -> np.ndarray:
    """The mask of a batch. Raises `ChainruleError` where it is not of True and False."""
    mask = np.asarray(x.checked().mask)
    if mask.dtype != bool and not np.isin(mask, (0, 1)).all():
        odd = mask[~np.isin(mask, (0, 1))][0]
        raise ChainruleError(f"{who}: expected a mask of True and False, got {odd}. Write mask > 0.")
    return mask.astype(bool)


def lengthened(x: Any, shape: Shape, network: Chain) -> Any:
    """Inputs whose sequences of unequal length have one of a few lengths, since each is a program to compile.

    >>> from chainrule.layers import Dense
    >>> network = Chain((Dense(1),))
    >>> lengthened(Masked(np.ones((2, 9, 1)), np.ones((2, 9), bool)), (20, 1), network).mask.shape
    (2, 16)
    """
    if not isinstance(x, Masked):
        return x
    given, known = x.mask.shape[1], shape[0]
    power = 1 << max(given - 1, 7).bit_length()
    time = power if given > known else min(power, known)
    if not _fits(network, (time, *shape[1:])):  # one of places that are counted, say
        time = given
    return Masked(longer(x.values, time), longer(x.mask, time))


def _fits(network: Chain, shape: Shape) -> bool:
    """Whether a network takes examples of this shape."""
    try:
        return bool(network.output_shape(shape))
    except ChainruleError:
        return False


def longer(array: Any, time: int) -> Any:
    """Sequences of at least so many steps, filled up with zeros; what is said of whole rows stays as it is."""
    if np.ndim(array) < 2 or array.shape[1] >= time:
        return array
    return np.pad(array, [(0, 0), (0, time - array.shape[1])] + [(0, 0)] * (array.ndim - 2))


def take(examples: Any, rows: np.ndarray | slice) -> Any:
    """Some rows, by index, mask or slice, of arrays that belong together."""
    return jax.tree.map(lambda array: array[rows], examples)


def check_categories(x: Any, categories: int) -> None:
    """Refuse a fraction among the first inputs where they are categories, as standardised columns are."""
    if not categories:
        return
    x = x[:, :categories].toarray() if is_sparse(x) else np.asarray(x)
    wrong = x[:, :categories] % 1 != 0
    if wrong.any():
        row, column = np.argwhere(wrong)[0].tolist()
        raise ChainruleError(
            f"fit: x[{row}, {column}] is {x[row, column]}, expected a category's number 0, 1, …, or −1 for none. "
            f"Number the categories (OrdinalEncoder) and do not standardise them."
        )


def check_finite(array: np.ndarray, who: Any, name: str) -> None:
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


def check_real(array: Any, who: Any, name: str) -> None:
    """Refuse complex numbers."""
    if getattr(getattr(array, "dtype", None), "kind", "") == "c":  # which NumPy would cut down with a mere warning
        raise ChainruleError(
            f"{who}: expected {name} of real numbers, got {array.dtype}. Make of a complex number two real ones."
        )


def _other_shape(who: Any, shape: Shape | None, got: Shape, remedy: str) -> ChainruleError:
    expected = f"(rows, {', '.join(map(str, shape))})" if shape else "(rows, …)"
    return ChainruleError(f"{who}: expected examples of shape {expected}, got {got}.{remedy}")


def _sparse(matrix: Any, shape: Shape | None, who: Any, tokens: int | None) -> Any:
    """A sparse matrix by its rows; refuses NaN, infinity, and what is no token, at their place."""
    if matrix.ndim != 2 or shape not in (None, matrix.shape[1:]):
        raise _other_shape(who, shape, matrix.shape, "")
    if matrix.dtype.kind not in "biuf":
        raise ChainruleError(f"{who}: expected a sparse matrix of numbers, got {matrix.dtype}. Give floats.")
    if matrix.shape[1] == 0:
        raise _nothing_in(who, matrix.shape)
    check_exact(matrix.tocoo().data, who, "x.data")
    if tokens:
        rows = matrix.tocsr()
        rows.sum_duplicates()
        _check_tokens(rows.data, tokens, who, lambda place: _place_in(rows, *place))
        return rows.astype(np.int32)
    rows = matrix.tocsr().astype(np.float32)
    if _unfit(rows.data).any():
        entry = int(_unfit(rows.data).argmax())
        raise _refused(who, f"x[{', '.join(map(str, _place_in(rows, entry)))}]", rows.data[entry])
    return rows


def _place_in(rows: Any, entry: int) -> tuple[int, ...]:
    """Where an entry of a sparse matrix of rows stands."""
    return int(np.searchsorted(rows.indptr, entry, "right")) - 1, int(rows.indices[entry])


def _refused(who: Any, place: str, value: Any) -> ChainruleError:
    if math.isfinite(value):
        most = f"{LARGEST:.2g}"
        return ChainruleError(f"{who}: {place} is {value:.2g}, expected numbers up to {most}. Divide by their scale.")
    return ChainruleError(f"{who}: {place} is {value}, expected finite numbers. Fill the gap or leave the row out.")


def _nothing_in(who: Any, shape: Shape) -> ChainruleError:
    return ChainruleError(f"{who}: expected examples with something in them, got shape {shape}.")


def _check_tokens(
    array: np.ndarray, tokens: int, who: Any, place_of: Callable[[tuple[int, ...]], tuple[int, ...]]
) -> None:
    if array.dtype.kind not in "iu":
        raise ChainruleError(f"{who}: expected tokens, whole numbers from 0 to {tokens - 1}, got {array.dtype}.")
    wrong = np.argwhere((array < 0) | (array >= tokens))
    if len(wrong):
        first = tuple(int(i) for i in wrong[0])
        place = ", ".join(map(str, place_of(first)))
        remedy = f"Enlarge the vocabulary: Embedding({int(array.max()) + 1}, …)."
        raise ChainruleError(
            f"{who}: x[{place}] is {array[first]}, expected a token from 0 to {tokens - 1}. "
            f"{remedy if array.max() >= tokens else 'Count tokens from 0.'}"
        )


def is_ragged(x: Any) -> bool:
    """Whether it is a list of sequences of unequal length."""
    if (
        isinstance(x, Masked)
        or not (isinstance(x, list | tuple) or getattr(x, "dtype", None) is np.dtype(object))
        or not len(x)
    ):
        return False
    return all(np.ndim(row) > 0 for row in x) and len({len(row) for row in x}) > 1


def _are_sequences(x: Any, shape: Shape | None, tokens: int | None) -> bool:
    """Whether it is a list of sequences that differ from examples of this shape in their one length only."""
    if shape is None or len(shape) < (1 if tokens else 2) or not isinstance(x, list | tuple) or isinstance(x, Masked):
        return False
    try:
        [time, *rest] = np.shape(x)[1:] or (0,)
    except ValueError:  # no array, as is said elsewhere
        return False
    return time not in (0, shape[0]) and tuple(rest) == shape[1:]


def side_by_side(sequences: list[np.ndarray], who: str) -> Masked:
    """Sequences padded with zeros to the longest."""
    longest = max(map(len, sequences))
    if len({sequence.shape[1:] for sequence in sequences}) > 1:
        raise ChainruleError(f"{who}: expected sequences that differ in length only, got steps of different shapes.")
    padded = [np.pad(s, [(0, longest - len(s))] + [(0, 0)] * (s.ndim - 1)) for s in sequences]
    return Masked(np.stack(padded), np.arange(longest) < np.array([len(s) for s in sequences])[:, None])
