"""Rows that are mostly zeros, made dense a batch at a time, where they are computed with."""

import dataclasses
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


@partial(jax.tree_util.register_dataclass, data_fields=["columns", "values"], meta_fields=["features"])
@dataclasses.dataclass(frozen=True)
class Sparse:
    """A batch of rows by their entries that are not zero: as many places in each row as the fullest needs.

    Attributes:
        columns: where each entry stands, int32 (rows, places).
        values: what it is, float32, or int32 of tokens, (rows, places); entries of one column add up, and 0 fills a
            row's other places.
        features: how many columns there are.

    >>> from scipy.sparse import csr_array
    >>> rows = Sparse.of(csr_array([[0, 0, 5, 0], [7, 0, 0, 0]]))
    >>> rows.columns.tolist(), rows.values.tolist(), rows.dense().tolist()
    ([[2], [0]], [[5.0], [7.0]], [[0.0, 0.0, 5.0, 0.0], [7.0, 0.0, 0.0, 0.0]])
    """

    columns: Any
    values: Any
    features: int

    @classmethod
    def of(cls, matrix: Any) -> "Sparse | np.ndarray":
        """The rows of a matrix of SciPy, or an array of them where that takes no more memory.

        The places are a power of two, so that few numbers of them are compiled for.
        """
        matrix = matrix.tocsr()
        counts = np.diff(matrix.indptr)
        places = 1 << max(int(counts.max(initial=1)) - 1, 0).bit_length()
        if 2 * places >= matrix.shape[1]:
            return matrix.toarray()
        taken = np.arange(places) < counts[:, None]
        columns, values = (
            np.zeros(taken.shape, np.int32),
            np.zeros(taken.shape, np.int32 if matrix.dtype == np.int32 else np.float32),
        )
        columns[taken], values[taken] = matrix.indices, matrix.data
        return cls(columns, values, matrix.shape[1])

    def dense(self) -> jax.Array:
        """The same rows, (rows, features)."""
        rows = jnp.arange(len(self.columns))[:, None]
        zeros = jnp.zeros((len(self.columns), self.features), self.values.dtype)
        return zeros.at[rows, self.columns].add(self.values, mode="promise_in_bounds")


def dense(x: Any) -> Any:
    """A batch as layers take it: sparse rows filled up with zeros, any other as it is."""
    return x.dense() if isinstance(x, Sparse) else x


def as_arrays(x: Any) -> Any:
    """Rows as arrays: those of a matrix of SciPy as `Sparse.of` has them, any others as they are."""
    return Sparse.of(x) if is_sparse(x) else x


def is_sparse(x: Any) -> bool:
    """Whether it is a sparse matrix or array of SciPy."""
    return hasattr(x, "tocsr")
