"""Optax's protocol: ours inside Optax, and Optax's in the place of ours."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from chainrule.notation import as_optimizer
from chainrule.optimizers import Adam, ClipNorm, FromOptax

START = np.random.default_rng(0).normal(size=5)


def run(optimizer, steps=20):
    params = {"w": jnp.asarray(START, jnp.float32)}
    state = optimizer.init(params)

    @jax.jit
    def step(params, state):
        updates, state = optimizer.update(jax.tree.map(lambda w: jnp.sin(w), params), state, params)
        return optax.apply_updates(params, updates), state

    for _ in range(steps):
        params, state = step(params, state)
    return params["w"], state


def test_ours_stand_inside_optax():
    theirs, _ = run(optax.chain(optax.clip_by_global_norm(1.0), optax.adam(0.01)))
    ours, _ = run(optax.chain(optax.clip_by_global_norm(1.0), Adam(0.01)))
    composed, _ = run(ClipNorm(1.0) >> Adam(0.01))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(composed, theirs, rtol=1e-5, atol=1e-6)


def test_optax_stands_in_the_place_of_ours():
    wrapped = as_optimizer(optax.adam(0.01))
    assert isinstance(wrapped, FromOptax)
    np.testing.assert_array_equal(run(wrapped)[0], run(optax.adam(0.01))[0])
    assert jax.tree.leaves(wrapped) == []


@pytest.mark.parametrize("value", [Adam(0.1), "Adam(0.1)"], ids=repr)
def test_as_optimizer_takes_formulas_and_text(value):
    assert as_optimizer(value) == Adam(0.1)
