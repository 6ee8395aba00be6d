"""Keys whose noise native kernels draw on the CPU, to the bit as JAX's Threefry has it, which XLA computes slowly."""

from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.random import define_prng_impl

from chainrule.kernels import native


def noise_key(words: Any) -> jax.Array:
    """The key of two words: noise from it is that of JAX's default kind of key.

    >>> key = noise_key(jnp.array([0, 7], jnp.uint32))
    >>> bool(jax.random.normal(key) == jax.random.normal(jax.random.key(7)))
    True
    """
    return jax.random.wrap_key_data(jnp.asarray(words), impl=_KIND)


def bernoulli(key: jax.Array, p: Any, shape: tuple[int, ...]) -> jax.Array:
    """True with probability p, in float32: `jax.random.bernoulli`, in one pass natively."""
    p, words = jnp.asarray(p, jnp.float32), jax.random.key_data(key)

    def natively(words, p):
        return native.call("bernoulli", jax.ShapeDtypeStruct(shape, jnp.bool), words, p, together=True)

    def plain(words, p):
        return jax.random.bernoulli(_jaxs(words), p, shape)

    if jax.random.key_impl(key) not in ("threefry2x32", _KIND) or not _are_drawn(shape):
        return jax.random.bernoulli(key, p, shape)
    return native.either(natively, plain, words, p, also=jnp.uint32)


def _jaxs(words: Any) -> jax.Array:
    return jax.random.wrap_key_data(words, impl="threefry2x32")


def _seed(number: Any) -> jax.Array:
    return jax.random.key_data(jax.random.key(number, impl="threefry2x32"))


def _split(words: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return jax.random.key_data(jax.random.split(_jaxs(words), shape))


def _fold_in(words: jax.Array, number: Any) -> jax.Array:
    def natively(words, number):
        return native.call("fold_in", jax.ShapeDtypeStruct((2,), jnp.uint32), words, number, together=True)

    def plain(words, number):
        return jax.random.key_data(jax.random.fold_in(_jaxs(words), number))

    return native.either(natively, plain, words, jnp.asarray(number).astype(jnp.uint32), also=jnp.uint32)


def _bits(words: jax.Array, width: int, shape: tuple[int, ...]) -> jax.Array:
    def natively(words):
        return native.call("bits", jax.ShapeDtypeStruct(shape, jnp.uint32), words, together=True)

    def plain(words):
        return jax.random.bits(_jaxs(words), shape, f"uint{width}")

    if width != 32 or not _are_drawn(shape):
        return plain(words)
    return native.either(natively, plain, words, also=jnp.uint32)


def _are_drawn(shape: tuple[int, ...]) -> bool:
    """Whether kernels draw so many numbers: there are some, and JAX has each from its own place."""
    return bool(prod(shape)) and getattr(jax.config, "jax_threefry_partitionable", True)


_KIND = define_prng_impl(
    key_shape=(2,), seed=_seed, split=_split, random_bits=_bits, fold_in=_fold_in, name="chainrule", tag="chainrule"
)
