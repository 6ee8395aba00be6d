"""Rows of a table mixed by weights, a product with a matrix of few entries; natively on the CPU."""

from typing import Any

import jax
import jax.numpy as jnp

from chainrule.arrays.precision import exactly
from chainrule.kernels import native, rows
from chainrule.kernels.bilinear import bilinear
from chainrule.kernels.sharding import by_parts


@exactly
def plain(table: jax.Array, weights: jax.Array, numbers: jax.Array) -> jax.Array:
    """The definition: for each example the sum of the rows that it numbers, by their weights.

    Its numbers rise; those beyond the table weigh nothing, and those below 0 are taken for the first.
    """
    return jnp.einsum("nt,ntd->nd", _within(weights, numbers, len(table)), rows.plain(table, numbers))


@by_parts("*,n*,n*->n*")
def mixed(table: jax.Array, weights: jax.Array, numbers: jax.Array) -> jax.Array:
    """`plain`, for a table (rows, units), and weights and numbers of (examples, places)."""
    dtype = jnp.result_type(table, weights)
    return _mixed(table.astype(dtype), weights.astype(dtype), numbers.astype(jnp.int32))


def _within(weights: jax.Array, numbers: jax.Array, count: int) -> jax.Array:
    return jnp.where(numbers < count, weights, 0)


def _plain_gradient(values: jax.Array, weights: jax.Array, numbers: jax.Array, count: int) -> jax.Array:
    """What each row of a table of so many gets of the examples' values."""
    each = _within(weights, numbers, count)[..., None] * values[:, None]
    zeros = jnp.zeros((count, values.shape[1]), values.dtype)
    return zeros.at[jnp.clip(numbers, 0, count - 1)].add(each, mode="promise_in_bounds")


def _shape(table: Any, weights: Any, numbers: Any) -> tuple[int, int]:
    return numbers.shape[0], table.shape[1]


def _gradient_shape(values: Any, weights: Any, numbers: Any, count: int) -> tuple[int, int]:
    return count, values.shape[1]


def _either(table: jax.Array, weights: jax.Array, numbers: jax.Array) -> jax.Array:
    def natively(*arrays: jax.Array) -> jax.Array:
        return native.call("mix", _shape(table, weights, numbers), *arrays, rule="_d,n_,n_->nd")

    return native.either(natively, plain, table, weights, numbers, also=jnp.int32)


def _either_gradient(values: jax.Array, weights: jax.Array, numbers: jax.Array, count: int) -> jax.Array:
    def natively(*arrays: jax.Array) -> jax.Array:
        return native.call(
            "mix_gradient", _gradient_shape(values, weights, numbers, count), *arrays, rule="nd,n_,n_->_d"
        )

    def by_xla(*arrays: jax.Array) -> jax.Array:
        return _plain_gradient(*arrays, count=count)

    return native.either(natively, by_xla, values, weights, numbers, also=jnp.int32)


def _by_table(g, table, weights, numbers):
    return _gradient(g, weights, numbers, count=table.aval.shape[0])


@exactly
def _by_weights(g, table, weights, numbers):
    return _within(jnp.einsum("nd,ntd->nt", g, rows.take(table, numbers)), numbers, len(table))


def _gradient_by_values(g, values, weights, numbers, count):
    return _mixed(g, weights, numbers)


def _gradient_by_weights(g, values, weights, numbers, count):
    return _by_weights(values, g, weights, numbers)


_mixed = bilinear("mixed", _shape, plain, _either, (_by_table, _by_weights), counts=1)
_gradient = bilinear(
    *("mixed_gradient", _gradient_shape, _plain_gradient, _either_gradient),
    (_gradient_by_values, _gradient_by_weights),
    counts=1,
)
