"""What is particular to activations that saturate: their ends, tails and kinks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.activations import (
    ISRU,
    SQNL,
    ArcTan,
    BinaryStep,
    HardSigmoid,
    HardTanh,
    LogSigmoid,
    SobolevaTanh,
    SoftClipping,
    Softsign,
    Tanh,
)
from chainrule.errors import ChainruleError

ENDS = {  # far on the left and on the right
    LogSigmoid(): (-np.inf, 0),
    BinaryStep(): (0, 1),
    Softsign(): (-1, 1),
    ArcTan(): (-np.float32(np.pi / 2), np.float32(np.pi / 2)),
    SQNL(): (-1, 1),
    ISRU(): (-1, 1),
    ISRU(4): (-0.5, 0.5),
    SobolevaTanh(): (-1, 1),
    SobolevaTanh(c=2): (-1, 0),
    SobolevaTanh(d=1.5): (0, 1),
    SobolevaTanh(a=2): (-1, np.inf),
    SoftClipping(): (0, 1),
    HardSigmoid(): (0, 1),
    HardTanh(-2, 3): (-2, 3),
}


def values_and_slopes(activations, x):
    """Of many activations by one program."""
    both = jax.jit(lambda x: [jax.jvp(f, (x,), (jnp.ones_like(x),)) for f in activations])(jnp.asarray(x, jnp.float32))
    return {f: np.asarray(pair) for f, pair in zip(activations, both, strict=True)}


def test_the_ends_are_reached_without_overflow():
    found = values_and_slopes(ENDS, [-np.inf, -3e38, 3e38, np.inf])
    for activation, (low, high) in ENDS.items():
        y, slope = found[activation]
        steep = [isinstance(activation, LogSigmoid), high == np.inf]
        expected = [low, low if np.isfinite(low) else np.float32(-3e38), high, high]
        np.testing.assert_array_equal(y, np.float32(expected), err_msg=repr(activation))
        assert (slope[[0, 3]] == [float(steep[0]), np.inf if steep[1] else 0]).all(), activation
        assert not np.isnan(slope).any()


def test_tails_fall_as_they_should():
    found = values_and_slopes([Softsign(), ArcTan(), ISRU(), SoftClipping(2)], [-30.0, 1e4, 1e10, 30.0])
    x = np.array([-30.0, 1e4, 1e10, 30.0])
    tails = {
        Softsign(): 1 / (1 + np.abs(x)) ** 2,
        ArcTan(): 1 / (1 + x**2),
        ISRU(): (1 + x**2) ** -1.5,
        SoftClipping(2): [np.exp(-60) * (1 - np.exp(-2)), 0, 0, np.exp(-58) * (1 - np.exp(-2))],
    }
    for activation, slope in tails.items():
        np.testing.assert_allclose(found[activation][1], slope, rtol=1e-6)
    np.testing.assert_allclose(found[SoftClipping(2)][0][0], np.exp(-60) * (1 - np.exp(-2)) / 2, rtol=1e-6)


def test_soboleva_s_tanh_of_equal_rates_is_tanh():
    x = np.linspace(-5, 5, 41)
    found = values_and_slopes([SobolevaTanh(), Tanh(), SobolevaTanh(0.5, 1, 1.5, 2)], x)
    np.testing.assert_allclose(found[SobolevaTanh()], found[Tanh()], rtol=3e-7)
    up, down = np.exp(0.5 * x) - np.exp(-x), np.exp(1.5 * x) + np.exp(-2 * x)
    slope = (0.5 * np.exp(0.5 * x) + np.exp(-x) - up / down * (1.5 * np.exp(1.5 * x) - 2 * np.exp(-2 * x))) / down
    np.testing.assert_allclose(found[SobolevaTanh(0.5, 1, 1.5, 2)], [up / down, slope], rtol=1e-6, atol=1e-7)


def test_at_kinks_and_jumps_the_derivative_is_that_of_the_left():
    found = values_and_slopes([HardSigmoid(), HardTanh(), BinaryStep()], [-3, -1, 0, 1, 3])
    np.testing.assert_allclose(found[HardSigmoid()][1], [0, *[1 / 6] * 4], rtol=1e-7)
    assert found[HardTanh()].tolist() == [[-1, -1, 0, 1, 1], [0, 0, 1, 1, 0]]
    assert found[BinaryStep()].tolist() == [[0, 0, 1, 1, 1], [0] * 5]


def test_a_range_upside_down_is_refused():
    with pytest.raises(ChainruleError) as refused:
        HardTanh(2, 1)
    assert str(refused.value) == "HardTanh: low must not be above high, got 2.0 and 1.0. Swap them."
