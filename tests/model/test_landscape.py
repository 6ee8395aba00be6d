"""The cost over a plane of parameters."""

import logging

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.costs import Quadratic
from chainrule.formula.layer import Chain
from chainrule.layers import Dense
from chainrule.model.landscape import BLOCK, Landscape, Plane


def test_places_take_one_program_however_many_they_are(caplog):
    kernel, bias = ({"kernel": jnp.array([[of]]), "bias": jnp.array([1 - of])} for of in (1.0, 0.0))
    plane = Plane(*(({"kernel": jnp.zeros((1, 1)), "bias": jnp.zeros(1)},), (kernel,), (bias,)))
    x, E = jnp.array([[1.0], [2.0]]), jnp.array([[3.0], [5.0]])
    cost = Landscape(Chain((Dense(1),)), Quadratic(), ({},), plane, x, E)
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        for shape in ((1,), (3,), (BLOCK + 1,), (5, 7)):
            w, b = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
            true = ((w + b - 3) ** 2 + (2 * w + b - 5) ** 2) / 4
            np.testing.assert_allclose(cost(w, b), true, rtol=1e-5)
    assert sum(record.message.startswith("Compiling") for record in caplog.records) == 1
