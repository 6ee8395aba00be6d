"""Examples on the device: padded to a few sizes, and the order in which they are visited."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.arrays.masked import filled, rows_of
from chainrule.arrays.memory import aligned
from chainrule.arrays.sparse import dense
from chainrule.kernels.rows import take

MANY = 1 << 20  # rows, from which on padding costs more than a compilation
FEW, KEPT = 1 << 12, 1 << 10  # rows whose orders are kept, and how many orders are


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


def on_device(
    x: Any, E: np.ndarray, weights: np.ndarray | None, put: Callable[[Any], Any] = jax.device_put
) -> Examples:
    """The examples padded to the next bucket, and put where they belong; on the CPU they are copied at most once."""
    rows = len(E)
    x, E, weights = jax.tree.map(lambda array: _padded(array, bucket(rows)), (x, E, weights))
    return put(Examples(x, E, weights, np.int32(rows)))  # type: ignore[arg-type]


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
    rows, (word, other) = int(examples.rows), map(int, words)
    drawn = (_kept if rows <= FEW else _drawn)(word, other, epoch, rows)
    order = np.arange(examples.capacity, dtype=np.int32) if chosen is None else np.zeros(bucket(rows), np.int32)
    order[:rows] = drawn if chosen is None else chosen[drawn]
    return order


def _drawn(word: int, other: int, epoch: int, rows: int) -> np.ndarray:
    """The order of an epoch's rows."""
    order, seed = np.arange(rows, dtype=np.int32), np.array([word, other, epoch], np.uint32)
    np.random.default_rng(seed).shuffle(order)  # of an array NumPy makes a generator faster than of a list
    return order


_kept = lru_cache(KEPT)(_drawn)  # all candidates of a comparison visit their rows in the same orders


def batch(
    examples: Examples, order: Any, index: jax.Array, size: int, part: tuple[Any, int] = (0, 1)
) -> tuple[Any, jax.Array, jax.Array]:
    """The index-th batch of an epoch as (x, E, weights), or a part of it; rows that do not count in it have weight 0.

    Args:
        examples: what there is.
        order: in which order their rows are visited; None where one batch holds everything, as it is.
        index: which batch.
        size: of the batch.
        part: which part, and of how many, all of one size, so that the last ones may have rows that do not count.
    """
    x, E, weights = examples.x, examples.E, examples.weights
    number, parts = part
    if order is None and parts == 1:
        counts = jnp.arange(examples.capacity) < examples.rows
    else:
        own, there = -(-size // parts), examples.capacity if order is None else len(order)
        first = index * size + number * own
        begin = jnp.minimum(first, there - own)
        places = begin + jnp.arange(own)
        counts = (places >= first) & (places < examples.rows)
        counts = counts if parts == 1 else counts & (places < jnp.minimum(first + own, (index + 1) * size))
        rows = places if order is None else jax.lax.dynamic_slice(order, (begin,), (own,))
        x, E, weights = jax.tree.map(lambda array: take(array, rows), (x, E, weights))
    return dense(x), E, counts.astype(jnp.float32) if weights is None else filled(weights, counts)
