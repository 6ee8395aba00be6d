"""What holds for every activation: exact values and derivatives by its own textbook form, shapes and dtypes."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from chainrule.activations import Activation
from chainrule.formula.network import initialize
from chainrule.initializers import Constant

ULPS = 2.0
"""The largest error of a float32 value or derivative, in units in the last place."""

SMALLEST = float(np.finfo(np.float32).tiny)
"""The smallest normal number; what is below it XLA may flush to 0."""

MAGNITUDES = (0.0, 1e-37, 1e-30, 1e-10, 1e-4, 1e-3, 0.02, 0.1, 0.3, 0.5, 1, 2, 3, 5, 9, 17, 22, 50, 80, 87, 100, 1e4)
POINTS = np.unique(np.concatenate([MAGNITUDES, np.negative(MAGNITUDES), np.linspace(-12, 12, 97)]).astype(np.float32))

SIZE = 6
"""Of a last axis: a multiple of what Maxout takes the largest of."""

NAMESPACE = {name: getattr(mpmath, name) for name in ("exp", "tanh", "cosh", "erf", "sqrt", "sin", "cos", "atan", "pi")}
NAMESPACE |= {"ln": mpmath.log, "sign": mpmath.sign, "max": max, "min": min, "abs": abs}
"""What textbook forms may name."""


def exact(activation, x):
    """The textbook form in 200 digits, its noise at its mean, and its parameters as before training."""
    numbers = {name: parameter.initializer.value for name, parameter in activation.parameters((1,)).items()}
    numbers |= {field.name: getattr(activation, field.name) for field in dataclasses.fields(activation)}
    letters = NAMESPACE | {name: mpmath.mpf(value) for name, value in numbers.items()} | {"x": x}
    *before, last = activation.in_textbook().strip().splitlines()
    for line in before:
        name, value = line.split(" = ")
        letters[name.strip()] = value_of(value, letters)
    if drawn := re.search(r", (\w) ~ (\w)\(([^,]+), (.+)\)", last):
        letter, distribution, *told = drawn.groups()
        means = {"N": told[0], "U": f"({' + '.join(told)}) / 2"}
        letters[letter] = value_of(means[distribution], letters)
        last = last[: drawn.start()]
    return value_of(last, letters)


def value_of(expression, letters):
    return eval(expression, {"__builtins__": {}}, letters)


def exact_derivative(activation, x):
    """The derivative on the left of x, which is the one at kinks and jumps."""
    step = mpmath.mpf(10) ** -90
    return (exact(activation, x - step) - exact(activation, x - 2 * step)) / step


def ulps(result, truth):
    """The error in units in the last place of the truth; of the smallest normal number, where it is below that."""
    if abs(truth) > mpmath.mpf(2) ** 128:  # what overflows
        return 0 if result == np.inf * mpmath.sign(truth) else mpmath.inf
    unit = max(mpmath.mpf(2) ** (mpmath.floor(mpmath.log(abs(truth), 2)) - 23) if truth else 0, SMALLEST * 2.0**-23)
    flushed = result == 0 or abs(truth) < SMALLEST
    return 0 if flushed and abs(truth - result) <= SMALLEST else abs(truth - mpmath.mpf(float(result))) / unit


@pytest.fixture
def scalar(activation) -> Activation:
    """An activation that is applied to each value alone, without numbers that are drawn."""
    if "[" in activation.textbook:
        pytest.skip("its values depend on each other")
    return activation


def slope(activation, x):
    return jax.jvp(activation, (x,), (jnp.ones_like(x),))[1]


@pytest.mark.parametrize("side", ["value", "derivative"])
def test_it_is_its_textbook_form_to_the_last_places(scalar, side):
    oracle, body = {"value": (exact, scalar), "derivative": (exact_derivative, lambda x: slope(scalar, x))}[side]
    results = np.asarray(body(jnp.asarray(POINTS)))
    with mpmath.workdps(200):
        errors = [ulps(result, oracle(scalar, mpmath.mpf(float(x)))) for x, result in zip(POINTS, results, strict=True)]
    worst = int(np.argmax(errors))
    assert errors[worst] <= ULPS, f"at {POINTS[worst]}: {results[worst]}"


def test_reverse_mode_gives_the_same_derivative(scalar):
    x = jnp.asarray(POINTS)
    np.testing.assert_array_equal(jax.grad(lambda x: jnp.sum(scalar(x)))(x), slope(scalar, x))


@pytest.mark.by_turns(2)
def test_nan_stays_nan(activation):
    assert jnp.isnan(activation(jnp.array([jnp.nan, *range(SIZE - 1)])))[0]
    assert jnp.isnan(jax.jit(activation)(jnp.full(SIZE, jnp.nan)))[0]


def test_its_output_has_the_shape_that_its_rule_tells(activation):
    for shape in [(0,), (SIZE,), (3, 0, SIZE), (1, SIZE), (2, 3, SIZE)]:
        expected = activation.output_shape(shape)
        assert jax.eval_shape(activation, jnp.ones(shape)).shape == expected
        assert expected == shape or "y[" in activation.textbook


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_it_keeps_the_dtype(activation, dtype):
    with jax.enable_x64(dtype == "float64"):
        x = jnp.linspace(-1, 2, SIZE).astype(dtype)
        assert jax.eval_shape(activation, x).dtype == dtype
        assert jax.eval_shape(_apply, activation, x).dtype == dtype
        assert jax.eval_shape(jax.grad(lambda x: jnp.sum(activation(x))), x).dtype == dtype


def _apply(activation, x):
    return activation(x)


@pytest.mark.by_turns(3)
def test_float64_keeps_its_digits(scalar):
    with jax.enable_x64(True):
        x = jnp.array([-2.5, -0.3, 0.7, 3.1], jnp.float64)
        values, slopes = scalar(x), slope(scalar, x)
    with mpmath.workdps(200):
        for each, value, derivative in zip(x.tolist(), values.tolist(), slopes.tolist(), strict=True):
            assert value == pytest.approx(float(exact(scalar, mpmath.mpf(each))), rel=1e-14)
            assert derivative == pytest.approx(float(exact_derivative(scalar, mpmath.mpf(each))), rel=1e-14)


@pytest.mark.by_turns(3)
def test_compiled_and_not_are_the_same(activation):
    x = jnp.asarray(POINTS[: len(POINTS) // SIZE * SIZE])
    np.testing.assert_array_max_ulp(np.asarray(jax.jit(activation)(x)), np.asarray(activation(x)), maxulp=1)
    np.testing.assert_array_max_ulp(np.asarray(jax.jit(_apply)(activation, x)), np.asarray(activation(x)), maxulp=1)


@pytest.mark.by_turns(2)
def test_a_population_is_each_of_its_members(activation):
    x = jnp.linspace(-2, 2, 33)
    for field in dataclasses.fields(activation):
        if isinstance(getattr(activation, field.name), float):
            values = [0.25, 0.125]
            population = dataclasses.replace(activation, **{field.name: jnp.array(values)})
            axes = jax.tree.map(lambda leaf: 0 if jnp.ndim(leaf) else None, population)
            together = jax.vmap(_apply, in_axes=(axes, None))(population, x)
            alone = [dataclasses.replace(activation, **{field.name: value})(x) for value in values]
            np.testing.assert_allclose(together, alone, rtol=1e-6)
            assert not np.array_equal(alone[0], alone[1])


@pytest.mark.by_turns(3)
def test_forward_is_the_call(activation):
    x = jnp.linspace(-2, 2, 2 * SIZE).reshape(2, SIZE)
    declared = activation.parameters((SIZE,))
    if not all(isinstance(each.initializer, Constant) for each in declared.values()):
        pytest.skip("its first numbers are drawn")
    p = initialize(activation, (SIZE,), jax.random.key(0))
    np.testing.assert_array_equal(activation.forward(p, x), activation(x))
