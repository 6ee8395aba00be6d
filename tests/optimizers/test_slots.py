"""What a rule may keep for a parameter: slots of shapes and first values of their own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.errors import ChainruleError
from chainrule.optimizers import ClipNorm, Optimizer, RMSprop, Rule
from chainrule.optimizers.base import zeros
from chainrule.optimizers.schedules import Schedule, rate


class Factored(Rule):
    """Adafactor's slots: of the squares of a matrix it keeps the means of rows and of columns alone."""

    learning_rate: float | Schedule = rate(0.01)

    def slots(self, w):
        if w.ndim < 2:
            return {"v": zeros(w)}
        return {"rows": np.zeros(w.shape[:-1], w.dtype), "columns": np.zeros(w.shape[:-2] + w.shape[-1:], w.dtype)}

    def step(self, g, w, s, eta, t):
        s = {name: 0.9 * slot + 0.1 * self.mean(name, g**2) for name, slot in s.items()}
        return -eta * g / jnp.sqrt(s["v"] if "v" in s else self.product(**s)), s

    def mean(self, name, squares):
        return {"v": lambda: squares, "rows": lambda: squares.mean(-1), "columns": lambda: squares.mean(-2)}[name]()

    def product(self, rows, columns):
        return rows[..., None] * columns[..., None, :] / rows.mean(-1)[..., None, None]


class Resilient(Rule):
    """Rprop: a step of its own for each number, which grows as long as the gradient keeps its sign."""

    learning_rate: float | Schedule = rate(0.01)

    def slots(self, w):
        return {"size": np.full(w.shape, self.learning_rate, w.dtype), "g": zeros(w)}

    def step(self, g, w, s, eta, t):
        again = g * s["g"]
        size = jnp.clip(s["size"] * jnp.where(again > 0, 1.2, jnp.where(again < 0, 0.5, 1)), 1e-6, 50)
        g = jnp.where(again < 0, 0, g)
        return -size * jnp.sign(g), {"size": size, "g": g}


class ScheduleFree(Rule):
    """Descent without a schedule: z descends by gradients that are taken between z and x, the mean of all z."""

    learning_rate: float | Schedule = rate(0.1)
    sees_parameters = True

    def slots(self, w):
        return {"z": w}

    def step(self, g, w, s, eta, t):
        z, x = s["z"] - eta * g, (w - 0.1 * s["z"]) / 0.9
        return 0.1 * z + 0.9 * (x + (z - x) / t) - w, {"z": z}


OWN = [Factored(), Resilient(), ScheduleFree()]
START = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)


def walk(optimizer, w, steps=40):
    """The parameters after each step down the slope of Σ ln cosh(w)."""

    def step(carry, _):
        w, state = carry
        updates, state = optimizer.update(jnp.tanh(w), state, w)
        return (w + updates, state), w + updates

    return jax.lax.scan(step, (w, optimizer.init(w)), length=steps)[1]


def test_a_slot_has_a_shape_of_its_own():
    state = Factored().init({"kernel": jnp.zeros((2, 3, 4)), "bias": jnp.zeros(4)})
    rows, columns = {"kernel": (2, 3), "bias": None}, {"kernel": (2, 4), "bias": None}
    shapes = {"t": (), "v": {"kernel": None, "bias": (4,)}, "rows": rows, "columns": columns}
    assert jax.tree.map(jnp.shape, state) == shapes


def test_squares_that_are_products_are_known_by_rows_and_columns():
    rng, factored, whole = np.random.default_rng(0), Factored(), RMSprop(0.01, epsilon=1e-30)
    params = {"kernel": jnp.zeros((2, 3, 4)), "bias": jnp.zeros(4)}
    ours, truth = factored.init(params), whole.init(params)
    kernel, bias = rng.normal(size=(2, 3, 1)) * rng.normal(size=(2, 1, 4)), rng.normal(size=4)
    for size in (1.0, -3.0, 0.2):
        grads = jax.tree.map(lambda g, size=size: jnp.asarray(size * g), {"kernel": kernel, "bias": bias})
        updates, ours = jax.jit(factored.update)(grads, ours)
        expected, truth = whole.update(grads, truth)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), updates, expected)


def test_a_slot_has_a_first_value_of_its_own():
    assert (Resilient(0.03).init(START)["size"] == np.float32(0.03)).all()
    w, size, before, path = START.astype(np.float64), 0.01, 0, []
    for _ in range(40):
        again = np.tanh(w) * before
        size = size * np.where(again > 0, 1.2, np.where(again < 0, 0.5, 1))
        before = np.where(again < 0, 0, np.tanh(w))
        w = w - size * np.sign(before)
        path.append(w)
    np.testing.assert_allclose(walk(Resilient(), START), path, rtol=1e-4, atol=1e-5)


def test_a_slot_may_begin_as_the_parameter():
    z = x = w = START.astype(np.float64)
    path = []
    for t in range(1, 41):
        z = z - 0.1 * np.tanh(w)
        x = x + (z - x) / t
        w = 0.1 * z + 0.9 * x
        path.append(w)
    np.testing.assert_allclose(walk(ScheduleFree(), START), path, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rule", OWN, ids=lambda rule: type(rule).__name__)
def test_in_half_precision_slots_have_32_bits(rule):
    w = {"w": jnp.ones((2, 3), "bfloat16")}
    updates, state = jax.jit(rule.update)(w, rule.init(w), w)
    assert updates["w"].dtype == "bfloat16"
    slots = jax.tree.leaves({name: slot for name, slot in state.items() if name != "t"})
    assert {slot.dtype for slot in slots} == {jnp.dtype("float32")}


@pytest.mark.by_turns(2)
@pytest.mark.parametrize("rule", OWN, ids=lambda rule: type(rule).__name__)
def test_many_parameters_and_clipped_ones_go_the_same_way(rule):
    """`advance`, which kernels may take, and `update` with its addition."""
    w = {"w": jnp.ones((60, 50)), "b": jnp.ones(7)}
    for optimizer in (rule, ClipNorm(0.1) >> rule):
        ours, truth = (jax.jit(how)(w, w, optimizer.init(w)) for how in (optimizer.advance, plain(optimizer)))
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), ours, truth)


def plain(optimizer):
    return lambda *args: Optimizer.advance(optimizer, *args)


@pytest.mark.parametrize("optimizer", [ScheduleFree(), ClipNorm(1.0) >> ScheduleFree()], ids=repr)
def test_a_rule_that_sees_the_parameters_asks_for_them(optimizer):
    with pytest.raises(ChainruleError) as caught:
        optimizer.update(START, optimizer.init(START))
    assert str(caught.value) == (
        "ScheduleFree(learning_rate=0.1): its steps depend on the parameters. Call update(grads, state, params)."
    )
