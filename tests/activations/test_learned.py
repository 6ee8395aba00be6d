"""What activations learn: the derivative by each of their numbers is that of the textbook, to the last digits."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from chainrule.activations import APL, CELU, ISRLU, SiLU, Snake, SReLU
from chainrule.formula.network import initialize, regularized
from chainrule.kernels.learned import apl, snake, srelu
from chainrule.kernels.rectifiers import celu, isrlu

X = np.float32([-np.inf, -1e30, -700, -17.3, -2, -1, -0.4, -1e-3, -1e-6, -1e-20, 0, 1e-20, 1e-4, 0.7, 1, 3.1, 90, 1e15])
"""Values of x; the derivatives are those of the left side at the kinks among them."""


def mp_srelu(x, t_l, a_l, t_r, a_r):
    return t_l + a_l * (x - t_l) if x <= t_l else x if x <= t_r else t_r + a_r * (x - t_r)


def mp_apl(x, *numbers):
    pairs = zip(numbers[:2], numbers[2:], strict=True)
    return max(x, 0) + sum(a * max(b - x, 0) for a, b in pairs)


CASES = {
    "Snake": (snake, lambda x, a: x + mpmath.sin(a * x) ** 2 / a, [1.0], [0.3], [40.0], [-2.5]),
    "SReLU": (srelu, mp_srelu, [-0.4, 0.2, 1.0, 1.5], [-1.0, -0.75, 3.0, 0.25], [2.0, 0.5, -1.0, 3.0]),
    "APL": (apl(2), mp_apl, [0.3, -0.6, 0.5, -0.5], [-0.125, 0.25, 3.0, 0.7]),
    "SiLU": (SiLU, lambda x, beta: x / (1 + mpmath.exp(-beta * x)), [1.0], [1.7], [0.01]),
    "CELU": (celu, lambda x, alpha: x if x > 0 else alpha * mpmath.expm1(x / alpha), [1.0], [0.3], [1e-3], [20.0]),
    "ISRLU": (isrlu, lambda x, alpha: x if x >= 0 else x / mpmath.sqrt(1 + alpha * x * x), [1.0], [0.3], [20.0]),
}


def truth(formula, x, numbers, place):
    """The derivative on the left by one of the arguments, and whether x is at a kink of another one."""
    step = mpmath.mpf(10) ** -300
    arguments = [mpmath.mpf(float(v)) for v in (x, *numbers)]
    before = [v - step * (k == place) for k, v in enumerate(arguments)]
    return (formula(*arguments) - formula(*before)) / step


@pytest.mark.parametrize("name", CASES)
def test_the_derivatives_by_x_and_by_each_number_are_exact(name):
    form, book, *settings = CASES[name]
    form = form if name != "SiLU" else lambda x, beta: SiLU(beta)(x)
    x = X[np.isfinite(X)]

    @jax.jit
    def slopes(x, numbers):
        each = [jnp.full_like(x, number) for number in numbers]
        return jax.grad(lambda *arguments: jnp.sum(jax.vmap(form)(*arguments)), tuple(range(1 + len(each))))(x, *each)

    for numbers in np.float32(settings):
        found = slopes(x, list(numbers))
        with mpmath.workdps(400):
            for place, ours in enumerate(found):
                exact = [truth(book, each, numbers, place) for each in x]
                unit = [max(abs(e) * 2**-23, mpmath.mpf(2) ** -126) for e in exact]
                errors = [abs(e - float(o)) / u for e, o, u in zip(exact, ours, unit, strict=True)]
                worst = int(np.argmax(errors))
                assert errors[worst] <= 1, (numbers, place, x[worst], ours[worst], float(exact[worst]))


@pytest.mark.parametrize("activation", [SiLU(), CELU(0.5), ISRLU(0.5), SReLU(), APL(2)], ids=repr)
def test_at_infinity_nothing_is_lost(activation):
    p = initialize(activation, (2,), jax.random.key(0))
    x = jnp.array([[-jnp.inf, jnp.inf]])
    for_each = lambda p, x: activation.forward(p, x) if p else activation(x)  # noqa: E731
    y, back = jax.vjp(for_each, p, x)
    assert not any(np.isnan(array).any() for array in jax.tree.leaves((y, back(jnp.ones_like(y)))))


def test_of_snake_there_is_no_derivative_at_infinity_but_a_value():
    assert Snake()(jnp.array([-jnp.inf, jnp.inf])).tolist() == [-jnp.inf, jnp.inf]
    assert jnp.isnan(jax.grad(Snake())(jnp.inf))


def test_snake_passes_a_frequency_of_0():
    x = jnp.array([-2.0, 3.0])
    value, slope = jax.jvp(lambda alpha: snake(x, alpha), (jnp.zeros(2),), (jnp.ones(2),))
    np.testing.assert_array_equal(value, x)
    np.testing.assert_array_equal(slope, x**2)


@pytest.mark.parametrize("activation", [Snake(2.0), SReLU(), APL(3)], ids=repr)
def test_each_channel_learns_numbers_of_its_own_which_are_not_regularised(activation):
    p, x = initialize(activation, (4, 2), jax.random.key(0)), np.float32([[[-3, 1.5], [2, -1], [-1, 2], [0.5, 3]]])
    assert {array.shape[-1] for array in p.values()} == {2}
    assert not any(regularized(activation, (4, 2)).values())
    other = {name: array.at[..., 1].add(0.5) for name, array in p.items()}
    same, changed = (activation.forward(each, x) for each in (p, other))
    np.testing.assert_array_equal(same[..., 0], changed[..., 0])
    assert not np.array_equal(same[..., 1], changed[..., 1])


def test_apl_is_a_rectifier_and_its_hinges():
    x = np.linspace(-3, 3, 13, dtype=np.float32)[:, None] * np.ones((1, 2), np.float32)
    p = initialize(APL(), (2,), jax.random.key(0))
    a, b = (np.float64(p[name]) for name in "ab")
    assert a.shape == b.shape == (5, 2)
    assert np.abs(a).max() <= 0.2
    hinges = np.sum(a[:, None] * np.maximum(b[:, None] - x, 0), axis=0)
    np.testing.assert_allclose(APL().forward(p, x), np.maximum(x, 0) + hinges, rtol=2e-7, atol=0)
    np.testing.assert_array_equal(APL()(x), np.maximum(x, 0))
