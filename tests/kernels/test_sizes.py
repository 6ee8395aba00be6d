"""Every kernel with no number and with one along each of its axes: what the definitions give, and gradients too."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.activations import Tanh
from chainrule.arrays import functions
from chainrule.kernels import (
    attention,
    convolution,
    dense,
    elementwise,
    local,
    mixtures,
    pooled,
    pooling,
    recurrence,
    rows,
    softmax,
    waves,
)
from chainrule.kernels.window import Window
from chainrule.layers.lstm import _LSTM
from chainrule.layers.recurrent import _ELMAN, _GRU, _PUBLISHED_GRU

ONE, TWO = Window((3,), (1,), (1,), ((1, 1),)), Window((2, 3), (2, 1), (1, 1), ((0, 1), (1, 1)))
BESIDE = Window((1, 2), (1, 2), (1, 1), ((0, 0), (0, 0)))
IMAGE = {"batch": 2, "height": 4, "width": 5, "channels": 4}


def run(function, cell, x, kernel, recurrent, bias, start):
    formulas = (Tanh(), {}) if cell is _ELMAN else None
    weights = recurrence.Weights(kernel, recurrent, bias)
    return function(cell, True, formulas, x, weights, tuple(start), recurrence.Steps())


def in_turn(x, kernel, bias):
    y = convolution.plain(x, kernel, bias, TWO)
    return functions.relu(pooling.plain_max(y, BESIDE))


def recurrent(cell, gates, states, sums):
    def shapes(time, batch, features, units):
        wide = gates * units
        yield from ((time, batch, features), (features, wide), (units, wide), (sums * units,), (states, batch, units))

    sizes = {"time": 3, "batch": 2, "features": 3, "units": 4}
    return partial(run, recurrence.recurrence, cell), partial(run, recurrence.plain, cell), shapes, sizes


def image(*weights):
    def shapes(batch, height, width, channels, filters=6):
        named = {"channels": channels, "filters": filters, "places": (TWO.places((height, width)))}
        yield (batch, height, width, channels)
        for of in weights:
            yield tuple(at for name in of for at in (named[name] if name == "places" else (named.get(name, name),)))

    return shapes


KERNELS = {  # the kernel, its definition, the shapes of its arrays, and the sizes that these have
    "dense": (dense.dense, dense.plain, lambda rows, depth, units: ((rows, depth), (depth, units), (units,)),
              {"rows": 11, "depth": 5, "units": 3}),
    "dense of few": (dense.dense, dense.plain, lambda rows, depth, units: ((rows, depth), (depth, units), (units,)),
                     {"rows": 2, "depth": 5, "units": 3}),
    "take": (lambda table: rows.take(table, jnp.arange(900) % 7), lambda table: table[jnp.arange(900) % 7 % len(table)],
             lambda units: ((7, units),), {"units": 5}),
    "mixed": (lambda table, weights: mixtures.mixed(table, weights, jnp.arange(weights.size).reshape(weights.shape)),
              lambda table, weights: mixtures.plain(table, weights, jnp.arange(weights.size).reshape(weights.shape)),
              lambda units, examples, places: ((7, units), (examples, places)),
              {"units": 5, "examples": 3, "places": 4}),
    "waves": (waves.waves, waves.plain,
              lambda rows, columns, waves, units: ((rows, columns), (columns, waves), (columns, waves),
                                                   (columns, waves, units), (columns, units)),
              {"rows": 3, "columns": 4, "waves": 5, "units": 2}),
    "convolution": (partial(convolution.convolution, window=TWO), partial(convolution.plain, window=TWO),
                    image((2, 3, "channels", "filters"), ("filters",)), IMAGE | {"filters": 6}),
    "grouped": (partial(convolution.convolution, window=TWO, groups=2),
                partial(convolution.plain, window=TWO, groups=2),
                lambda batch, height, width: ((batch, height, width, 4), (2, 3, 2, 6), (6,)),
                {"batch": 2, "height": 4, "width": 5}),
    "depthwise": (partial(convolution.convolution, window=ONE, groups=3),
                  partial(convolution.plain, window=ONE, groups=3),
                  lambda batch, time: ((batch, time, 3), (3, 1, 3), (3,)), {"batch": 2, "time": 4}),
    "pooled": (partial(pooled.pooled_convolution, window=TWO, size=(1, 2), rectified=True), in_turn,
               image((2, 3, "channels", "filters"), ("filters",)), IMAGE | {"filters": 6}),
    "maximum": (partial(pooling.max_pool, window=TWO), partial(pooling.plain_max, window=TWO), image(), IMAGE),
    "mean": (partial(pooling.mean_pool, window=TWO), partial(pooling.plain_mean, window=TWO), image(), IMAGE),
    "local": (partial(local.local, window=TWO), partial(local.plain, window=TWO),
              image(("places", 2, 3, "channels", "filters")), IMAGE | {"filters": 6}),
    "softmax": (softmax.softmax, lambda z: jax.nn.softmax(z), lambda rows, classes: ((rows, classes),),
                {"rows": 3, "classes": 4}),
    "surprisal": (softmax.surprisal, lambda z: -jax.nn.log_softmax(z), lambda rows, classes: ((rows, classes),),
                  {"rows": 3, "classes": 4}),
    "attention": (lambda *of: attention.attention(*of, None, None, True),
                  lambda *of: attention.plain(*of, None, None, True),
                  lambda key, value, **of: ((*of.values(), key), (*of.values(), key), (*of.values(), value)),
                  {"batch": 2, "time": 3, "heads": 2, "key": 3, "value": 4}),
    "tanh": (elementwise.tanh, jnp.tanh, lambda rows, units: ((rows, units),), {"rows": 3, "units": 17}),
    "elman": recurrent(_ELMAN, 1, 1, 1),
    "lstm": recurrent(_LSTM, 4, 2, 4),
    "gru": recurrent(_GRU, 3, 1, 4),
    "published gru": recurrent(_PUBLISHED_GRU, 3, 1, 3),
}  # fmt: skip
CASES = [(name, axis, size) for name, (*_, sizes) in KERNELS.items() for axis in sizes for size in (0, 1)]
NOWHERE = {("published gru", "units", 0), ("gru", "units", 0), ("lstm", "units", 0), ("elman", "units", 0)}
"""What no layer can be: without units there is nothing to split."""


@pytest.mark.slow
@pytest.mark.parametrize(("name", "axis", "size"), sorted({*CASES} - NOWHERE))
def test_none_and_one(rng, name, axis, size):
    kernel, definition, shapes, sizes = KERNELS[name]
    arrays = [jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in shapes(**sizes | {axis: size})]

    def both(*arrays):
        for function in (kernel, definition):
            y, pull = jax.vjp(function, *arrays)
            yield y, pull(jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape))

    for ours, truth in zip(*map(jax.tree.leaves, jax.jit(lambda *of: list(both(*of)))(*arrays)), strict=True):
        assert ours.shape == truth.shape
        np.testing.assert_allclose(ours, truth, rtol=1e-4, atol=1e-4)
