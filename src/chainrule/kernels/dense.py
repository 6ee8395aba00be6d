"""x · kernel + bias. A native kernel serves a few rows, as in the prediction of single examples."""

import jax
import jax.numpy as jnp

from chainrule.kernels import native

FEW = 4  # rows, up to which the kernel's numbers are each read for little work


def plain(x: jax.Array, kernel: jax.Array, bias: jax.Array | int) -> jax.Array:
    """The definition."""
    return x @ kernel + bias


@jax.custom_batching.custom_vmap
def _by_rows(x: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
    return native.call("dense", (x.shape[0], kernel.shape[1]), x, kernel, bias)


@_by_rows.def_vmap
def _(networks: int, batched: list[bool], *arrays: jax.Array) -> tuple[jax.Array, bool]:
    return jax.vmap(plain, in_axes=[0 if it_is else None for it_is in batched])(*arrays), True  # as one product


@jax.custom_jvp
def _few(x: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
    return native.either(_by_rows, plain, x, kernel, bias)


_few.defjvp(lambda primals, tangents: (_few(*primals), jax.jvp(plain, primals, tangents)[1]))


def dense(x: jax.Array, kernel: jax.Array, bias: jax.Array | None) -> jax.Array:
    """`plain`, also without a bias and for any number of axes before the last."""
    if x.ndim == 2 and len(x) <= FEW:
        return _few(x, kernel, jnp.zeros(kernel.shape[1], x.dtype) if bias is None else bias)
    return plain(x, kernel, 0 if bias is None else bias)
