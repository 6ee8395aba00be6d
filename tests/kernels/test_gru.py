"""The published GRU equals its plain definition, in value and gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.kernels.gru import gru, plain
from chainrule.kernels.recurrence import Weights


@pytest.mark.parametrize(("batch", "units"), [(1, 1), (3, 4), (30, 17)])
@pytest.mark.parametrize(("dropout", "padding"), [(False, False), (True, False), (True, True)])
def test_value_and_gradients(rng, batch, units, dropout, padding):
    array = lambda *shape: jnp.asarray(rng.normal(size=shape), jnp.float32)  # noqa: E731
    keep = jnp.asarray(rng.integers(0, 2, (batch, units)) * 2, jnp.float32) if dropout else None
    mask = jnp.asarray(rng.integers(0, 2, (6, batch)), bool) if padding else None
    learned = array(6, batch, 3 * units), array(units, 3 * units) / 2, array(batch, units)

    def both(f):
        run = lambda a, kernel, start: f(a, Weights(kernel, None, keep), start, mask)  # noqa: E731
        h, pull = jax.vjp(run, *learned)
        return h, *pull(jnp.sin(jnp.arange(h.size, dtype=h.dtype)).reshape(h.shape))

    for ours, truth in zip(*jax.jit(lambda: (both(gru), both(plain)))(), strict=True):
        np.testing.assert_allclose(ours, truth, rtol=1e-4, atol=1e-5 * max(1, float(jnp.abs(truth).max())))
