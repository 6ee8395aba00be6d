"""Functions of native kernels alone, run without XLA, beside the same ones compiled."""

from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.formula.layer import outputs_of
from chainrule.formula.network import initialize
from chainrule.kernels import native
from chainrule.kernels.native.direct import direct
from chainrule.notation import parse

needs_kernels = pytest.mark.skipif(native.processor() is None, reason="no native kernels are built")


def network(notation, shape, rows):
    layers = parse(notation)
    parameters = initialize(layers, shape, jax.random.key(0))
    x = np.random.default_rng(0).normal(size=(rows, *shape)).astype(np.float32)
    return lambda x: outputs_of(layers, parameters, layers.state(shape), x)[0], x


@needs_kernels
@pytest.mark.parametrize(
    ("notation", "shape", "rows"),
    [
        ("Dense(20) >> ReLU() >> Dense(16) >> Tanh() >> Dense(3) >> Softmax()", (30,), 3),
        ('Conv2D(5, 3, padding="same") >> ReLU() >> MaxPool2D(2) >> Flatten() >> Dense(1) >> Sigmoid()', (6, 4, 2), 2),
        ("LSTM(5) >> Dense(2)", (7, 3), 1),
    ],
)
def test_it_comes_to_the_bits_of_the_compiled_program(notation, shape, rows):
    function, x = network(notation, shape, rows)
    run = direct(function, x)
    assert run is not None
    np.testing.assert_array_equal(run(x), jax.jit(function)(x))
    np.testing.assert_array_equal(run(np.flip(x, axis=1)), jax.jit(function)(np.flip(x, axis=1)))  # not contiguous


@needs_kernels
def test_products_of_steps_come_to_the_same():
    function, x = network("GRU(5, reset_after=True) >> Dense(2)", (7, 3), 1)
    run = direct(function, x)
    assert run is not None
    np.testing.assert_allclose(run(x), jax.jit(function)(x), rtol=1e-5, atol=1e-6)


@needs_kernels
def test_threads_do_not_share_memory():
    function, _ = network("Dense(200) >> ReLU() >> Dense(3)", (300,), 1)
    x = np.random.default_rng(1).normal(size=(200, 1, 300)).astype(np.float32)
    run = direct(function, x[0])
    assert run is not None
    expected = np.stack([*map(run, x)])
    with ThreadPoolExecutor(4) as threads:
        np.testing.assert_array_equal(np.stack([*threads.map(run, x)]), expected)
    np.testing.assert_allclose(expected[:, 0], jax.jit(function)(x[:, 0]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: jnp.sin(x),
        lambda x: x.T,
        lambda x: x[:, 1:],
        lambda x: jnp.ones(3),
        lambda x: x.astype(jnp.float16),
    ],
)
def test_other_steps_are_left_to_xla(function):
    assert direct(function, np.ones((2, 3), np.float32)) is None


def test_what_is_worth_two_threads_is_left_to_xla():
    function, x = network("Conv2D(256, 3)", (32, 32, 64), 1)
    assert direct(function, x) is None
