"""Examples on the device: padded to a few sizes, and the order in which they are visited."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.arrays.masked import filled, rows_of
from chainrule.arrays.memory import aligned
from chainrule.arrays.sparse import dense
from chainrule.kernels.rows import take

MANY = 1 << 20  # rows, from which on padding costs more than a compilation


class Examples(NamedTuple):
    """Rows for training, padded by rows that do not count so that data of nearly the same size compile once."""

    x: Any
    E: jax.Array
    weights: jax.Array | None
    rows: jax.Array
    """How many rows are visited: the first ones, or those that an order chooses."""

    @property
    def capacity(self) -> int:
        """The number of rows, padding included."""
        return rows_of(self.x)


def bucket(rows: int) -> int:
    """The padded number of rows: the next one of at most three binary digits and zeros, so at most a quarter more.

    A million and more are not padded.

    >>> [bucket(n) for n in (1, 7, 9, 1347, 54000, 5_000_001)]
    [1, 7, 10, 1536, 57344, 5000001]
    """
    if rows >= MANY:
        return rows
    unit = 1 << max(rows.bit_length() - 3, 0)
    return -(-rows // unit) * unit


def on_device(x: Any, E: np.ndarray, weights: np.ndarray | None) -> Examples:
    """The examples padded to the next bucket; on the CPU they are copied at most once."""
    rows = len(E)
    x, E, weights = jax.tree.map(lambda array: _padded(array, bucket(rows)), (x, E, weights))
    return jax.device_put(Examples(x, E, weights, np.int32(rows)))  # type: ignore[arg-type]


def _padded(array: np.ndarray, capacity: int) -> np.ndarray:
    """An array with rows of zeros behind it; itself where it is as long."""
    if len(array) == capacity:
        return array
    padded = aligned((capacity, *array.shape[1:]), array.dtype)
    padded[: len(array)] = array
    return padded


def shuffled(words: np.ndarray, epoch: int, examples: Examples, chosen: np.ndarray | None = None) -> np.ndarray:
    """The order in which an epoch visits the rows: a random one of those that count, then the padding.

    Those that count are the first ones, or others that are chosen by their numbers.

    It is drawn from the words of a key by NumPy, since a sort on the device takes longer to compile and to run.
    """
    order = np.arange(examples.capacity, dtype=np.int32)
    if chosen is not None:
        order = np.zeros(bucket(len(chosen)), np.int32)
        order[: len(chosen)] = chosen
    np.random.default_rng([*words, epoch]).shuffle(order[: int(examples.rows)])
    return order


def batch(examples: Examples, order: Any, index: jax.Array, size: int) -> tuple[Any, jax.Array, jax.Array]:
    """The index-th batch of an epoch as (x, E, weights); rows that do not count in it have weight 0.

    Without an order one batch holds everything, as it is.
    """
    x, E, weights = examples.x, examples.E, examples.weights
    if order is None:
        counts = jnp.arange(examples.capacity) < examples.rows
    else:
        begin = jnp.minimum(index * size, len(order) - size)
        places = begin + jnp.arange(size)
        counts = (places >= index * size) & (places < examples.rows)
        rows = jax.lax.dynamic_slice(order, (begin,), (size,))
        x, E, weights = jax.tree.map(lambda array: take(array, rows), (x, E, weights))
    return dense(x), E, counts.astype(jnp.float32) if weights is None else filled(weights, counts)
