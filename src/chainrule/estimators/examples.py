"""Examples as scikit-learn's users give them, as `fit` takes them."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from chainrule.arrays.memory import NUMBERS
from chainrule.formula.layer import Chain

TOGETHER = 64  # rows that are computed at least, so that a row's outputs do not depend on its company


class Part(NamedTuple):
    """Some of the examples, their targets as `fit` takes them, and how much each counts."""

    x: Any
    E: np.ndarray
    weights: np.ndarray

    def take(self, rows: np.ndarray) -> "Part":
        """These rows of it."""
        return Part(self.x[rows], self.E[rows], self.weights[rows])


def merged(part: Part) -> Part:
    """The same examples with equal ones made one of their total weight, in an order of their own.

    For a batch of all rows, order and repetition can't matter; so they change no bit.

    >>> part = Part(np.float32([[1], [0], [1]]), np.int32([1, 0, 1]), np.float32([1, 0, 2]))
    >>> merged(part)
    Part(x=array([[1.]], dtype=float32), E=array([1], dtype=int32), weights=array([3.], dtype=float32))
    """
    place = np.zeros(len(part.E), ">i8")  # of a row among those that differ in some of the columns
    for columns in (*_columns(part.x), *_columns(part.E)):
        table = np.concatenate([place[:, None].view(np.uint8), columns], axis=1)
        place = np.unique(table.view(f"V{table.shape[1]}").ravel(), return_inverse=True)[1].astype(">i8")
    first = np.unique(place, return_index=True)[1]
    total = np.bincount(place, part.weights).astype(np.float32)
    return part.take(first)._replace(weights=total).take(np.flatnonzero(total)) if total.any() else part


def _columns(array: Any) -> Iterator[np.ndarray]:
    """The bytes of the columns of an array of rows, sparse or not, some at a time."""
    flat = array.tocsc() if sparse.issparse(array) else array.reshape(len(array), -1)
    many = max(NUMBERS // flat.shape[0], 1)
    for start in range(0, flat.shape[1], many):
        columns = flat[:, start : start + many]
        columns = columns.toarray() if sparse.issparse(columns) else columns
        yield np.ascontiguousarray(columns + 0).view(np.uint8)  # + 0: no -0.0


def together(x: Any) -> Any:
    """Examples with rows of zeros behind them, where they are few."""
    missing = (max(TOGETHER - x.shape[0], 0), *x.shape[1:])
    if sparse.issparse(x):
        return sparse.vstack([x, sparse.csr_array(missing, dtype=x.dtype)])
    return np.concatenate([x, np.zeros(missing, x.dtype)])


def _are_exact(x: np.ndarray) -> bool:
    """Whether all are whole numbers, and of a type that does not round such."""
    small = x.dtype.kind != "f" or not (np.abs(x) >= 2 / np.finfo(x.dtype).eps).any()
    return small and np.array_equal(x, np.round(x))


def arrays(X: Any) -> Iterator[tuple[str, np.ndarray]]:
    """The columns of a data frame, which an array of all would round; an array, or the numbers in a sparse one."""
    if hasattr(X, "columns") and hasattr(X, "items"):
        yield from ((f"X[{name!r}]", np.asarray(column)) for name, column in X.items())
    else:
        yield "X", X.tocoo().data if sparse.issparse(X) else np.asarray(X)


def inputs(x: Any, network: Chain) -> np.ndarray:
    """Examples as the network takes them: float32, also sparse; or tokens, also where an encoder made them floats."""
    x = x.tocsr() if sparse.issparse(x) else x
    if network.tokens:
        return x.astype(np.int32) if _are_exact(x.data if sparse.issparse(x) else x) else x  # `fit` refuses the others
    with np.errstate(over="ignore"):  # infinity is refused by `fit`
        return x.astype(np.float32)
