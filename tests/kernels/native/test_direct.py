"""Functions of native kernels alone, run without XLA, beside the same ones compiled."""

import os
import signal
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


def directly(function, x):
    found = direct(function, x)
    assert found is not None
    return found.of_block


@needs_kernels
@pytest.mark.parametrize(
    ("notation", "shape", "rows"),
    [
        ("Dense(20) >> ReLU() >> Dense(16) >> Tanh() >> Dense(3) >> Softmax()", (30,), 3),
        ('Conv2D(5, 3, padding="same") >> ReLU() >> MaxPool2D(2) >> Flatten() >> Dense(1) >> Sigmoid()', (6, 4, 2), 2),
        ("LSTM(5) >> Dense(2)", (7, 3), 1),
        ("Dense(33) >> ReLU() >> Dense(20)", (30,), 5),  # whose weights are packed once
        ("Dense(33) >> ReLU() >> Dense(20) >> (Identity() + ReLU())", (30,), 11),  # products and sums
        ("Dense(260) >> ReLU()", (300,), 1),  # shared by threads, where calls follow one another
        ("Conv1D(32, 3) >> MaxPool1D(2)", (9, 5), 2),
        ('Conv2D(70, 3, padding="same") >> ReLU() >> MaxPool2D(2)', (16, 12, 32), 1),
        ('Conv2D(20, 3, padding="same") >> ReLU() >> MaxPool2D(2)', (30, 14, 16), 1),
        ("Conv2D(6, 3, groups=3)", (6, 4, 3), 2),
    ],
)
def test_it_comes_to_the_bits_of_the_compiled_program(notation, shape, rows):
    function, x = network(notation, shape, rows)
    run, compiled = directly(function, x), jax.jit(function)
    by_xla = "LSTM" in notation and native.processor() == "baseline"  # whose inputs' product is rounded once a term
    for each in (x, np.flip(x, axis=1)):  # the second is not contiguous
        expected = compiled(each)
        for outputs in [run(each) for _ in range(20)]:  # of which the later ones are shared by threads
            np.testing.assert_allclose(outputs, expected, rtol=1e-6 if by_xla else 0)


@needs_kernels
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")  # JAX's own, which this does without
def test_a_fork_goes_on():
    function, x = network("Dense(260) >> ReLU()", (300,), 1)
    run = directly(function, x)
    expected = [run(x).tobytes() for _ in range(20)]
    child = os.fork()
    if not child:
        signal.alarm(20)
        os._exit(int([run(x).tobytes() for _ in range(20)] != expected))
    assert os.waitpid(child, 0)[1] == 0


@needs_kernels
@pytest.mark.parametrize(
    ("notation", "rows"),
    [
        ("GRU(5, reset_after=True) >> Dense(2)", 1),
        ("GRU(32) >> Dense(2)", 3),
        ("LSTM(32, return_sequences=True) >> RNN(3)", 2),
    ],
)
def test_products_of_steps_come_to_the_same(notation, rows):
    function, x = network(notation, (7, 3), rows)
    np.testing.assert_allclose(directly(function, x)(x), jax.jit(function)(x), rtol=1e-5, atol=1e-6)


@needs_kernels
@pytest.mark.parametrize("worth", [0, 1 << 60], ids=["all threads", "one thread"])
def test_many_rows_come_to_what_few_of_them_do(monkeypatch, worth):
    monkeypatch.setattr("chainrule.kernels.native.direct.WORTH", worth + 1)
    monkeypatch.setattr("chainrule.kernels.native.direct.LONG", 30_000)  # so that they are not computed all at once
    function, _ = network("Dense(50) >> ReLU() >> Dense(3) >> Softmax()", (40,), 1)
    x = np.random.default_rng(1).normal(size=(414, 40)).astype(np.float32)
    panels = {}
    block, smaller = direct(function, x[:8], panels), direct(function, x[:7], panels)
    assert len(panels) == 2  # of both layers, for both
    assert block is not None
    assert smaller is not None
    expected = [*map(block.of_block, np.split(x[:400], 50)), *map(smaller.of_block, np.split(x[400:], 2))]
    np.testing.assert_array_equal(block.of_rows(smaller, 52, x), np.concatenate(expected))
    np.testing.assert_array_equal(
        block.of_rows(block, 2, np.flip(x[:16], axis=1)), block.of_rows(block, 2, x[:16, ::-1].copy())
    )


@needs_kernels
def test_inputs_that_are_not_finite_are_looked_at():
    found = []
    function, x = network("Dense(3)", (70,), 4)
    run, row = (direct(function, x[:rows], look=found.append) for rows in (4, 1))
    for wrong in (np.nan, -np.inf, 1e20):  # of which the last has a square that is not finite
        for place in ((0, 0), (3, 69)):
            odd = x.copy()
            odd[place] = wrong
            run.of_block(odd)
            row.of_rows(row, 4, odd)
            assert [np.array_equal(at, odd, equal_nan=True) for at in found] == [True, True]
            found.clear()
    run.of_block(x)
    row.of_rows(row, 4, x)
    assert not found


@needs_kernels
def test_threads_do_not_share_memory():
    function, _ = network("Dense(200) >> ReLU() >> Dense(3)", (300,), 1)
    x = np.random.default_rng(1).normal(size=(200, 1, 300)).astype(np.float32)
    run = directly(function, x[0])
    expected = np.stack([*map(run, x)])
    with ThreadPoolExecutor(4) as threads:
        np.testing.assert_array_equal(np.stack([*threads.map(run, x)]), expected)
    np.testing.assert_allclose(expected[:, 0], jax.jit(function)(x[:, 0]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: jnp.sin(x),
        lambda x: x.reshape(3, 2, 1).T,
        lambda x: x[:, 1:],
        lambda x: jnp.ones(3),
        lambda x: x.astype(jnp.float16),
    ],
)
def test_other_steps_are_left_to_xla(function):
    assert direct(function, np.ones((2, 3), np.float32)) is None


def test_what_takes_much_memory_is_left_to_xla():
    function, x = network("Conv2D(2048, 1)", (100, 100, 1), 1)
    assert direct(function, x) is None
