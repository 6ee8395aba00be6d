"""Steps by signs: how far they go, and published defaults."""

import jax.numpy as jnp

from chainrule.optimizers import Lion


def test_lion_goes_as_far_for_gradients_of_every_size():
    g = jnp.array([1e-30, -3.0, 1e30, 0.0])
    updates, _ = Lion(0.5).update(g, Lion(0.5).init(g), g)
    assert updates.tolist() == [-0.5, 0.5, -0.5, 0.0]


def test_defaults_are_the_published_ones():
    assert (Lion().learning_rate, Lion().beta1, Lion().beta2, Lion().weight_decay) == (1e-4, 0.9, 0.99, 0.0)
