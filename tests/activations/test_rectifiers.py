"""What is particular to rectifiers and self-gated activations: kinks, noise, fixed points and second derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.activations import CELU, GELU, SELU, HardELiSH, HardSwish, Mish, ReLU6, RReLU, SiLU, TanhExp
from chainrule.errors import ChainruleError
from chainrule.notation import parse

KINKS = {ReLU6(): {0: 0, 6: 1}, HardSwish(): {-3: 0, 3: 1.5}, HardELiSH(): {-1: 0, 1: 1.5}, RReLU(0.1, 0.3): {0: 0.2},
         SELU(): {0: 1.0507009873554805 * 1.6732632423543772}, CELU(0.5): {0: 1}}  # fmt: skip


@pytest.mark.parametrize("activation", KINKS, ids=repr)
def test_at_a_kink_the_derivative_is_that_of_the_left(activation):
    for at, left in KINKS[activation].items():
        assert float(jax.grad(activation)(float(at))) == pytest.approx(left, rel=1e-6)


def test_each_value_has_a_slope_of_its_own_in_training():
    below, above = jax.jit(lambda key: [RReLU(0.25, 0.75).noisy({}, x * jnp.ones((100, 100)), key) for x in (-1, 1)])(
        jax.random.key(0)
    )
    slopes = -np.asarray(below)
    assert 0.25 <= slopes.min() <= 0.26
    assert 0.74 <= slopes.max() <= 0.75
    assert float(slopes.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(RReLU(0.25, 0.75)(-1.0)) == -0.5
    assert np.all(np.asarray(above) == 1)


def test_slopes_the_wrong_way_round_are_refused():
    with pytest.raises(ChainruleError) as refused:
        parse("RReLU(0.5)")
    assert str(refused.value) == "RReLU: lower must not be above upper, got 0.5 and 0.3333333333333333. Swap them."


def test_selu_keeps_mean_0_and_variance_1():
    x = np.random.default_rng(0).normal(size=200_000).astype(np.float32)
    y = np.asarray(SELU()(x))
    assert (float(y.mean()), float(y.var())) == pytest.approx((0, 1), abs=0.01)


@pytest.mark.parametrize("activation", [GELU(), GELU(approximate=True), SiLU(), Mish(), TanhExp()], ids=repr)
def test_far_below_0_digits_are_kept_and_second_derivatives_are_numbers(activation):
    far = np.float32([-1e30, -1e4, -1000, -80, 80, 1000, 1e30])
    value, second = jax.jit(lambda x: (activation(x), jax.vmap(jax.grad(jax.grad(activation)))(x)))(far)
    np.testing.assert_array_equal(value[4:], far[4:])
    np.testing.assert_allclose(second, 0, atol=1e-15)


def test_the_two_forms_of_gelu_are_near_each_other():
    x = np.linspace(-6, 6, 101, dtype=np.float32)
    exact, near = jax.jit(lambda x: (GELU()(x), GELU(approximate=True)(x)))(x)
    assert 1e-4 < np.abs(np.asarray(exact) - np.asarray(near)).max() < 1e-3
