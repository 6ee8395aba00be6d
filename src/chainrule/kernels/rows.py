"""Rows of a table by their numbers, and the sums of rows that are the gradient: on the CPU native kernels for many."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax.lax import bitcast_convert_type as as_bits

from chainrule.kernels import native
from chainrule.kernels.bilinear import bilinear
from chainrule.kernels.sharding import by_parts

FEW = 1 << 12  # numbers, up to which a call costs more than XLA's loop


def plain(table: jax.Array, rows: jax.Array) -> jax.Array:
    """The definition; numbers beyond the table are taken for its last row, and those below 0 for its first."""
    return table.at[jnp.clip(rows, 0, len(table) - 1)].get(mode="promise_in_bounds")


@by_parts("*,...->...*")
def take(table: jax.Array, rows: jax.Array) -> jax.Array:
    """`plain`, for a table of rows of any shape and any array of numbers."""
    own = table.shape[1:]
    if table.dtype == jnp.int32:  # whose bits are as many
        return as_bits(take(as_bits(table, jnp.float32), rows), jnp.int32)
    if table.dtype != jnp.float32:
        return plain(table, rows)
    return _take(table.reshape(len(table), math.prod(own)), rows.reshape(-1).astype(jnp.int32)).reshape(
        *rows.shape, *own
    )


def _shape_taken(table: Any, rows: Any) -> tuple[int, int]:
    return rows.shape[0], table.shape[1]


def _shape_spread(values: Any, rows: Any, count: int) -> tuple[int, int]:
    return count, values.shape[1]


def _plain_spread(values: jax.Array, rows: jax.Array, count: int) -> jax.Array:
    """The sum of the values for each row of a table of so many."""
    zeros = jnp.zeros((count, values.shape[1]), values.dtype)
    return zeros.at[jnp.clip(rows, 0, count - 1)].add(values, mode="promise_in_bounds")


def _either_take(table: jax.Array, rows: jax.Array) -> jax.Array:
    if len(rows) * table.shape[1] <= FEW:
        return plain(table, rows)

    def natively(table, rows):
        return native.call("take", _shape_taken(table, rows), table, rows, rule="_d,n->nd")

    return native.either(natively, plain, table, rows, also=jnp.int32)


def _either_spread(values: jax.Array, rows: jax.Array, count: int) -> jax.Array:
    if values.size <= FEW:
        return _plain_spread(values, rows, count)

    def natively(values, rows):
        return native.call("spread", _shape_spread(values, rows, count), values, rows, rule="nd,n->_d")

    def by_xla(values, rows):
        return _plain_spread(values, rows, count)

    return native.either(natively, by_xla, values, rows, also=jnp.int32)


def _take_gradient(g: jax.Array, table: Any, rows: jax.Array) -> jax.Array:
    return _spread(g, rows, count=table.aval.shape[0])


def _spread_gradient(g: jax.Array, values: Any, rows: jax.Array, count: int) -> jax.Array:
    return _take(g, rows)


def _take_of_several(arrays: Any, axes: Any) -> tuple[jax.Array, int]:
    """What several networks take of one table is rows of it, all at once."""
    (table, rows), (own_table, own_rows) = arrays, axes
    if own_table is not None:
        return jax.vmap(plain, in_axes=axes)(table, rows), 0
    rows = jnp.moveaxis(rows, own_rows, 0)
    return _take(table, rows.reshape(-1)).reshape(*rows.shape, table.shape[1]), 0


_take = bilinear("take", _shape_taken, plain, _either_take, (_take_gradient, None), _take_of_several)
_spread = bilinear("spread", _shape_spread, _plain_spread, _either_spread, (_spread_gradient, None))
