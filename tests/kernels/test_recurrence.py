"""Recurrences equal their plain definition, in value and gradient."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.activations import ELU, Tanh
from chainrule.kernels import native
from chainrule.kernels.recurrence import Cell, Steps, Weights, plain, recurrence
from chainrule.layers.lstm import _LSTM
from chainrule.layers.recurrent import _ELMAN, _GRU, _PUBLISHED_GRU, _RNN

SCALED = Cell(
    lambda a, seen, weights: 2 * a - seen @ weights.recurrent * weights.bias,
    lambda scale, gates, last, words: (scale * jnp.tanh(gates) + last[0] ** 2,),
)
CELLS = {  # cell, formulas, gates, states, sums
    "RNN": (_ELMAN, (Tanh(), {}), 1, 1, 1),
    "RNN(ELU)": (_RNN, (ELU(1.3), {}), 1, 1, 1),
    "LSTM": (_LSTM, None, 4, 2, 4),
    "GRU": (_GRU, None, 3, 1, 4),
    "published GRU": (_PUBLISHED_GRU, None, 3, 1, 3),
    "any": (SCALED, 0.5, 1, 1, 1),
}


def problem(rng, cell, time=5, batch=3, features=2, units=4, keep=False, mask=False):
    cell, formulas, gates, states, sums = CELLS[cell]
    array = lambda *shape: jnp.asarray(rng.normal(size=shape), jnp.float32)  # noqa: E731
    return cell, {
        "formulas": jax.tree.map(jnp.float32, formulas),
        "x": array(time, batch, features),
        "kernel": array(features, gates * units) / features**0.5,
        "recurrent": array(units, gates * units) / units**0.5,
        "bias": array(sums * units),
        "start": tuple(array(batch, units) / 2 for _ in range(states)),
    }, {
        "keep": jnp.asarray(rng.integers(0, 2, (batch, units)) * 2, jnp.float32) if keep else None,
        "mask": jnp.asarray(rng.integers(0, 2, (time, batch)), bool) if mask else None,
    }  # fmt: skip


def run(function, cell, learned, fixed, whole=True):
    weights = Weights(learned["kernel"], learned["recurrent"], learned["bias"], fixed["keep"])
    return function(cell, whole, learned["formulas"], learned["x"], weights, learned["start"], Steps(fixed["mask"]))


BRIEFLY = [
    ("RNN", {}),
    ("LSTM", {"keep": True, "mask": True}),
    ("GRU", {"mask": True}),
    ("published GRU", {"keep": True, "mask": True}),
]
"""What is enough where the native kernels are not built: the cells that they know."""

TRIED = [
    *itertools.product(CELLS, [{}, {"keep": True, "mask": True}, dict.fromkeys(("time", "batch", "units"), 1)]),
    *itertools.product(("LSTM", "published GRU"), [{"keep": True}, {"mask": True}]),
    *itertools.product(
        ("RNN", "LSTM", "GRU", "published GRU"), [{"time": 11, "batch": 30, "features": 7, "units": 17}]
    ),
    ("GRU", {"time": 2, "mask": True}),
]
"""Each cell as it is, with all options, and as small as can be; options alone; more than one tile and one thread."""


@pytest.mark.slow
@pytest.mark.parametrize(("cell", "options"), BRIEFLY, ids=str)
def test_without_native_kernels(rng, monkeypatch, cell, options):
    monkeypatch.setattr(native, "processor", lambda: None)
    test_value_and_gradients(rng, cell, options)


@pytest.mark.slow
@pytest.mark.parametrize(("cell", "options"), TRIED, ids=str)
def test_value_and_gradients(rng, cell, options):
    cell, learned, fixed = problem(rng, cell, **options)

    @jax.jit
    def both(learned, fixed):
        def gradients(function, whole):
            h, pull = jax.vjp(lambda learned: run(function, cell, learned, fixed, whole), learned)
            return h, pull(jnp.sin(jnp.arange(h.size, dtype=h.dtype)).reshape(h.shape))

        wanted = (True,) if options else (True, False)
        return [[gradients(function, whole) for whole in wanted] for function in (recurrence, plain)]

    ours, theirs = both(learned, fixed)
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for mine, truth in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(mine, truth, rtol=1e-4, atol=1e-5 * max(1, float(jnp.abs(truth).max())))


@pytest.mark.by_turns(3)
@pytest.mark.parametrize("cell", ["RNN(ELU)", "LSTM", "GRU"])
def test_training_inside_a_compiled_loop_is_that_of_the_definition(rng, cell):
    cell, learned, fixed = problem(rng, cell, mask=True)

    def step(function, learned):
        slopes = jax.grad(lambda learned: jnp.mean(run(function, cell, learned, fixed) ** 2))(learned)
        return jax.tree.map(lambda w, d: w - 0.3 * d, learned, slopes)

    by_definition, defined = learned, jax.jit(lambda learned: step(plain, learned))
    for _ in range(3):
        by_definition = defined(by_definition)
    looped = jax.jit(lambda learned: jax.lax.fori_loop(0, 3, lambda _, p: step(recurrence, p), learned))(learned)
    assert float(jnp.abs(by_definition["kernel"] - learned["kernel"]).max()) > 1e-3
    for mine, truth in zip(jax.tree.leaves(looped), jax.tree.leaves(by_definition), strict=True):
        np.testing.assert_allclose(mine, truth, rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(native.processor() is None, reason="no native kernels are built")
def test_what_keeps_nothing_for_a_gradient_comes_to_the_same_bits(rng):
    cells, *problems = zip(*(problem(rng, cell, units=17, mask=True) for cell in CELLS), strict=True)

    @jax.jit
    def both(*problems):
        found = []
        for (cell, learned, fixed), whole in itertools.product(zip(cells, *problems, strict=True), (True, False)):
            of = partial(run, recurrence, cell, fixed=fixed, whole=whole)
            found.append((of(learned), jax.vjp(of, learned)[0]))
        return found

    for alone, with_gradient in both(*problems):
        np.testing.assert_array_equal(alone, with_gradient)


def test_a_masked_step_leaves_the_carry_as_it_is(rng):
    cell, learned, fixed = problem(rng, "LSTM")
    mask = jnp.array(
        [[True, False, True], [False, False, True], [True, False, False], [True, False, True], [False] * 3]
    )
    h = run(recurrence, cell, learned, fixed | {"mask": mask})
    before = jnp.concatenate([learned["start"][0][None], h[:-1]])
    np.testing.assert_array_equal(jnp.all(h == before, axis=-1), ~mask)
