"""Noise that native kernels draw, beside JAX's own."""

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.kernels import native
from chainrule.kernels.random import bernoulli, noise_key

WORDS = np.array([[0, 7], [123456789, 4000000000], [2**32 - 1, 2**32 - 1]], np.uint32)
SHAPES = ((), (1,), (63,), (65,), (3, 0), (17, 1000))


def jaxs(words):
    return jax.random.wrap_key_data(words, impl="threefry2x32")


def draws(key, draw=bernoulli):
    own = jax.random.fold_in(jax.random.fold_in(key, 3), np.uint32(2**32 - 1))
    return [
        *(jax.random.bits(own, shape) for shape in SHAPES),
        *(jax.random.bits(own, (5,), f"uint{width}") for width in (8, 16)),
        jax.random.normal(key, (9,)),
        *(draw(own, jnp.float32(0.3), shape) for shape in ((), (2, 40), (0,))),
        jax.random.key_data(jax.random.split(own, 3)),
    ]


def test_it_is_jaxs_to_the_bit():
    jax.tree.map(np.testing.assert_array_equal, draws(noise_key(WORDS[1])), draws(jaxs(WORDS[1]), jax.random.bernoulli))


def test_networks_at_once_have_their_own():
    of_all = jax.jit(jax.vmap(lambda words: draws(noise_key(words)))).lower(WORDS)
    truth = [draws(jaxs(words), jax.random.bernoulli) for words in WORDS]
    jax.tree.map(lambda mine, *each: np.testing.assert_array_equal(mine, each), of_all.compile()(WORDS), *truth)
    assert native.processor() is None or "@chainrule_bits(" in of_all.as_text()


def test_a_seed_makes_jaxs_key():
    key = jax.random.key(7, impl=jax.random.key_impl(noise_key(WORDS[0])))
    np.testing.assert_array_equal(jax.random.key_data(key), jax.random.key_data(jaxs(WORDS[0])))


def test_the_older_kind_of_bits_is_served_where_it_is_asked_for():
    with jax.threefry_partitionable(False):
        np.testing.assert_array_equal(jax.random.bits(noise_key(WORDS[1]), (9,)), jax.random.bits(jaxs(WORDS[1]), (9,)))


def test_keys_of_other_kinds_are_drawn_from_as_jax_does():
    for key in (jax.random.key(1, impl="rbg"), jax.random.PRNGKey(1)):
        np.testing.assert_array_equal(bernoulli(key, 0.3, (9,)), jax.random.bernoulli(key, jnp.float32(0.3), (9,)))
