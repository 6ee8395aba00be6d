"""x · kernel + bias, and the products that are its gradients. On the CPU native kernels serve where they are faster."""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from chainrule.arrays.dtypes import of_axes
from chainrule.arrays.precision import exactly
from chainrule.kernels import native
from chainrule.kernels.bilinear import bilinear
from chainrule.kernels.derivatives import differentiable, with_zeros
from chainrule.kernels.sharding import by_parts

FEW = 8  # rows, up to which the kernel's numbers are each read for little work
MOST = 1 << 26  # multiplications, beyond which XLA's product is as fast or faster


@exactly
def plain(x: jax.Array, kernel: jax.Array, bias: jax.Array | int) -> jax.Array:
    """The definition."""
    y = x @ kernel
    return y + of_axes(bias, y)


@jax.custom_batching.custom_vmap
def _by_rows(x: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
    shape = x.shape[0], kernel.shape[1]
    return native.call("dense", shape, x, kernel, bias, rule="n_,_o,o->no", packed=0, rectified=0)


@_by_rows.def_vmap
def _(networks: int, batched: list[bool], *arrays: jax.Array) -> tuple[jax.Array, bool]:

    def form(x, kernel, bias):
        return product(x, kernel) + bias[None]

    return jax.vmap(form, in_axes=[0 if it_is else None for it_is in batched])(*arrays), True


def _few(x: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
    return differentiable(partial(native.either, _by_rows, plain), _few_change, x, kernel, bias)


def _few_change(arrays: tuple, tangents: tuple) -> tuple[jax.Array, jax.Array]:
    (x, kernel, _), (dx, d_kernel, d_bias) = arrays, with_zeros(tangents, arrays)
    return _few(*arrays), product(dx, kernel) + product(x, d_kernel) + d_bias[None]


@by_parts("..._,_o,o->...o")
def dense(x: jax.Array, kernel: jax.Array, bias: jax.Array | None) -> jax.Array:
    """`plain`, also without a bias and for any number of axes before the last."""
    if x.ndim < 2 or {x.dtype, kernel.dtype} != {jnp.dtype(jnp.float32)}:
        return plain(x, kernel, 0 if bias is None else bias)
    rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    if len(rows) <= FEW:
        y = _few(rows, kernel, jnp.zeros(kernel.shape[1], x.dtype) if bias is None else bias)
    else:
        y = product(rows, kernel) + (0 if bias is None else bias[None])
    return y.reshape(*x.shape[:-1], kernel.shape[1])


def product(a: jax.Array, b: jax.Array, turned: tuple[bool, bool] = (False, False)) -> jax.Array:
    """a · b of two matrices, each of which may be turned first; or of several, counted by the first axis.

    All its derivatives, forwards and backwards, are such products again.
    """
    dtype = jnp.result_type(a, b)
    return _product(a.astype(dtype), b.astype(dtype), turned=turned)


@exactly
def _plain(a: jax.Array, b: jax.Array, turned: tuple[bool, bool]) -> jax.Array:
    a, b = (jnp.swapaxes(m, -1, -2) if it_is else m for m, it_is in zip((a, b), turned, strict=True))
    return a @ b


def _shape(a: Any, b: Any, turned: tuple[bool, bool]) -> tuple[int, ...]:
    """That of the product."""
    networks = max(a.shape[:-2], b.shape[:-2])  # of one matrix: ()
    return *networks, a.shape[-1 if turned[0] else -2], b.shape[-2 if turned[1] else -1]


def _either(a: jax.Array, b: jax.Array, turned: tuple[bool, bool]) -> jax.Array:
    shape = _shape(a, b, turned)
    depth = a.shape[-2 if turned[0] else -1]
    examples = depth if turned[0] else shape[-2]
    if min(a.size, b.size) == 0 or examples <= FEW or shape[-2] * shape[-1] * depth > MOST:
        return _plain(a, b, turned)
    left, right = map(int, turned)
    axes = zip((("mk", "km")[left], ("kn", "nk")[right], "mn"), (a.ndim, b.ndim, len(shape)), strict=True)
    rule = "{},{}->{}".format(*("p" * (ndim - 2) + own for own, ndim in axes))

    def natively(a: jax.Array, b: jax.Array) -> jax.Array:
        return native.call("product", shape, a, b, rule=rule, left_turned=left, right_turned=right, packed=0)

    return native.either(natively, partial(_plain, turned=turned), a, b)


def _gradient(which: int, g: jax.Array, a: Any, b: Any, turned: tuple[bool, bool]) -> jax.Array:
    """The gradient by a (0) or b (1) of ⟨g, a · b⟩, from the other one."""
    if which == 0:
        d = product(b, g, (turned[1], True)) if turned[0] else product(g, b, (False, not turned[1]))
    else:
        d = product(g, a, (True, turned[0])) if turned[1] else product(a, g, (not turned[0], False))
    by = (a, b)[which]
    return d if d.ndim == by.aval.ndim else d.sum(axis=0)  # of all the networks that share it


def _over_networks(arrays: Any, axes: Any, *, turned: tuple[bool, bool]) -> tuple[jax.Array, int]:
    at_front = [m if axis is None else jnp.moveaxis(m, axis, 0) for m, axis in zip(arrays, axes, strict=True)]
    in_axes = [None if axis is None else 0 for axis in axes]
    if all(m.ndim == (2 if axis is None else 3) for m, axis in zip(at_front, in_axes, strict=True)):
        a, b = at_front
        return product(a, b, turned), 0
    return jax.vmap(lambda a, b: _plain(a, b, turned), in_axes=in_axes)(*at_front), 0  # populations of populations


_product = bilinear("product", _shape, _plain, _either, (partial(_gradient, 0), partial(_gradient, 1)), _over_networks)
