"""What is particular to activations that shrink: what cancels near 0, kinks and jumps."""

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.activations import HardShrink, SoftShrink, TanhShrink, Threshold

SHRINKING = (TanhShrink(), SoftShrink(), HardShrink(), Threshold(), Threshold(-1, 5), SoftShrink(0), HardShrink(0))
both = jax.jit(lambda x: [jax.jvp(f, (x,), (jnp.ones_like(x),)) for f in SHRINKING])


def test_tanh_shrink_keeps_its_digits_near_0():
    x = np.float32([1e-10, 1e-4, 0.01, 0.0312, 0.0313, -0.1])
    wide = x.astype(np.float64)
    series = wide**3 * (
        1 / 3 - wide**2 * (2 / 15 - wide**2 * (17 / 315 - wide**2 * (62 / 2835 - wide**2 * 1382 / 155925)))
    )
    value, slope = both(x)[0]
    np.testing.assert_allclose(value, series, rtol=1e-7)
    np.testing.assert_allclose(slope, np.tanh(wide) ** 2, rtol=1e-7)


def test_kinks_jumps_and_infinities():
    x = jnp.array([-jnp.inf, -1, -0.5, -0.25, 0, 0.5, 1, jnp.inf])
    _, soft, hard, threshold, lower, *without = both(x)
    assert soft[0].tolist() == [-np.inf, -0.5, 0, 0, 0, 0, 0.5, np.inf]
    assert hard[0].tolist() == [-np.inf, -1, 0, 0, 0, 0, 1, np.inf]
    assert soft[1].tolist() == hard[1].tolist() == [1, 1, 1, 0, 0, 0, 1, 1]
    assert threshold[0].tolist() == [0, 0, 0, 0, 0, 0, 0, np.inf]
    assert threshold[1].tolist() == [0, 0, 0, 0, 0, 0, 0, 1]
    assert lower[0].tolist() == [5, 5, -0.5, -0.25, 0, 0.5, 1, np.inf]
    for value, slope in without:
        np.testing.assert_array_equal(value, x)
        assert slope.tolist() == [1] * 8
